"""Augmentation in notebook 01: Figure 1, and the difference of the two ways to resize a crop."""

import numpy as np
import torch

from tin_lib import augment
from tin_lib.augment.draw import uniform
from tin_lib.augment.geometry import KINDS


def examples(image: np.ndarray, seed: int = 0) -> np.ndarray:
    """Figure 1: an image, and the image under each technique, uint8 (6, 3, 64, 64).

    ``image``: uint8 (3, 64, 64). Parameters are drawn from ``seed``; values are rounded and clipped
    to 0..255 for display.
    """
    generator, spec = torch.Generator().manual_seed(seed), augment.AugmentSpec()
    pixels = torch.from_numpy(np.array(image))[None].float()
    shown = [pixels, pixels.flip(3), pixels.flip(2)]  # mirrored; upside down
    shown += [augment.crop_resize(pixels, *augment.draw_offsets(1, generator))]
    shown += [augment.contrast(pixels, uniform(1, spec.contrast, generator))]
    shown += [augment.tint(pixels, uniform(3, spec.tint, generator)[None])]
    return torch.cat(shown).round().clamp(0, 255).to(torch.uint8).numpy()


def resize_difference(images: np.ndarray, size: int = 55, seed: int = 0) -> float:
    """Mean absolute difference, in levels of 0..255, of the two ways to resize the same crops.

    ``images``: uint8 (N, 3, 64, 64), one random crop of each; values are clipped to 0..255 first.
    """
    generator = torch.Generator().manual_seed(seed)
    offsets = augment.draw_offsets(len(images), generator, size, "author")
    pixels = torch.from_numpy(np.array(images)).float()
    spline, author = (
        augment.crop_resize(pixels, *offsets, size, kind).clamp_(0, 255) for kind in KINDS
    )
    return float((spline - author).abs().mean(dtype=torch.float64))
