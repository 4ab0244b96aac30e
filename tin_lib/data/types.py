"""A split, on disk or on a device, and the data set of all splits."""

from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor

CHUNK = 4096  # images copied at a time, so that the copy needs no second array


class Mapped(np.memmap):
    """A memory map that is read only while its file has its size: reading behind the end of a file
    that was cut would end the process by a bus error. Indexing raises OSError instead."""

    def __getitem__(self, rows: Any) -> Any:
        memory = self._mmap  # type: ignore[attr-defined]
        if memory is not None and memory.size() < len(memory):
            raise OSError(f"{self.filename} was truncated while it was open; run again")
        found = super().__getitem__(rows)
        copied = isinstance(found, Mapped) and found._mmap is None  # type: ignore[attr-defined]
        return found.view(np.ndarray) if copied else found


@dataclass(frozen=True, eq=False)
class Split:
    """One part of the data set; row i of every column describes the same image.

    Attributes:
        name: ``train``, ``heldout``, ``val`` or ``test``.
        images: uint8 (N, 3, 64, 64), RGB, 0..255; a read-only memory map of the packed file, or an
            array in memory for a subset. Indexing the map raises OSError if the file was cut.
        labels: int64 (N,), index into ``class_ids``; -1 for none (test).
        files: str (N,), base names such as ``val_0.JPEG``; ``cat/0.png`` if two are the same.
        boxes: int16 (N, 4), x0, y0, x1, y1 in pixels, both ends inclusive; -1 for none.
        gray: bool (N,), whether the file was grayscale.
    """

    name: str
    images: np.ndarray
    labels: np.ndarray
    files: np.ndarray
    boxes: np.ndarray
    gray: np.ndarray

    def __len__(self) -> int:
        return len(self.labels)

    def select(self, rows: np.ndarray) -> "Split":
        """Return the given rows (indices, int (M,), or a mask, bool (N,)), copied to memory."""
        columns = ("images", "labels", "files", "boxes", "gray")
        return replace(self, **{name: getattr(self, name)[rows] for name in columns})

    def one(self, row: int) -> "Split":
        """Return one image as a split of its own, copied to memory; ValueError for no such row."""
        if not 0 <= row < len(self):
            raise ValueError(f"image {row}: {self.name} has images 0 to {len(self) - 1}")
        return self.select(np.array([row]))


@dataclass(frozen=True, eq=False)
class TinyImageNet:
    """The data set, or a subset of it, opened by ``open_data``.

    Attributes:
        root: the data folder.
        class_ids: sorted, e.g. WordNet ids; without blanks. The class order of labels and logits.
        class_names: names in class order, e.g. ``goldfish, Carassius auratus``.
        fingerprint: 64 hex digits that depend on the contents and on the subset, not on the path.
        mean, std: of the training images per channel, population, float64 (3,), 0..255 units.
        train, heldout, val, test: the splits; ``heldout`` is None unless a part was held out.
        request: the arguments of ``open_data`` that open the same images again, as JSON values.
    """

    root: Path
    class_ids: tuple[str, ...]
    class_names: tuple[str, ...]
    fingerprint: str
    mean: np.ndarray
    std: np.ndarray
    train: Split
    heldout: Split | None
    val: Split
    test: Split
    request: dict[str, Any] = field(default_factory=dict)

    @property
    def num_classes(self) -> int:
        """Number of classes."""
        return len(self.class_ids)

    @property
    def splits(self) -> dict[str, Split]:
        """The splits that there are, by name, training first."""
        present = (self.train, self.heldout, self.val, self.test)
        return {split.name: split for split in present if split is not None}

    def split(self, name: str) -> Split:
        """Return the split of that name; ValueError lists the known ones."""
        if name in self.splits:
            return self.splits[name]
        known = ", ".join(self.splits)
        hint = "; open the data with holdout=0.1 for one" if name == "heldout" else ""
        raise ValueError(f"there is no split {name!r}: known are {known}{hint}")


@dataclass(frozen=True, eq=False)
class Resident:
    """``images`` uint8 N×3×64×64 (in channels-last memory if asked) and ``labels`` int64 N."""

    images: Tensor
    labels: Tensor


def to_device(split: Split, device: torch.device, channels_last: bool) -> Resident:
    """Copy a split to the device, once, in the memory order that training wants."""
    order = torch.channels_last if channels_last else torch.contiguous_format
    shape = split.images.shape
    images = torch.empty(shape, dtype=torch.uint8, device=device, memory_format=order)
    for start in range(0, len(split), CHUNK):
        chunk = torch.from_numpy(np.array(split.images[start : start + CHUNK]))
        images[start : start + CHUNK].copy_(chunk.to(device))
    return Resident(images, torch.from_numpy(np.array(split.labels)).to(device))
