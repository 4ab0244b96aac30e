"""What all networks share: named layers, named intermediate features, initial weights, options."""

from collections.abc import Sequence
from dataclasses import dataclass, fields
from typing import Any, ClassVar, NamedTuple

from torch import Tensor, nn

from tin_lib.networks.dropout import Dropout


class Layer(NamedTuple):
    """Where a named layer lies: paths as ``get_submodule`` reads them."""

    weight: str  # the module with the weights, e.g. "features.0"
    output: str  # the module whose output is the layer's activation, after its ReLU if it has one


class Network(nn.Module):
    """A convolutional part ``features`` and a dense part ``classifier``, run one after the other.

    ``layers`` names them in order: conv1, conv2, …, dense1, …; ``origin`` says in words where the
    starting weights came from.
    """

    def __init__(self, features: "Stack", classifier: "Stack") -> None:
        super().__init__()
        self.features = nn.Sequential(*features.modules)
        self.classifier = nn.Sequential(*classifier.modules)
        self.layers: dict[str, Layer] = features.layers | classifier.layers
        self.name, self.num_classes, self.width = "", 0, 1.0
        self.options: dict[str, Any] = {}
        self.origin = "random"

    def forward(self, x: Tensor) -> Tensor:
        """Scores before softmax, (N, classes), of normalised images (N, 3, 64, 64)."""
        return self.classifier(self.features(x))

    def forward_features(self, x: Tensor, names: Sequence[str]) -> tuple[Tensor, dict[str, Tensor]]:
        """Scores as ``forward``'s, and the activations of the named layers.

        Raises ValueError, listing the layers, for an unknown name.
        """
        wanted = {self.check(name).output: name for name in names}
        found: dict[str, Tensor] = {}
        for part in ("features", "classifier"):
            for key, module in getattr(self, part).named_children():
                x = module(x)
                if f"{part}.{key}" in wanted:
                    found[wanted[f"{part}.{key}"]] = x
        return x, found

    def check(self, name: str) -> Layer:
        """The layer of that name; ValueError lists the layers there are."""
        if name not in self.layers:
            raise ValueError(f"{self.name} has no layer {name!r}; layers: {', '.join(self.layers)}")
        return self.layers[name]


class Stack:
    """Modules in order, with names for those that carry weights."""

    def __init__(self, part: str) -> None:
        self.part = part
        self.modules: list[nn.Module] = []
        self.layers: dict[str, Layer] = {}

    def add(self, *modules: nn.Module) -> "Stack":
        """Append modules without weights of their own."""
        self.modules += modules
        return self

    def layer(self, name: str, *modules: nn.Module) -> "Stack":
        """Append a layer: its weights first, its activation last."""
        first = len(self.modules)
        self.modules += modules
        last = len(self.modules) - 1
        self.layers[name] = Layer(f"{self.part}.{first}", f"{self.part}.{last}")
        return self


@dataclass(frozen=True)
class Options:
    """What every network lets one choose. Raises ValueError, naming the field, for a bad value."""

    dropout: float = 1.0  # factor on the network's own dropout rates; 0 switches them off
    init: str = "glorot"  # convolutions start as glorot (uniform, Keras's default) or he (normal)

    CHOICES: ClassVar[dict[str, tuple[str, ...]]] = {"init": ("glorot", "he")}

    def __post_init__(self) -> None:
        for field in fields(self):
            _check_type(field.name, getattr(self, field.name), field.default)
        for name, allowed in self.CHOICES.items():
            if getattr(self, name) not in allowed:
                raise ValueError(f"{name}={getattr(self, name)!r}: choose {' or '.join(allowed)}")
        if not 0 <= self.dropout < float("inf"):
            raise ValueError(f"dropout={self.dropout}: must be 0 or more")


def _check_type(name: str, value: Any, default: Any) -> None:
    """Raise ValueError unless ``value`` is of the default's type; a whole number is a float too."""
    kinds = (int, float) if isinstance(default, float) else (type(default),)
    if type(value) not in kinds:
        raise ValueError(f"{name}={value!r}: must be of type {kinds[-1].__name__}")


def scale(count: int, width: float) -> int:
    """Channels or units at a width; at least four, so that no layer becomes a bottleneck of one."""
    return max(4, round(count * width))


def dropout(rate: float, factor: float) -> nn.Dropout:
    """Dropout at ``factor`` times the published rate, at most 0.95."""
    return Dropout(min(rate * factor, 0.95))


def norms(channels: int, wanted: bool) -> list[nn.Module]:
    """One batchnorm or none, to stand between a convolution and its ReLU."""
    return [nn.BatchNorm2d(channels)] if wanted else []


def initialise(network: nn.Module, init: str) -> None:
    """Draw starting weights from the global generator; biases start at zero.

    Dense layers are Glorot's (uniform), as in Keras. Convolutions too, or with ``init="he"`` normal
    with variance 2 / fan-out, which keeps the size of gradients through ReLUs (He et al., 2015).
    """
    for module in network.modules():
        if isinstance(module, nn.Conv2d | nn.Linear):
            if init == "he" and isinstance(module, nn.Conv2d):
                nn.init.kaiming_normal_(module.weight, mode="fan_out", nonlinearity="relu")
            else:
                nn.init.xavier_uniform_(module.weight)
            if module.bias is not None:
                nn.init.zeros_(module.bias)


def parameter_count(module: nn.Module) -> int:
    """Number of trained weights, biases included."""
    return sum(p.numel() for p in module.parameters())
