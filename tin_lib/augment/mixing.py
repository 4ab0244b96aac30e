"""Mixup and CutMix: pairs of images of one batch become one.

The partner of item 2k is item 2k + 1 and the other way round (the order is shuffled anyway), so
processes that hold even, contiguous shares of a batch mix the same pairs as one process does.
"""

import math
from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor


@dataclass(frozen=True)
class Mixing:
    """How a batch is mixed, as plain Python numbers, so that nothing waits for a GPU."""

    share: float = 1.0  # of an image itself
    box: tuple[int, int, int, int] | None = None  # its partner's: y0, y1, x0, x1, ends excluded


def draw_mixing(
    rng: np.random.Generator, mixup: float = 0.0, cutmix: float = 0.0, side: int = 64
) -> Mixing:
    """Draws for one batch: a share ~ Beta(a, a) with a = ``mixup`` or ``cutmix``.

    With both above 0, either with probability 1/2; with neither, nothing is mixed. ValueError for a
    negative value. Zhang et al. 2018 (mixup), Yun et al. 2019 (CutMix).
    """
    if not (0 <= mixup < math.inf and 0 <= cutmix < math.inf):
        raise ValueError(f"mixup and cutmix must be >= 0, not {mixup} and {cutmix}")
    if not mixup and not cutmix:
        return Mixing()
    use_cutmix = cutmix > 0 and (mixup == 0 or rng.random() < 0.5)
    alpha = cutmix if use_cutmix else mixup
    share = float(rng.beta(alpha, alpha))
    if not use_cutmix:
        return Mixing(share)
    # A square box of area 1 - share about a random centre, cut at the border.
    half = side * math.sqrt(1 - share) / 2
    y, x = rng.integers(0, side, size=2)
    y0, y1, x0, x1 = (max(min(round(at + to), side), 0) for at in (y, x) for to in (-half, half))
    return Mixing(1 - (y1 - y0) * (x1 - x0) / side**2, (y0, y1, x0, x1))


def mix(images: Tensor, labels: Tensor, mixing: Mixing) -> tuple[Tensor, Tensor]:
    """Mixes every image (n, 3, H, W) with its neighbour; ``labels`` int64 (n,).

    Returns the images and the neighbours' labels (``partners``): the loss of the batch is
    ``share * loss(labels) + (1 - share) * loss(partners)``.
    """
    if images.ndim != 4 or labels.shape != images.shape[:1]:
        raise ValueError(f"{tuple(labels.shape)} labels for images {tuple(images.shape)}")
    partner = (torch.arange(len(images), device=images.device) ^ 1).clamp_(max=len(images) - 1)
    mixed = images
    if mixing.box:
        y0, y1, x0, x1 = mixing.box
        mixed = images.clone()
        mixed[:, :, y0:y1, x0:x1] = images[partner, :, y0:y1, x0:x1]
    elif mixing.share < 1:
        mixed = torch.lerp(images[partner], images, mixing.share)
    return mixed, labels[partner]
