"""Images to show to a network, with its normalisation."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
import torch
from torch import Tensor

from tin_lib import augment

if TYPE_CHECKING:
    from tin_lib.data import Split


@dataclass(frozen=True, eq=False)
class Images:
    """Images with labels and the normalisation of the network that will see them.

    ``pixels`` uint8 (N, 3, 64, 64), may be a memory map; ``labels`` int64 (N,), -1 where unknown;
    ``mean`` and ``std`` float32 (3,) in 0..255 units.
    """

    pixels: np.ndarray
    labels: np.ndarray
    mean: Tensor
    std: Tensor

    def __len__(self) -> int:
        return len(self.labels)

    def batches(self, size: int, device: torch.device) -> Iterator[tuple[int, Tensor]]:
        """Yield (first row, normalised float32 (B, 3, 64, 64)) one batch at a time."""
        mean, std = self.mean.to(device), self.std.to(device)
        for first in range(0, len(self), size):
            # np.array copies: torch must not alias a read-only memory map.
            pixels = torch.from_numpy(np.array(self.pixels[first : first + size]))
            yield first, augment.normalise(pixels.to(device), mean, std)


def images_of_split(
    split: "Split",
    mean: Sequence[float] | np.ndarray | Tensor,
    std: Sequence[float] | np.ndarray | Tensor,
    limit: int | None = None,
) -> Images:
    """All images of a split, or ``limit`` of them evenly spread over it.

    ``mean`` and ``std``: 3 values each, 0..255 units, as the network was trained with. Raises
    ValueError for a limit below 1.
    """
    mean = torch.as_tensor(mean, dtype=torch.float32)
    std = torch.as_tensor(std, dtype=torch.float32)
    if limit is None or limit >= len(split):
        return Images(split.images, split.labels, mean, std)
    rows = evenly_spread(len(split), limit)
    return Images(split.images[rows], split.labels[rows], mean, std)


def evenly_spread(count: int, limit: int) -> np.ndarray:
    """``limit`` rows evenly spread over ``count``, int64, or all of them.

    Raises ValueError for a limit below 1.
    """
    if limit < 1:
        raise ValueError(f"images: {limit} are too few to look at; give at least one")
    if limit >= count:
        return np.arange(count)
    return np.linspace(0, count - 1, limit).round().astype(np.int64)
