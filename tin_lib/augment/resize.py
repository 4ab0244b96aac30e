"""Resizing of a line of pixels, written as a matrix.

Resizing an image is linear and separable: ``R @ image @ R.T`` with one small matrix ``R``. There
are two, and neither needs scikit-image:

"spline", the paper's "spline interpolation": cubic, as ``skimage.transform.resize(..., order=3,
mode="reflect", anti_aliasing=False, clip=False)``. Without ``clip=False`` scikit-image cuts the
overshoot at the range of the crop's values, which is not linear and not done here.

"author", what the author's code calls: ``skimage.transform.resize(crop, (64, 64),
preserve_range=True)`` of scikit-image 0.11, which is ``order=1, mode="constant",
anti_aliasing=False`` today: bilinear, with black beyond the border, which darkens the outermost
pixels.
"""

from __future__ import annotations

import numpy as np

KINDS = ("spline", "author")


def resize_matrix(length: int, size: int, kind: str = "spline") -> np.ndarray:
    """The matrix (size, length), float64, that resizes ``length`` pixels to ``size``.

    Pixel centres lie at half-integers. For "spline" the line is continued beyond its ends by
    reflection about the outermost pixel centres, for "author" by zeros.
    """
    if length < 2 or size < 1:
        raise ValueError(f"cannot resize {length} pixels to {size}: needs at least 2 and 1")
    positions = (np.arange(size) + 0.5) * length / size - 0.5
    pixels = np.arange(length, dtype=np.float64)
    if kind == "author":
        return np.clip(1 - np.abs(positions[:, None] - pixels), 0, None)
    # The spline passes through the pixels when its coefficients solve: basis @ c = pixels.
    return _basis_at(positions, length) @ np.linalg.inv(_basis_at(pixels, length))


def _basis_at(positions: np.ndarray, length: int) -> np.ndarray:
    """Values (positions, length) of the ``length`` B-splines at ``positions``."""
    values = np.zeros((len(positions), length))
    first = np.floor(positions).astype(int) - 1
    rows = np.arange(len(positions))
    for neighbour in range(4):
        knot = first + neighbour
        np.add.at(values, (rows, _reflect(knot, length)), _cubic_bspline(positions - knot))
    return values


def _cubic_bspline(distance: np.ndarray) -> np.ndarray:
    distance = np.abs(distance)
    near = 2 / 3 - distance**2 + distance**3 / 2
    far = np.clip(2 - distance, 0, None) ** 3 / 6
    return np.where(distance < 1, near, far)


def _reflect(index: np.ndarray, length: int) -> np.ndarray:
    """Fold indices beyond the ends back, about the outermost pixels: -1 -> 1."""
    period = 2 * (length - 1)
    index = np.abs(index) % period
    return np.minimum(index, period - index)
