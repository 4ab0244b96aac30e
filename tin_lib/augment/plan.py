"""What an epoch shows: which images, in which order, changed how.

A plan is a table with one row an item, drawn for the whole epoch at once on the CPU. It does not
depend on the batch size, the device or the number of processes.
"""

from dataclasses import dataclass, fields, replace
from enum import IntEnum
from itertools import pairwise
from typing import Any

import torch
from torch import Tensor

from tin_lib.augment.geometry import KINDS

MODES = ("none", "paper_copies", "paper_fresh", "modern")


class Technique(IntEnum):
    """The paper's five techniques, and none."""

    NONE = 0
    MIRROR = 1  # flip about the vertical axis
    UPSIDE_DOWN = 2  # flip about the horizontal axis
    CROP = 3
    CONTRAST = 4
    TINT = 5


@dataclass(frozen=True)
class AugmentSpec:
    """What is done to the training images. ValueError names the field that is out of range.

    mode: "none"; "paper_copies": N originals and 5 x fraction x N copies with one technique
        each, the same in every epoch (what the paper trained on); "paper_fresh": each image once
        an epoch, with a newly drawn technique in paper_copies' shares; "modern": each image once
        an epoch, newly drawn from the fields below "modern".
    """

    mode: str = "none"
    # paper_copies, paper_fresh
    fraction: float = 1 / 3  # of the images copied for each technique; 1/3 gives 266,665 items
    crop_size: int = 55  # pixels, resized to 64
    resize: str = "spline"  # as the paper says; "author": as the author's code, see geometry.py
    contrast: tuple[float, float] = (0.8, 1.2)  # factor
    tint: tuple[float, float] = (-5.0, 5.0)  # added to a channel, 0..255 scale
    # modern
    mirror: bool = True  # flipped about the vertical axis with probability 1/2
    shift: int = 0  # pixels, each axis -shift..shift; the gap is filled by reflection
    resized_crop_scale: tuple[float, float] | None = None  # share of the area, sides 3:4 to 4:3
    jitter: float = 0.0  # brightness, contrast and saturation within 1 - jitter .. 1 + jitter
    erase: float = 0.0  # probability that a rectangle is replaced by the mean colour

    def __post_init__(self) -> None:
        for name, choices in _CHOICES.items():
            value = getattr(self, name)
            if not isinstance(value, type(choices[0])) or value not in choices:
                known = ", ".join(map(str, choices))
                raise ValueError(f"{name} must be one of {known}, not {value!r}")
        for name, limits in _NUMBERS.items():
            _check(name, getattr(self, name), 1, limits)
        for name, limits in _PAIRS.items():
            if name != "resized_crop_scale" or self.resized_crop_scale is not None:
                _check(name, getattr(self, name), 2, limits)
                object.__setattr__(self, name, tuple(getattr(self, name)))  # JSON has lists


_CHOICES = {"mode": MODES, "resize": KINDS, "mirror": (True, False)}
_NUMBERS = {  # the smallest and the largest value; a pixel count is whole
    "fraction": (0.0, 1.0),
    "crop_size": (2, 64),
    "shift": (0, 32),
    "jitter": (0.0, 1.0),
    "erase": (0.0, 1.0),
}
_PAIRS = {"contrast": (0.0, 255.0), "tint": (-255.0, 255.0), "resized_crop_scale": (1e-4, 1.0)}


def _check(name: str, value: Any, count: int, limits: tuple[float, float]) -> None:
    """Raise ValueError unless ``value`` is one number, or two ascending ones, within the limits."""
    low, high = limits
    numbers = value if count == 2 and isinstance(value, (tuple, list)) else (value,)
    kinds = int if isinstance(low, int) else (int, float)
    plain = all(isinstance(v, kinds) and not isinstance(v, bool) for v in numbers)
    ordered = plain and all(a <= b for a, b in pairwise((low, *numbers, high)))  # not NaN
    if len(numbers) != count or not ordered:
        what = "a whole number" if isinstance(low, int) else "a number"
        what = "(a, b), a <= b," if count == 2 else what
        raise ValueError(f"{name} must be {what} between {low} and {high}, not {value!r}")


@dataclass(frozen=True, eq=False)
class EpochPlan:
    """The items of an epoch or of a batch; every tensor but ``operators`` has one row an item.

    A field is None if no item of the plan needs it.
    """

    image: Tensor  # int64 (items,): row in the array of images
    technique: Tensor  # int64 (items,): Technique; NONE throughout in mode "modern"
    gain: Tensor  # float32 (items, 1): the pixels are multiplied by it
    bias: Tensor  # float32 (items, 3): and this is added, 0..255 scale
    rows: Tensor | None = None  # int64 (items,): which of `operators` moves the rows
    columns: Tensor | None = None  # int64 (items,): and the columns
    operators: Tensor | None = None  # float32 (k, 64, 64), shared: geometry.operators
    boxes: Tensor | None = None  # float32 (items, 4): top, left, height, width shown, pixels
    saturation: Tensor | None = None  # float32 (items,): 0 gray, 1 unchanged
    erased: Tensor | None = None  # int64 (items, 4): y0, y1, x0, x1, ends excluded

    def __len__(self) -> int:
        return len(self.image)

    def __getitem__(self, rows: slice | Tensor) -> "EpochPlan":
        """The items of a slice or an index tensor, as a plan of their own."""
        tensors = self._tensors()
        tensors.pop("operators", None)
        return replace(self, **{name: tensor[rows] for name, tensor in tensors.items()})

    def to(self, device: torch.device | str) -> "EpochPlan":
        """The same plan on another device: once an epoch, so that no batch has to wait."""
        return replace(self, **{k: tensor.to(device) for k, tensor in self._tensors().items()})

    def _tensors(self) -> dict[str, Tensor]:
        values = {field.name: getattr(self, field.name) for field in fields(self)}
        return {name: value for name, value in values.items() if value is not None}


def unchanged(image: Tensor) -> EpochPlan:
    """The plan that shows the images at these rows as they are."""
    n = len(image)
    technique = torch.full((n,), int(Technique.NONE))
    return EpochPlan(image, technique, gain=torch.ones(n, 1), bias=torch.zeros(n, 3))
