"""Maps that use no network, (N, H, W) of uint8 images (N, 3, H, W): what a method must beat."""

from collections.abc import Callable

import torch
import torch.nn.functional as F
from torch import Tensor


def uniform(pixels: Tensor) -> Tensor:
    """The same value everywhere."""
    return torch.ones(len(pixels), *pixels.shape[2:])


def centre(pixels: Tensor) -> Tensor:
    """A Gaussian about the image's centre, of standard deviation a quarter of the side."""
    side = pixels.shape[-1]
    place = (torch.arange(side) - (side - 1) / 2) / (side / 4)
    bump = torch.exp(-(place**2) / 2)
    return (bump[:, None] * bump[None]).expand(len(pixels), -1, -1)


def edges(pixels: Tensor) -> Tensor:
    """Sobel's gradient magnitude of the gray image."""
    gray = pixels.float().mean(1, keepdim=True)
    kernel = torch.tensor([[1.0, 0, -1], [2, 0, -2], [1, 0, -1]])[None, None]
    padded = F.pad(gray, (1, 1, 1, 1), mode="replicate")
    return torch.hypot(F.conv2d(padded, kernel), F.conv2d(padded, kernel.mT))[:, 0]


def noise(pixels: Tensor) -> Tensor:
    """Uniform noise, seeded by each image's own pixels, so that it does not depend on the batch."""
    maps = torch.empty(len(pixels), *pixels.shape[2:])
    for image, place in zip(pixels, maps, strict=True):
        place.uniform_(generator=torch.Generator().manual_seed(int(image.long().sum())))
    return maps


BASELINES: dict[str, Callable[[Tensor], Tensor]] = {
    "uniform": uniform,
    "centre": centre,
    "edges": edges,
    "noise": noise,
}
