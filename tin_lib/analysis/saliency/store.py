"""Saliency views of a run's images, computed when first needed and kept on disk.

One file for each network, method and split, with a record for each image at a fixed offset; files
are sparse, so that images never shown take no space. Records are read and written by ordinary
calls, which raise an error on a full disk; a memory map would end the process by a bus error (on
tmpfs even when an unwritten part is read). The folder's name has the digest of the
weights, so that nothing is reused after a network is trained again.
"""

import errno
import os
import threading
import zlib
from collections import OrderedDict
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import torch

from tin_lib import augment, runs
from tin_lib.analysis.disk_cache import DiskCache, safe_name
from tin_lib.analysis.saliency.methods import METHODS, explain, unavailable
from tin_lib.analysis.saliency.views import VIEWS, to_uint8
from tin_lib.data import Split

if TYPE_CHECKING:
    from tin_lib.networks import Network

FORMAT = "v3"  # raise it when a method, a view or the layout of a file changes
SIZE = 64  # pixels of an image's side
SHAPE = (7, SIZE, SIZE)  # of an image's views
CHANNELS = {"absolute": slice(0, 1), "positive": slice(1, 4), "negative": slice(4, 7)}
RECORD = 7 * SIZE * SIZE + 4  # bytes of an image: its views and their CRC-32


class NetworkMaps:
    """One network's views of a split's images. Thread-safe.

    ``fit``: the trained network. ``cache``: where to keep what was computed. The class explained
    is the one the fit predicted (its saved logits).
    """

    def __init__(self, fit: runs.Fit, split: Split, cache: DiskCache) -> None:
        self.fit, self.split, self.cache = fit, split, cache
        self.lock = threading.Lock()  # captum's hooks allow one explanation at a time

    @cached_property
    def network(self) -> "Network":
        """The trained network, loaded when first needed."""
        # Channels-last weights are a quarter to a third faster for one image on a CPU.
        return self.fit.network().to(memory_format=torch.channels_last)

    @cached_property
    def unavailable(self) -> dict[str, str]:
        """Methods that cannot explain this network, and why."""
        return unavailable(self.network)

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
    def predicted(self) -> np.ndarray:
        """The predicted class of each image, int64 (N,)."""
        return self.probabilities.argmax(1)

    def views(self, method: str, row: int) -> np.ndarray:
        """The three views of an image, uint8 (7, 64, 64), in the order of CHANNELS."""
        found = self.read(method, row)
        if found is None:
            found = self.compute(method, row)
            self.write(method, row, found)
        return found

    def compute(self, method: str, row: int) -> np.ndarray:
        """Explain an image, uint8 (7, 64, 64)."""
        pixels = torch.from_numpy(np.array(self.split.images[[row]]))
        target = torch.from_numpy(self.predicted[[row]])
        with self.lock:
            inputs = augment.normalise(pixels, self.fit.mean, self.fit.std)
            maps = explain(self.network, inputs, method, target)
        shown = [to_uint8(view(maps))[0] for view in VIEWS.values()]
        return np.concatenate([view.reshape(-1, SIZE, SIZE) for view in shown])

    def path(self, method: str) -> Path | None:
        """The file of one method, in the folder of these weights."""
        if self.cache.folder is None:
            return None
        folder = self.cache.folder / FORMAT / f"{self.fit.name}-{self.fit.digest}"
        return folder / f"{safe_name(self.split.name)}_{safe_name(method)}.maps"

    def read(self, method: str, row: int) -> np.ndarray | None:
        """The stored views of an image, uint8 (7, 64, 64); None if there are none to be read."""
        path = self.path(method)
        record = _read(path, row) if path else b""
        changed = len(record) != RECORD or record[-4:] != _checksum(record[:-4])
        if changed:  # or a hole, or a partial record
            return None
        return np.frombuffer(record, np.uint8, RECORD - 4).reshape(SHAPE).copy()

    def write(self, method: str, row: int, views: np.ndarray) -> None:
        """Keep an image's views, unless a write failed before."""
        path = self.path(method)
        if path is not None and self.cache.writable:
            with self.cache.writing():
                _write(path, row, views.tobytes())


def _read(path: Path, row: int) -> bytes:
    """The record of an image; fewer bytes, or none, where the file ends before it."""
    try:
        with open(path, "rb", buffering=0) as file:
            file.seek(row * RECORD)
            return file.read(RECORD)
    except OSError:
        return b""


def _write(path: Path, row: int, views: bytes) -> None:
    """Write a record; OSError where it has no space."""
    path.parent.mkdir(parents=True, exist_ok=True)
    path.touch()
    with open(path, "r+b", buffering=0) as file:
        file.seek(row * RECORD)
        if file.write(views + _checksum(views)) != RECORD:
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))


def _checksum(views: bytes) -> bytes:
    """CRC-32, four bytes; that of zeros is not 0, which is what a hole of the file has."""
    return zlib.crc32(views).to_bytes(4, "little")


class MapStore:
    """Views of every network of a run, with those read last kept in memory.

    ``folder``: where maps are kept on disk, usually RUN/saliency/maps; None keeps them in memory
    alone. ``keep``: how many images' views stay in memory, 28 KiB each.
    """

    def __init__(
        self, fits: dict[str, runs.Fit], split: Split, folder: Path | None = None, keep: int = 512
    ) -> None:
        self.cache = DiskCache("saliency maps", folder)
        self.networks = {name: NetworkMaps(fit, split, self.cache) for name, fit in fits.items()}
        self.keep = keep
        self.recent: OrderedDict[tuple[str, str, int], np.ndarray] = OrderedDict()
        self.lock = threading.Lock()

    @property
    def problem(self) -> str:
        """Why maps are not kept on disk, a sentence to show; empty while they are."""
        return self.cache.problem

    def get(self, network: str, method: str, row: int) -> np.ndarray:
        """The three views of one image, uint8 (7, 64, 64).

        Raises ValueError for unknown names, and for a method that cannot explain the network.
        """
        key = (network, method, row)
        with self.lock:
            if key in self.recent:
                self.recent.move_to_end(key)
                return self.recent[key]
        views = self.of(network, method).views(method, row)
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
