"""Arrays and tensors among the parameters of public functions."""

from typing import Any

import numpy as np
from numpy.typing import ArrayLike
from torch import Tensor, nn

from tin_lib.augment.geometry import SIDE


def real(name: str, values: ArrayLike, infinite: bool = False) -> np.ndarray:
    """``values`` as float64; ValueError, naming them, for texts, complex numbers and, unless
    ``infinite``, infinity. NaN, which stands for what is not known, stays."""
    given = np.asarray(values)
    if given.dtype.kind not in "biufO" and given.size:
        raise ValueError(f"{name}: must be real numbers, not {given.dtype}")
    numbers = given.astype(float)
    if not infinite and np.isinf(numbers).any():
        raise ValueError(f"{name}: a value is infinite")
    return numbers


def flags(name: str, values: ArrayLike) -> np.ndarray:
    """``values`` as bool; ValueError, naming them, unless each is True, False, 1 or 0."""
    numbers = real(name, values)
    if not np.isin(numbers, (0, 1)).all():
        raise ValueError(f"{name}: must be True or False each")
    return numbers.astype(bool)


def check_shape(name: str, values: Tensor, *shape: int) -> None:
    """ValueError, naming them, unless the values are real and of this shape; -1: any length."""
    given = tuple(values.shape)
    wanted = tuple(n if n >= 0 else m for n, m in zip(shape, given, strict=False))
    if len(given) != len(shape) or given != wanted or values.is_complex():
        raise ValueError(f"{name}: must be real, of shape {shape}, not {values.dtype} {given}")


def check_finite(name: str, values: Tensor) -> None:
    """ValueError, naming them, unless the values of a tensor are real and finite."""
    if values.is_complex() or not bool(values.isfinite().all()):
        raise ValueError(f"{name}: must be finite real numbers")


def check_pixels(name: str, images: Any, axes: int = 4) -> None:
    """ValueError, naming them, unless these are images uint8 (..., 3, 64, 64) of so many axes."""
    if images.dtype != np.uint8 or images.ndim != axes or images.shape[-3:] != (3, SIDE, SIDE):
        got = f"{images.dtype} {images.shape}"
        raise ValueError(f"{name}: must be uint8 pixels (..., 3, {SIDE}, {SIDE}), not {got}")


def check_inputs(network: nn.Module, images: Tensor) -> None:
    """Raise ValueError unless ``images`` are finite (N, 3, H, W) of the network's type."""
    kind = next(network.parameters(), images).dtype
    if images.dtype != kind or images.ndim != 4 or images.shape[1] != 3:
        got = f"{images.dtype} {tuple(images.shape)}"
        raise ValueError(f"images: must be {kind} (N, 3, H, W), normalised, not {got}")
    check_finite("images", images)
