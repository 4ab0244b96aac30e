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
    n, c, h, w = split.images.shape
    shape = (n, h, w, c) if channels_last else (n, c, h, w)
    store = torch.empty(shape, dtype=torch.uint8, device=device)
    images = store.permute(0, 3, 1, 2) if channels_last else store  # always seen as N×C×H×W
    for start in range(0, n, CHUNK):
        chunk = torch.from_numpy(np.array(split.images[start : start + CHUNK]))
        images[start : start + CHUNK].copy_(chunk.to(device))
    return Resident(images, torch.from_numpy(np.array(split.labels)).to(device))
