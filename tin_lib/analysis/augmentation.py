"""Augmentation in notebook 01: Figure 1, and the difference of the two ways to resize a crop.

Three of the paper's techniques are here as functions of a batch; training renders plans instead.
"""

import numpy as np
import torch
from torch import Tensor

from tin_lib import augment
from tin_lib.analysis.arrays import check_pixels, check_shape
from tin_lib.analysis.whole_numbers import whole
from tin_lib.augment import geometry
from tin_lib.augment.draw import uniform
from tin_lib.augment.geometry import KINDS


def crop_resize(
    images: Tensor, top: Tensor, left: Tensor, size: int = 55, resize: str = "spline"
) -> Tensor:
    """A ``size`` x ``size`` crop of each image (n, 3, 64, 64), resized to 64x64, float32.

    ``resize``: "spline" or "author", as in `augment.AugmentSpec`. ``top`` and ``left``: int64 (n,),
    pixels, 0 .. 64 - size; 0 .. 63 - size for "author". Nothing is clipped: the spline overshoots.
    ValueError if an offset is outside (not checked on a GPU, which would have to wait).
    """
    check_shape("images", images, -1, 3, geometry.SIDE, geometry.SIDE)
    offsets = geometry.crop_offsets(size, resize)
    for name, offset in (("top", top), ("left", left)):
        if offset.dtype != torch.int64 or offset.shape != images.shape[:1]:
            raise ValueError(f"{name}: must be int64 ({len(images)},), a number an image")
        inside = images.is_cuda or not len(offset)  # or not looked at
        if not inside and not 0 <= int(offset.min()) <= int(offset.max()) < offsets:
            raise ValueError(f"{name} of a crop of {size} must lie in 0..{offsets - 1}")
    table = geometry.operators(size, resize).to(images.device)
    first = geometry.FIRST_CROP
    return geometry.resample(images, table[first + top], table[first + left])


def contrast(images: Tensor, factor: Tensor) -> Tensor:
    """Each image times its own factor, not clipped; ``factor`` (n,)."""
    check_shape("images", images, -1, -1, -1, -1)
    check_shape("factor", factor, len(images))
    return images * factor[:, None, None, None]


def tint(images: Tensor, colour: Tensor) -> Tensor:
    """One RGB colour added to each image, not clipped; ``colour`` (n, 3)."""
    check_shape("images", images, -1, 3, -1, -1)
    check_shape("colour", colour, len(images), 3)
    return images + colour[:, :, None, None]


def examples(image: np.ndarray, seed: int = 0) -> np.ndarray:
    """Figure 1: an image, and the image under each technique, uint8 (6, 3, 64, 64).

    ``image``: uint8 (3, 64, 64). Parameters are drawn from ``seed``; values are rounded and clipped
    to 0..255 for display.
    """
    generator, spec = torch.Generator().manual_seed(whole("seed", seed)), augment.AugmentSpec()
    check_pixels("image", image, axes=3)
    pixels = torch.from_numpy(np.array(image))[None].float()
    shown = [pixels, pixels.flip(3), pixels.flip(2)]  # mirrored; upside down
    shown += [crop_resize(pixels, *augment.draw_offsets(1, generator))]
    shown += [contrast(pixels, uniform(1, spec.contrast, generator))]
    shown += [tint(pixels, uniform(3, spec.tint, generator)[None])]
    return torch.cat(shown).round().clamp(0, 255).to(torch.uint8).numpy()


def resize_difference(images: np.ndarray, size: int = 55, seed: int = 0) -> float:
    """Mean absolute difference, in levels of 0..255, of the two ways to resize the same crops.

    ``images``: uint8 (N, 3, 64, 64), one random crop of each; values are clipped to 0..255 first.
    """
    generator = torch.Generator().manual_seed(whole("seed", seed))
    check_pixels("images", images)
    offsets = augment.draw_offsets(len(images), generator, size, "author")
    pixels = torch.from_numpy(np.array(images)).float()
    spline, author = (crop_resize(pixels, *offsets, size, kind).clamp_(0, 255) for kind in KINDS)
    return float((spline - author).abs().mean(dtype=torch.float64))
