"""The images whose explanations are measured."""

from collections.abc import Iterator
from dataclasses import dataclass, replace

import numpy as np
import torch
from torch import Tensor

from tin_lib import augment
from tin_lib.data import Split


@dataclass(frozen=True, eq=False)
class ExplainedImages:
    """Images to explain.

    ``pixels`` uint8 (N, 3, 64, 64); ``mean`` and ``std`` float32 (3,) in 0..255 units; ``inside``
    bool (N, 64, 64), True within the object's box, or None without boxes; ``device``: where the
    networks are.
    """

    pixels: np.ndarray
    mean: Tensor
    std: Tensor
    inside: Tensor | None
    device: torch.device | str = "cpu"

    def __len__(self) -> int:
        return len(self.pixels)

    @property
    def inputs(self) -> Tensor:
        """Normalised float32 (N, 3, 64, 64) on the device."""
        pixels = torch.from_numpy(self.pixels)
        return augment.normalise(pixels, self.mean, self.std).to(self.device)

    def batches(self, size: int) -> Iterator["ExplainedImages"]:
        """The images ``size`` at a time."""
        for first in range(0, len(self), size):
            part = slice(first, first + size)
            inside = None if self.inside is None else self.inside[part]
            yield replace(self, pixels=self.pixels[part], inside=inside)


def images_to_explain(
    split: Split,
    mean: Tensor,
    std: Tensor,
    limit: int | None = None,
    device: torch.device | str = "cpu",
) -> ExplainedImages:
    """The images of a split that have a box, or all if none has; ``limit`` evenly spread of them.

    ``mean`` and ``std``: as the networks were trained with. ``device``: where the networks are.
    Raises ValueError for an empty split or a limit below 1.
    """
    boxed = (np.asarray(split.boxes) >= 0).all(1)
    rows = np.flatnonzero(boxed) if boxed.any() else np.arange(len(split))
    if not len(rows) or (limit is not None and limit < 1):
        raise ValueError(f"no image of {split.name} to explain; give at least one")
    if limit is not None and limit < len(rows):
        rows = rows[np.arange(limit) * len(rows) // limit]
    pixels = np.array(split.images[rows])
    boxes = torch.from_numpy(np.array(split.boxes[rows])).long()
    inside = box_mask(boxes, pixels.shape[-1]) if boxed.any() else None
    return ExplainedImages(pixels, mean, std, inside, device)


def box_mask(boxes: Tensor, side: int) -> Tensor:
    """Inside of boxes int64 (N, 4) x0, y0, x1, y1 (inclusive): bool (N, side, side)."""
    place = torch.arange(side)
    x0, y0, x1, y1 = boxes[:, :, None].unbind(1)
    rows, columns = (place >= y0) & (place <= y1), (place >= x0) & (place <= x1)
    return rows[:, :, None] & columns[:, None, :]
