"""What an epoch shows: which images, in which order, changed how.

A plan is a table with one row an item, drawn for the whole epoch at once on the CPU. It does not
depend on the batch size, the device or the number of processes.
"""

from dataclasses import dataclass, fields, replace
from enum import IntEnum
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


TECHNIQUES = tuple(technique.name.lower() for technique in Technique)[1:]


@dataclass(frozen=True)
class AugmentSpec:
    """What is done to the training images. ValueError names the field that is out of range.

    mode: "none"; "paper_copies": N originals and fraction x N copies for each technique, the
        same in every epoch (what the paper trained on); "paper_fresh": each image once an epoch,
        with a newly drawn technique in paper_copies' shares; "modern": each image once an epoch,
        newly drawn from the fields below "modern".
    """

    mode: str = "none"
    # paper_copies, paper_fresh
    fraction: float = 1 / 3  # of the images copied for each technique; 1/3 gives 266,665 items
    crop_size: int = 55  # pixels, resized to 64
    resize: str = "spline"  # as the paper says; "author": as the author's code, see geometry.py
    contrast: tuple[float, float] = (0.8, 1.2)  # factor
    tint: tuple[float, float] = (-5.0, 5.0)  # added to a channel, 0..255 scale
    techniques: tuple[str, ...] = TECHNIQUES  # those used; their copies do not depend on the others
    class_shares: tuple[float, ...] | None = None  # paper_copies: copies a class, relative; None: 1
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
                raise ValueError(f"{name} must be one of {choices}, not {value!r}")
        object.__setattr__(self, "techniques", _ordered(self.techniques))
        for name, limits in (_NUMBERS | _TUPLES).items():
            value = getattr(self, name)
            if value is not None or name not in ("resized_crop_scale", "class_shares"):
                object.__setattr__(self, name, _checked(name, value, limits))
        if self.class_shares and (self.mode != "paper_copies" or not any(self.class_shares)):
            raise ValueError("class_shares needs mode='paper_copies' and a number above 0")


_CHOICES = {"mode": MODES, "resize": KINDS, "mirror": (True, False)}
_NUMBERS = {  # the smallest and the largest value; a pixel count is whole
    "fraction": (0.0, 1.0),
    "crop_size": (2, 64),
    "shift": (0, 32),
    "jitter": (0.0, 1.0),
    "erase": (0.0, 1.0),
}
_TUPLES = {"contrast": (0.0, 255.0), "tint": (-255.0, 255.0), "resized_crop_scale": (1e-4, 1.0)}
_TUPLES |= {"class_shares": (0.0, 1e9)}


def _ordered(chosen: Any) -> tuple[str, ...]:
    """The names in the order of `Technique`; ValueError unless each is one of its, and once."""
    names = chosen if isinstance(chosen, (tuple, list)) else ()
    ordered = tuple(name for name in TECHNIQUES if name in names)
    if not names or len(ordered) != len(names):
        raise ValueError(f"techniques must be of {TECHNIQUES}, each at most once, not {chosen!r}")
    return ordered


def _checked(name: str, value: Any, limits: tuple[float, float]) -> Any:
    """A number, two ascending ones or one a class, within the limits; ValueError for others."""
    low, high = limits
    several, pair = name in _TUPLES, name in _TUPLES and name != "class_shares"
    numbers = tuple(value) if several and isinstance(value, (tuple, list)) else (value,)
    kinds = int if isinstance(low, int) else (int, float)
    plain = all(isinstance(v, kinds) and not isinstance(v, bool) for v in numbers)
    inside = plain and all(low <= v <= high for v in numbers)  # not NaN
    if not (numbers and inside) or (pair and (len(numbers) != 2 or numbers[0] > numbers[1])):
        what = "a whole number" if isinstance(low, int) else "a number"
        what = "(a, b), a <= b," if pair else what
        raise ValueError(f"{name} must be {what} between {low} and {high}, not {value!r}")
    return numbers if several else value


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
        tensors = {k: v[rows] for k, v in self._tensors().items() if k != "operators"}
        return replace(self, **tensors)

    def to(self, device: torch.device | str) -> "EpochPlan":
        """The same plan on another device: once an epoch, so that no batch has to wait."""
        return replace(self, **{k: tensor.to(device) for k, tensor in self._tensors().items()})

    def _tensors(self) -> dict[str, Tensor]:
        return {f.name: v for f in fields(self) if (v := getattr(self, f.name)) is not None}


def unchanged(image: Tensor) -> EpochPlan:
    """The plan that shows the images at these rows as they are."""
    technique = torch.full_like(image, Technique.NONE)
    return EpochPlan(image, technique, torch.ones(len(image), 1), torch.zeros(len(image), 3))
