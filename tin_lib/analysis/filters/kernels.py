"""First-layer kernels as pictures."""

from typing import TYPE_CHECKING

import numpy as np
from torch import Tensor

from tin_lib.analysis.arrays import check_finite
from tin_lib.analysis.layers import weight

if TYPE_CHECKING:
    from tin_lib.networks import Network


def kernel_images(kernels: Tensor, shared: bool = False) -> np.ndarray:
    """Kernels (K, 3, h, w) as uint8 pictures of that shape: zero is mid gray (128).

    Each kernel is scaled by its own largest magnitude, or all by one (``shared=True``), which
    shows weak filters as gray. Raises ValueError for kernels that do not see three colours.
    """
    if kernels.ndim != 4 or kernels.shape[1] != 3:
        raise ValueError(
            f"kernels: only those that see R, G and B are pictures, not {tuple(kernels.shape)}; "
            "show other layers by activation maximisation (filters.maximise)"
        )
    check_finite("kernels", kernels)
    axes = (0, 1, 2, 3) if shared else (1, 2, 3)
    values = kernels.detach().cpu().numpy()
    largest = np.abs(values).max(axis=axes, keepdims=True)
    scaled = values / np.where(largest > 0, largest, 1.0)  # a kernel of zeros is all gray
    return np.rint(128 + 127 * scaled).astype(np.uint8)


def first_layer(network: "Network", shared: bool = False) -> np.ndarray:
    """The network's first-layer kernels as uint8 pictures (K, 3, h, w). See ``kernel_images``."""
    return kernel_images(weight(network, "first"), shared)
