"""Moves of the pixel grid as one matrix for the rows and one for the columns of each image.

Every geometric augmentation here is separable and linear: ``rows @ image @ columns.T``. So a
whole batch, whatever happens to each of its images, is two batched matrix products.
"""

import math
from functools import lru_cache

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor

SIDE = 64  # pixels; Tiny ImageNet's images are SIDE x SIDE
KINDS = ("spline", "author")  # of resizing

# Places in `operators()`; FIRST_CROP + t cuts out pixels t .. t + crop_size - 1 and resizes them.
IDENTITY, REVERSED, FIRST_CROP = 0, 1, 2


def crop_offsets(crop_size: int, resize: str = "spline") -> int:
    """Number of offsets of a crop of ``crop_size`` pixels on one axis.

    All that are possible, 0 .. 64 - crop_size; the author's code leaves out the last one.
    """
    if not 2 <= crop_size <= SIDE or resize not in KINDS:
        raise ValueError(f"{crop_size=}, {resize=}: must be 2..{SIDE} pixels, and one of {KINDS}")
    return max(1, SIDE - crop_size + (resize != "author"))


@lru_cache(maxsize=8)
def operators(crop_size: int, resize: str = "spline") -> Tensor:
    """The paper's moves of one axis: float32 (2 + offsets, 64, 64); do not write into it."""
    table = torch.zeros(FIRST_CROP + crop_offsets(crop_size, resize), SIDE, SIDE)
    table[IDENTITY] = torch.eye(SIDE)
    table[REVERSED] = torch.eye(SIDE).flip(0)
    matrix = torch.from_numpy(resize_matrix(crop_size, SIDE, resize)).float()
    for offset, operator in enumerate(table[FIRST_CROP:]):
        operator[:, offset : offset + crop_size] = matrix
    return table


def resize_matrix(length: int, size: int, kind: str = "spline") -> np.ndarray:
    """The matrix (size, length), float64, that resizes ``length`` pixels to ``size``.

    "spline", the paper's: ``skimage.transform.resize`` with ``order=3, mode="reflect",
    anti_aliasing=False, clip=False``; reflected about the outermost pixel centres.
    "author", what the author's code calls: scikit-image 0.11's defaults, now ``order=1,
    mode="constant", anti_aliasing=False``: bilinear, black beyond the border.
    """
    if length < 2 or size < 1:
        raise ValueError(f"cannot resize {length} pixels to {size}: needs at least 2 and 1")
    positions = (np.arange(size) + 0.5) * length / size - 0.5  # pixel centres
    pixels = np.arange(length, dtype=np.float64)
    if kind == "author":
        return np.clip(1 - np.abs(positions[:, None] - pixels), 0, None)
    # The spline passes through the pixels when its coefficients solve: basis @ c = pixels.
    return _basis_at(positions, length) @ np.linalg.inv(_basis_at(pixels, length))


def _basis_at(positions: np.ndarray, length: int) -> np.ndarray:
    """Values (positions, length) of the cubic B-splines, those beyond the ends folded back."""
    knots, period = np.arange(-2, length + 2), 2 * (length - 1)
    distance = np.abs(positions[:, None] - knots)
    near = 2 / 3 - distance**2 + distance**3 / 2
    values = np.where(distance < 1, near, np.clip(2 - distance, 0, None) ** 3 / 6)
    folded = np.abs(knots) % period
    basis = np.zeros((len(positions), length))
    np.add.at(basis.T, np.minimum(folded, period - folded), values.T)
    return basis


def bilinear(start: Tensor, extent: Tensor, size: int = SIDE) -> Tensor:
    """Matrices (..., size, 64) that spread ``start .. start + extent`` over ``size`` pixels.

    ``start`` and ``extent`` are (...) floats in pixels (0 is the image's edge); a negative extent
    reads backwards. Beyond the image it is reflected about its outermost pixel centres. Where an
    output pixel covers more than one pixel the triangle is as much wider, as in Pillow's resize.
    """
    return _entries(start, extent, size, SIDE)[1]


def _entries(start: Tensor, extent: Tensor, size: int, count: int) -> tuple[Tensor, Tensor]:
    """Columns and values (..., size, count) of ``count`` neighbours in each row of `bilinear`."""
    steps = torch.arange(SIDE, device=start.device, dtype=torch.float32)
    step = extent[..., None, None] / size  # pixels covered by an output pixel
    source = start[..., None, None] + (steps[:size, None] + 0.5) * step - 0.5  # (..., size, 1)
    last = SIDE - 1
    source = last - (last - source.abs()).abs()
    half = step.abs().clamp(min=1)
    pixels = ((source - half).floor() + 1).clamp(0, SIDE - count) + steps[:count]
    weights = (1 - (source - pixels).abs_() / half).clamp_(min=0)
    if count > 2:  # two have the sum one
        weights /= weights.sum(-1, keepdim=True).where(half > 1, 1.0)
    return pixels, weights


def resize(images: Tensor, size: int) -> Tensor:
    """All of each image (n, 3, 64, 64), any dtype, at ``size`` x ``size`` pixels, float32."""
    boxes = torch.zeros(len(images), 4, device=images.device)
    boxes[:, 2:] = SIDE
    return show(images, boxes, size)


def show(images: Tensor, boxes: Tensor, size: int) -> Tensor:
    """What lies in the box (top, left, height, width) of each image (n, 3, 64, 64).

    As `resample` with the matrices of `bilinear`: float32 (n, 3, size, size), in any memory format.
    On a CPU each output line is the sum of the few lines whose weights are not 0.
    """
    start, extent = boxes.T.unflatten(0, (2, 2))  # (2, n) each: rows, columns
    if by_products(images) or not len(images):
        return resample(images.float(), *bilinear(start, extent, size))
    reach = 2 * max(1.0, float(extent.abs().max()) / size)  # width of the widest triangle
    pixels, weights = _entries(start, extent, size, min(SIDE, math.ceil(reach)))
    pixels += SIDE * torch.arange(len(images))[:, None, None]
    # Rows, then columns; each time lines that are quick to copy from the order in memory.
    orders = [(0, 2, 1, 3), (0, 3, 2, 1)] if images.is_contiguous() else [(0, 2, 3, 1)] * 2
    for bags, values, order in zip(pixels.long(), weights, orders, strict=True):
        lines = images.permute(order).to(torch.float32, memory_format=torch.contiguous_format)
        sums = F.embedding_bag(
            bags.flatten(0, 1),
            lines.flatten(0, 1).flatten(1),
            mode="sum",
            per_sample_weights=values.flatten(0, 1),
        )
        images = sums.view(-1, size, *lines.shape[2:])  # to be permuted once more
    return images.permute(0, 2, 3, 1)


def by_products(images: Tensor) -> bool:
    """Whether all must go by products of fixed shape: a GPU would wait, a compiler wants them."""
    return images.device.type != "cpu" or torch.compiler.is_compiling()


def resample(pixels: Tensor, rows: Tensor, columns: Tensor) -> Tensor:
    """``rows @ pixels @ columns.T`` for each image and channel, float32.

    ``pixels`` (n, 3, 64, 64) of any dtype and memory format; ``rows`` and ``columns``
    (n, size, 64); the result (n, 3, size, size).
    Runs outside autocast: bf16 would lose the low bits of a pixel.
    """
    n, channels, _, width = pixels.shape
    # With the channel between row and column, each axis is one product and nothing is copied.
    lines = pixels.permute(0, 2, 1, 3).to(torch.float32, memory_format=torch.contiguous_format)
    with torch.autocast(pixels.device.type, enabled=False):
        moved = torch.bmm(rows, lines.flatten(2))  # (n, size, 3 * 64)
        moved = torch.bmm(moved.view(n, rows.shape[1] * channels, width), columns.transpose(1, 2))
    return moved.unflatten(1, (-1, channels)).permute(0, 2, 1, 3)
