"""The paper's five augmentation techniques, on whole batches.

Every function takes images (n, 3, 64, 64) on any device, pixels in 0..255 (float; flips also
uint8), and returns new ones. Nothing is clipped: an image may leave 0..255 by contrast and tint,
and by the overshoot of the spline. Source: the paper's section on augmentation.
"""

from __future__ import annotations

import numpy as np
import torch
from torch import Tensor

from tin_lib.augment.geometry import FIRST_CROP, crop_offsets, operators, resample
from tin_lib.augment.resize import KINDS

CONTRAST = (0.8, 1.2)  # the paper's factors
TINT = (-5.0, 5.0)  # what the paper adds to a channel, 0..255 scale


def flip_vertical_axis(images: Tensor) -> Tensor:
    """Mirrored: left becomes right."""
    return images.flip(-1)


def flip_horizontal_axis(images: Tensor) -> Tensor:
    """Upside down."""
    return images.flip(-2)


def crop_resize(
    images: Tensor, top: Tensor, left: Tensor, size: int = 55, resize: str = "spline"
) -> Tensor:
    """A ``size`` x ``size`` crop of each image, resized to 64x64 as `resize_matrix` does.

    ``top`` and ``left``: int64 (n,), pixels, 0 .. 64 - size; 0 .. 63 - size for "author". Float
    images; returns float32. ValueError if an offset is outside (not checked on a GPU, which would
    have to wait).
    """
    offsets = crop_offsets(size, resize)
    if not images.is_cuda:
        for name, offset in (("top", top), ("left", left)):
            if len(offset) and not 0 <= int(offset.min()) <= int(offset.max()) < offsets:
                raise ValueError(f"{name} of a crop of {size} must lie in 0..{offsets - 1}")
    table = operators(size, resize).to(images.device)
    return resample(images, table[FIRST_CROP + top], table[FIRST_CROP + left])


def resize_difference(images: np.ndarray, size: int = 55, seed: int = 0) -> float:
    """Mean absolute difference, in levels of 0..255, of the two ways to resize the same crops.

    ``images``: uint8 (N, 3, 64, 64), one random crop of each; values are cut to 0..255 first.
    """
    generator = torch.Generator().manual_seed(seed)
    offsets = draw_offsets(len(images), generator, size, "author")
    pixels = torch.from_numpy(np.array(images)).float()
    spline, author = (crop_resize(pixels, *offsets, size, kind).clamp_(0, 255) for kind in KINDS)
    return float((spline - author).abs().mean(dtype=torch.float64))


def contrast(images: Tensor, factor: Tensor) -> Tensor:
    """Each image times its own factor; ``factor`` (n,)."""
    return images * factor[:, None, None, None]


def tint(images: Tensor, colour: Tensor) -> Tensor:
    """One RGB colour added to each image; ``colour`` (n, 3)."""
    return images + colour[:, :, None, None]


def draw_offsets(
    n: int, generator: torch.Generator, size: int = 55, resize: str = "spline"
) -> tuple[Tensor, Tensor]:
    """``top`` and ``left`` of n crops, int64 (n,) each, uniform over all `crop_offsets`."""
    top, left = torch.randint(crop_offsets(size, resize), (2, n), generator=generator)
    return top, left


def uniform(n: int, bounds: tuple[float, float], generator: torch.Generator) -> Tensor:
    """Numbers (n,), float32, uniform between the bounds."""
    return torch.empty(n).uniform_(*bounds, generator=generator)


def examples(image: np.ndarray, seed: int = 0) -> np.ndarray:
    """Figure 1: an image, and the image under each technique, uint8 (6, 3, 64, 64).

    ``image``: uint8 (3, 64, 64). Parameters are drawn from ``seed``; values are rounded and cut to
    0..255 for display.
    """
    generator = torch.Generator().manual_seed(seed)
    pixels = torch.from_numpy(np.array(image))[None].float()
    shown = [pixels, flip_vertical_axis(pixels), flip_horizontal_axis(pixels)]
    shown += [crop_resize(pixels, *draw_offsets(1, generator))]
    shown += [contrast(pixels, uniform(1, CONTRAST, generator))]
    shown += [tint(pixels, uniform(3, TINT, generator)[None])]
    return torch.cat(shown).round().clamp(0, 255).to(torch.uint8).numpy()
