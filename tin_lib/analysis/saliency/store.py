"""Saliency views of a run's images, computed when first asked for and kept on disk.

One file a network, method and split: a record an image, memory-mapped, so that nothing but what is
looked at is read. The files are sparse: what nobody asked for takes no room. A folder carries the
digest of the weights, so that a network trained again starts afresh.
"""

import contextlib
import threading
from collections import OrderedDict
from collections.abc import Callable, Sequence
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Literal

import numpy as np
import torch

from tin_lib import augment, files, runs
from tin_lib.analysis.saliency.methods import METHODS, explain
from tin_lib.analysis.saliency.views import VIEWS, to_uint8
from tin_lib.data import Split

if TYPE_CHECKING:
    from tin_lib.networks import Network

FORMAT = "v1"  # raise it when a method or view changes its values
SIZE = 64  # pixels of an image's side
CHANNELS = {"absolute": slice(0, 1), "positive": slice(1, 4), "negative": slice(4, 7)}
RECORD = np.dtype([("done", "u1"), ("views", "u1", (7, SIZE, SIZE))])
BATCH = 32  # images explained at a time by ``precompute``


class NetworkMaps:
    """One network's views of a split's images. Thread-safe.

    ``fit``: the trained network. ``folder``: where to keep what was computed; None keeps nothing.
    The class explained is the one the fit predicted (its saved logits).
    """

    def __init__(self, fit: runs.Fit, split: Split, folder: Path | None = None) -> None:
        self.fit, self.split, self.folder = fit, split, folder
        self.lock = threading.Lock()  # captum's hooks allow one explanation at a time

    @cached_property
    def network(self) -> "Network":
        """The trained network, loaded when first needed."""
        # Its weights channels last too: a quarter to a third faster for one image on a CPU.
        return self.fit.network().to(memory_format=torch.channels_last)

    @cached_property
    def probabilities(self) -> np.ndarray:
        """Float32 (N, classes), from the fit's saved logits."""
        logits = self.fit.logits(self.split.name)
        if len(logits) != len(self.split):
            raise ValueError(
                f"{self.fit.path} predicted {len(logits)} images of {self.split.name}, but the "
                f"data hold {len(self.split)}; pass the data it was trained on"
            )
        return torch.from_numpy(np.array(logits)).softmax(1).numpy()

    @cached_property
    def winners(self) -> np.ndarray:
        """The predicted class of each image, int64 (N,)."""
        return self.probabilities.argmax(1)

    @cached_property
    def place(self) -> Path | None:
        """The folder of these very weights."""
        if self.folder is None:
            return None
        return self.folder / FORMAT / f"{self.fit.name}-{self.fit.digest}"

    def views(self, method: str, rows: Sequence[int]) -> np.ndarray:
        """The three views of images, uint8 (N, 7, 64, 64); CHANNELS says which is where."""
        found = [self.read(method, row) for row in rows]
        missing = [row for row, views in zip(rows, found) if views is None]
        if missing:
            made = dict(zip(missing, self.compute(method, missing)))
            self.write(method, made)
            found = [made[row] if v is None else v for row, v in zip(rows, found)]
        return np.stack([views for views in found if views is not None])

    def compute(self, method: str, rows: Sequence[int]) -> np.ndarray:
        """Explain images, uint8 (N, 7, 64, 64)."""
        pixels = torch.from_numpy(np.array(self.split.images[list(rows)]))
        target = torch.from_numpy(self.winners[list(rows)])
        with self.lock:
            inputs = augment.normalise(pixels, self.fit.mean, self.fit.std)
            maps = explain(self.network, inputs, method, target)
        return np.concatenate([_channels(to_uint8(view(maps))) for view in VIEWS.values()], axis=1)

    def path(self, method: str) -> Path | None:
        """The file of one method."""
        return self.place / f"{self.split.name}_{method}.npy" if self.place else None

    def read(self, method: str, row: int) -> np.ndarray | None:
        """What is kept of an image, uint8 (7, 64, 64); None where it was not computed yet."""
        path = self.path(method)
        # Mapped anew each time: what was read does not stay in this process's memory.
        records = _open(path, "r", len(self.split)) if path else None
        if records is None or not records[row]["done"]:
            return None
        return np.array(records[row]["views"])

    def write(self, method: str, made: dict[int, np.ndarray]) -> None:
        """Keep views; a folder that cannot be written to is left alone."""
        path = self.path(method)
        if path is None:
            return
        with contextlib.suppress(PermissionError):
            records = _open(path, "r+", len(self.split))
            if records is None:
                _create(path, len(self.split))
                records = np.load(path, mmap_mode="r+", allow_pickle=False)
            for row, views in made.items():
                records[row]["views"] = views
                records[row]["done"] = 1  # last, so that no reader takes half an image


def _channels(view: np.ndarray) -> np.ndarray:
    """(N, H, W) as (N, 1, H, W); (N, 3, H, W) as it is."""
    return view[:, None] if view.ndim == 3 else view


def _open(path: Path, mode: Literal["r", "r+"], count: int) -> np.ndarray | None:
    """Map a file; None where there is none, or not one that holds ``count`` of our records."""
    try:
        records = np.load(path, mmap_mode=mode, allow_pickle=False)
    except (FileNotFoundError, ValueError, EOFError):
        return None
    return records if records.dtype == RECORD and len(records) == count else None


def _create(path: Path, count: int) -> None:
    """A file of records none of which is done."""
    with files.atomic_path(path) as temporary:
        np.lib.format.open_memmap(temporary, "w+", RECORD, (count,)).flush()


class MapStore:
    """Views of every network of a run, with the last ones read kept in memory.

    ``folder``: where maps are kept on disk, usually RUN/saliency/maps; None keeps them in memory
    alone. ``keep``: how many images' views stay in memory, 28 KiB each.
    """

    def __init__(
        self, fits: dict[str, runs.Fit], split: Split, folder: Path | None = None, keep: int = 512
    ) -> None:
        self.networks = {name: NetworkMaps(fit, split, folder) for name, fit in fits.items()}
        self.keep = keep
        self.recent: OrderedDict[tuple[str, str, int], np.ndarray] = OrderedDict()
        self.lock = threading.Lock()

    def get(self, network: str, method: str, row: int) -> np.ndarray:
        """The three views of one image, uint8 (7, 64, 64). ValueError for unknown names."""
        key = (network, method, row)
        with self.lock:
            if key in self.recent:
                self.recent.move_to_end(key)
                return self.recent[key]
        views = self.of(network, method).views(method, [row])[0]
        with self.lock:
            self.recent[key] = views
            while len(self.recent) > self.keep:
                self.recent.popitem(last=False)
        return views

    def of(self, network: str, method: str = "gradient") -> NetworkMaps:
        """One network's maps; ValueError lists the known networks or methods."""
        if network not in self.networks:
            known = ", ".join(self.networks)
            raise ValueError(f"network={network!r}: the run has {known}")
        if method not in METHODS:
            raise ValueError(f"method={method!r}: choose one of {', '.join(METHODS)}")
        return self.networks[network]

    def precompute(
        self,
        method: str,
        rows: Sequence[int],
        progress: Callable[[int, int], None] | None = None,
    ) -> None:
        """Compute and keep every network's maps of images, a batch at a time."""
        total = len(self.networks) * len(rows)
        for number, network in enumerate(self.networks):
            for first in range(0, len(rows), BATCH):
                batch = rows[first : first + BATCH]
                self.of(network, method).views(method, batch)
                if progress:
                    progress(number * len(rows) + first + len(batch), total)
