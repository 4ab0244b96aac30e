"""Moves of the pixel grid as one matrix for the rows and one for the columns of each image.

Every geometric augmentation here is separable and linear: ``rows @ image @ columns.T``. So a
whole batch, whatever happens to each of its images, is two batched matrix products.
"""

from __future__ import annotations

from functools import lru_cache

import torch
from torch import Tensor

from tin_lib.augment.resize import resize_matrix

SIDE = 64  # pixels; Tiny ImageNet's images are SIDE x SIDE

# Operators by their index in `operators()`.
IDENTITY = 0
REVERSED = 1
FIRST_CROP = 2  # FIRST_CROP + t cuts out the pixels t .. t + crop_size - 1 and resizes them


def crop_offsets(crop_size: int, resize: str = "spline") -> int:
    """How many offsets a crop of ``crop_size`` pixels has on one axis.

    All that are possible, 0 .. 64 - crop_size; the author's code leaves out the last one.
    """
    if not 2 <= crop_size <= SIDE:
        raise ValueError(f"crop_size must be between 2 and {SIDE} pixels, not {crop_size}")
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


def bilinear(start: Tensor, extent: Tensor) -> Tensor:
    """Matrices (..., 64, 64) that spread the interval ``start .. start + extent`` over 64 pixels.

    ``start`` and ``extent`` are (...) floats in pixels (0 is the image's edge); a negative extent
    reads backwards. Beyond the image it is reflected about its outermost pixel centres.
    """
    steps = torch.arange(SIDE, device=start.device, dtype=torch.float32)
    source = start[..., None] + (steps + 0.5) * extent[..., None] / SIDE - 0.5  # (..., 64)
    last = SIDE - 1
    source = last - (last - source.abs()).abs()
    return (1 - (source[..., None] - steps).abs_()).clamp_(min=0)


def resample(pixels: Tensor, rows: Tensor, columns: Tensor) -> Tensor:
    """``rows @ pixels @ columns.T`` for each image and channel.

    ``pixels`` (n, 3, 64, 64) of any dtype and memory format, ``rows`` and ``columns`` (n, 64, 64);
    returns float32. Runs outside autocast: bf16 would lose the low bits of a pixel.
    """
    n, channels, height, width = pixels.shape
    # With the channel between row and column, each axis is one product and nothing is copied.
    lines = pixels.permute(0, 2, 1, 3).to(torch.float32, memory_format=torch.contiguous_format)
    with torch.autocast(pixels.device.type, enabled=False):
        moved = torch.bmm(rows, lines.flatten(2))  # (n, 64, 3 * 64)
        moved = torch.bmm(moved.view(n, height * channels, width), columns.transpose(1, 2))
    return moved.view(n, height, channels, width).permute(0, 2, 1, 3)
