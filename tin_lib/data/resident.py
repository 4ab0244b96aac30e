"""A split on the device: one copy of its uint8 pixels, from which batches are gathered."""

from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor

from tin_lib.data.types import Split

CHUNK = 4096  # images copied at a time, so that the copy needs no second array


@dataclass(frozen=True, eq=False)
class Resident:
    """``images`` uint8 N×3×64×64 (in channels-last memory if asked) and ``labels`` int64 N."""

    images: Tensor
    labels: Tensor

    def __len__(self) -> int:
        return len(self.labels)


def to_device(split: Split, device: torch.device, channels_last: bool) -> Resident:
    """Copy a split to the device, once, in the memory order that training wants."""
    order = torch.channels_last if channels_last else torch.contiguous_format
    shape = split.images.shape
    images = torch.empty(shape, dtype=torch.uint8, device=device, memory_format=order)
    for start in range(0, len(split), CHUNK):
        chunk = torch.from_numpy(np.array(split.images[start : start + CHUNK]))
        images[start : start + CHUNK].copy_(chunk.to(device))
    return Resident(images, torch.from_numpy(np.array(split.labels)).to(device))
