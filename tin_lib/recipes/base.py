"""A training run: every choice is a field of its recipe."""

import contextlib
import dataclasses
import difflib
import json
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from tin_lib.augment import AugmentSpec

ANY = "*"  # in a table of recipes: the default of every network without one of its own

CHOICES = {
    "optimizer": ("sgd", "adamw", "muon"),
    "schedule": ("constant", "cosine", "linear"),
    "penalties": ("none", "paper", "code"),
    "precision": ("auto", "float32", "bf16"),
    "compile": ("", "default", "reduce-overhead", "max-autotune"),
    "keep": ("last", "best"),
}
RESERVED = {"name", "num_classes", "width", "weights"}  # networks.create has them itself
WORDS = {int: "a whole number", float: "a number", bool: "true or false"}
RANGES: dict[str, tuple[float, float]] = {
    "epochs": (1, 100_000),
    "lr": (1e-12, 1e6),
    "batch_size": (2, 1_000_000),
    "width": (0.01, 8),
    "patience": (0, 100_000),
    "momentum": (0, 0.9999),
    "weight_decay": (0, 100),
    "decay": (0, 100),
    "warmup": (0, 0.9),
    "label_smoothing": (0, 0.9),
    "ema": (0, 0.999999),
    "mix_probability": (0, 1),
    "mixup": (0, 1000),
    "cutmix": (0, 1000),
    "seed": (0, 2**63 - 1),
    "clip": (0, 1e6),
    "seconds": (0, 1e9),
}


@dataclass(frozen=True)
class Recipe:
    """One training run. Each field's comment gives its unit, or the reason for its default.

    Raises ValueError, naming the field, for a value of another type or out of range.
    """

    network: str  # name for networks.create
    epochs: int  # passes over the augmented training set; with ``seconds`` the most of them
    lr: float  # (peak) learning rate
    width: float = 1.0  # factor on channel and unit counts; below 1 for a CPU
    network_options: dict[str, Any] = field(default_factory=dict)  # passed to networks.create
    weights: str | None = None  # starting weights: None, "imagenet", or a checkpoint's path
    trainable: tuple[str, ...] | None = None  # layers that learn, by name; None: all
    keep_zeros: bool = False  # matrix and filter weights that are 0 stay 0: pruned networks
    seed: int = 0  # of initial weights, order, augmentation and dropout
    batch_size: int = 128  # images an update, over all processes; 128 in the author's code
    optimizer: str = "sgd"  # sgd, adamw, or muon: see train/optim.py
    momentum: float = 0.0  # 0 is plain SGD, as in the paper's 9-layer and VGG-like networks
    nesterov: bool = False  # Nesterov's form of the momentum
    weight_decay: float = 0.0  # decoupled: weights shrink by lr × this an update; not biases, norms
    decay: float = 0.0  # Keras: rate = lr / (1 + decay × updates), per update
    schedule: str = "constant"  # constant, or to zero after warm-up by a cosine or a line
    warmup: float = 0.0  # share of all updates over which the rate rises linearly from 0
    clip: float = 0.0  # largest gradient norm; 0 does not clip
    augment: AugmentSpec = field(default_factory=AugmentSpec)  # see tin_lib.augment
    label_smoothing: float = 0.0  # probability spread over all classes
    mixup: float = 0.0  # Beta(a, a) of mixup (Zhang et al., 2018); 0 is off
    cutmix: float = 0.0  # Beta(a, a) of CutMix (Yun et al., 2019); both on: one of the two a batch
    mix_probability: float = 1.0  # share of batches that are mixed
    penalties: str = "none"  # Keras L1/L2 on weights and activations: none, paper, code
    ema: float = 0.0  # decay an update of the averaged weights that are evaluated; 0 is off
    flip_test: bool = False  # average predictions with those of the mirrored image
    sizes: tuple[tuple[float, int], ...] = ()  # images' pixels until each share of the training:
    # ((0.5, 32), (1, 64)) trains at 32 x 32 for its first half (progressive resizing); () at 64
    seconds: float = 0.0  # of training (evaluation apart) after which it ends; 0 is no limit. The
    # rate and the sizes then follow the time: another machine or load gives other numbers
    patience: int = 0  # stop after this many epochs without a better held-out accuracy; 0 never
    keep: str = "last"  # weights kept: of the last epoch, or of the best on the held-out part
    precision: str = "auto"  # auto: bf16 autocast on GPUs and CPUs made for it, else float32
    channels_last: bool = True  # NHWC memory: faster convolutions on CPUs and tensor cores
    compile: str = ""  # torch.compile's mode; "" is off; falls back, saying why

    def __post_init__(self) -> None:
        for each in dataclasses.fields(self):
            value = _checked(each.name, each.type, getattr(self, each.name))
            object.__setattr__(self, each.name, value)
        if not isinstance(self.network_options, dict) or not isinstance(self.augment, AugmentSpec):
            raise ValueError("network_options and augment: must be given by their fields, a dict")
        if taken := RESERVED & self.network_options.keys():
            raise ValueError(f"network_options: {min(taken)} is not one of a network's options")
        if self.weights is not None and (not isinstance(self.weights, str) or not self.weights):
            raise ValueError(f"weights={self.weights!r}: must be a path, 'imagenet', or None")
        if self.nesterov and not self.momentum:
            raise ValueError("nesterov=True needs momentum > 0")
        if self.keep_zeros and self.optimizer == "muon":
            raise ValueError("keep_zeros: muon moves every weight; choose optimizer sgd or adamw")

    def replace(self, **changes: Any) -> "Recipe":
        """A copy with some fields changed; unknown fields are refused with the nearest name.

        ``augment`` may be an AugmentSpec or a dict of its fields.
        """
        known = {f.name for f in dataclasses.fields(self)}
        for name in changes.keys() - known:
            near = difflib.get_close_matches(name, known, 1)
            hint = f"; did you mean {near[0]}?" if near else f"; fields: {', '.join(sorted(known))}"
            raise ValueError(f"a recipe has no field {name!r}{hint}")
        if isinstance(changes.get("augment"), dict):
            changes["augment"] = augment_from(changes["augment"])
        return dataclasses.replace(self, **changes)

    def to_dict(self) -> dict[str, Any]:
        """Plain JSON values."""
        return json.loads(json.dumps(dataclasses.asdict(self)))

    @classmethod
    def from_dict(cls, values: dict[str, Any]) -> "Recipe":
        """The recipe that ``to_dict`` gave; unknown fields are refused."""
        start = cls(values["network"], values["epochs"], values["lr"])
        return start.replace(**values)


def augment_from(values: dict[str, Any]) -> AugmentSpec:
    """An AugmentSpec from JSON values (lists become tuples); unknown fields are refused."""
    known = {f.name for f in dataclasses.fields(AugmentSpec)}
    if unknown := values.keys() - known:
        raise ValueError(f"augment has no field {sorted(unknown)[0]!r}; fields: {sorted(known)}")
    return AugmentSpec(**values)


def _checked(name: str, kind: Any, value: Any) -> Any:
    """The value, as a plain Python number where one is meant: of NumPy's (np.logspace), of text
    (YAML reads 1e-3 as text), and of 3.0 (a pandas column) for a whole number.

    Raises ValueError for a value of another type, out of range or not among the choices.
    """
    value = value.item() if isinstance(value, np.generic) else value
    if name in RANGES and isinstance(value, str):
        with contextlib.suppress(ValueError):
            value = float(value)
    if name == "sizes":
        value = _stages(value)
    if name == "trainable" and value is not None:
        value = tuple(value) if isinstance(value, list) else value
        texts = isinstance(value, tuple) and all(isinstance(each, str) for each in value)
        if not texts or not 0 < len(value) == len(set(value)):
            raise ValueError(f"trainable={value!r}: must be a list of different layers, or None")
    if kind is int and isinstance(value, float) and value % 1 == 0:
        value = int(value)
    accepted = (int, float) if kind is float else (kind,)
    if kind in WORDS and type(value) not in accepted:
        raise ValueError(f"{name}={value!r}: must be {WORDS[kind]}")
    if name in RANGES and not RANGES[name][0] <= value <= RANGES[name][1]:
        raise ValueError("{}={}: must lie between {} and {}".format(name, value, *RANGES[name]))
    if name in CHOICES and value not in CHOICES[name]:
        raise ValueError(f"{name}={value!r}: choose one of {CHOICES[name]}")
    return value


def _stages(value: Any) -> tuple[tuple[float, int], ...]:
    """``sizes`` as tuples of plain numbers; ValueError for other than ascending shares."""
    try:
        stages = tuple((float(share), pixels) for share, pixels in value)
    except (TypeError, ValueError):
        stages = ((0.0, 0),)
    shares = [0.0, *(share for share, _ in stages)]
    whole = all(pixels in range(8, 65) for _, pixels in stages)
    if stages and not (whole and shares == sorted(set(shares)) and stages[-1] == (1, 64)):
        raise ValueError(
            f"sizes={value!r}: must be pairs of an ascending share of the training and a number of "
            "pixels, 8..64; the last pair must be (1, 64), the size of all evaluation"
        )
    return tuple((share, int(pixels)) for share, pixels in stages)
