"""Images computed from parameters that can be optimised, and what keeps them smooth.

After the ``param`` and ``transform`` modules of tensorflow/lucid (Olah et al., "Feature
Visualization", Distill, 2017).
"""

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor

from tin_lib.networks.base import SIZE

# Square root of the covariance of ImageNet's colours (the constants that lucid publishes), scaled
# to a largest column norm of 1: independent numbers become colours as natural images mix them.
_ROOT = torch.tensor([[0.26, 0.09, 0.02], [0.27, 0.00, -0.05], [0.27, -0.09, 0.03]])
COLOURS = _ROOT / _ROOT.norm(dim=0).max()
NOISE = 0.01  # standard deviation of the starting values


def noise(parametrisation: str, filters: np.ndarray, seed: int) -> Tensor:
    """Starting values for each filter: (K, 3, 64, 33, 2) for ``fourier``, else (K, 3, 64, 64).

    Each filter has its own generator, so that its image does not depend on which other filters
    are optimised with it.
    """
    shape = (3, SIZE, SIZE // 2 + 1, 2) if parametrisation == "fourier" else (3, SIZE, SIZE)
    draws = []
    for index in filters:
        generator = torch.Generator().manual_seed(seed * 1_000_003 + int(index))
        draws.append(torch.randn(shape, generator=generator) * NOISE)
    return torch.stack(draws)


def to_images(parametrisation: str, values: Tensor, blur: float) -> Tensor:
    """The images (K, 3, 64, 64) in 0..1 of parameters ``values`` (see ``noise``)."""
    logits = _from_spectrum(values) if parametrisation == "fourier" else values
    if blur > 0:
        logits = gaussian(logits, blur)
    return torch.sigmoid(logits)


def _from_spectrum(values: Tensor) -> Tensor:
    """Scale a spectrum by 1/frequency, as natural images have it, and mix its colours."""
    rows = torch.fft.fftfreq(SIZE, device=values.device)[:, None]
    columns = torch.fft.rfftfreq(SIZE, device=values.device)[None]
    frequency = (rows**2 + columns**2).sqrt().clamp(min=1 / SIZE)  # (64, 33) cycles a pixel
    # lucid's constants: times the side, over 4, gives a contrast that a sigmoid can hold.
    spectrum = torch.view_as_complex(values) * (SIZE / frequency)
    planes = torch.fft.irfft2(spectrum, s=(SIZE, SIZE)) / 4  # (K, 3, 64, 64)
    return torch.einsum("cd,kdhw->kchw", COLOURS.to(values.device), planes)


def gaussian(images: Tensor, sigma: float) -> Tensor:
    """Blur (K, C, H, W) by a Gaussian of ``sigma`` pixels, edges repeated."""
    radius = max(1, round(3 * sigma))
    offsets = torch.arange(-radius, radius + 1, device=images.device, dtype=images.dtype)
    bell = torch.exp(-(offsets**2) / (2 * sigma**2))
    bell = (bell / bell.sum()).expand(images.shape[1], 1, -1)  # (C, 1, taps), one for each channel
    padded = F.pad(images, (radius, radius, radius, radius), mode="replicate")
    rows = F.conv2d(padded, bell[:, :, None], groups=images.shape[1])
    return F.conv2d(rows, bell[..., None], groups=images.shape[1])


def shift(images: Tensor, jitter: int, generator: torch.Generator) -> Tensor:
    """Shift all images by up to ``jitter`` pixels, cyclically."""
    if jitter == 0:
        return images
    down, right = torch.randint(-jitter, jitter + 1, (2,), generator=generator).tolist()
    return images.roll((down, right), dims=(2, 3))


def total_variation(images: Tensor) -> Tensor:
    """Mean absolute difference of neighbouring pixels, (K,), of images (K, C, H, W)."""
    vertical = images.diff(dim=2).abs().mean(dim=(1, 2, 3))
    horizontal = images.diff(dim=3).abs().mean(dim=(1, 2, 3))
    return vertical + horizontal
