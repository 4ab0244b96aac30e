"""Image files to one array file on all cores, and the exact statistics of their pixels."""

import contextlib
import hashlib
import multiprocessing
import os
import sys
import warnings
from collections.abc import Callable, Generator
from math import sqrt
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch.utils.data import DataLoader

from tin_lib.data.annotations import SIZE
from tin_lib.process import usable_cores

CHUNK = 128  # images decoded between two writes: 1.6 MB
CHUNKS_A_WORKER = 8  # with fewer, starting a process would cost more than it saves
BLOCK = 256  # pixels; 256 * 255**2 < 2**24, so a block's sum of squares is exact in float32
Progress = Callable[[int, int], None]  # called with images done and in all
Decoder = Callable[[bytearray, str], torch.Tensor]  # images.decode_image or images.decode_any
# gray: bool (N,); digests of the files: SHA-256, uint8 (N, 32); sums, squares: int64 (N, 3).
Decoded = dict[str, np.ndarray]


def decode_files(
    paths: list[str], out: Path, decoder: Decoder, workers: int, report: Callable[[int], None]
) -> Decoded:
    """Decode into ``out``, .npy of uint8 (N, 3, 64, 64), RGB, in at most ``workers`` processes.
    Raises the decoder's ValueError for the first file that it refuses."""
    shape = (len(paths), 3, SIZE, SIZE)  # the .npy file is created sparse and of full size
    offset = np.lib.format.open_memmap(out, mode="w+", dtype=np.uint8, shape=shape).offset

    def write(start: int) -> Decoded | Exception:
        """Decode and write the chunk that begins with file ``start``."""
        try:
            pixels, found = _decode_chunk(paths[start : start + CHUNK], decoder)
            # Not through a memory map: a full disk is then an OSError instead of a bus error, and
            # the output does not count as the process's memory.
            with open(out, "r+b") as file:
                file.seek(offset + start * 3 * SIZE**2)
                file.write(pixels.data)
            return found
        except Exception as error:
            return error  # raised by a worker, it would come with the worker's traceback

    parts: list[Decoded] = []
    starts = range(0, max(len(paths), 1), CHUNK)  # no images are one empty chunk
    # Closed, so that an error, which may be kept for long, does not keep the processes.
    with contextlib.closing(_results(write, starts, workers)) as results:
        for part in results:
            if isinstance(part, Exception):
                raise part
            parts.append(part)
            report(min(len(parts) * CHUNK, len(paths)))
    return {name: np.concatenate([part[name] for part in parts]) for name in parts[0]}


def _results(write: Callable, starts: range, workers: int) -> Generator[Any]:
    """What ``write`` returns for each start, in order. Processes: two threads take 1.4 times as
    long, more no less."""
    forks = sys.platform == "linux" and not multiprocessing.current_process().daemon
    workers = min(workers, len(usable_cores()), len(starts) // CHUNKS_A_WORKER) if forks else 0
    processes: dict[str, Any] = {}
    if workers > 1:
        processes = {"num_workers": workers, "multiprocessing_context": "fork"}
    own = torch.Generator()  # the global one must not depend on what was packed
    loader: Any = DataLoader(starts, None, collate_fn=write, generator=own, **processes)  # type: ignore[arg-type]
    with warnings.catch_warnings():
        # Python 3.12 warns of forking beside threads. These workers use none of the parent's.
        warnings.filterwarnings("ignore", ".*fork", DeprecationWarning)
        iterator = iter(loader)
    try:
        yield from iterator
    except RuntimeError as error:  # what a DataLoader raises for a worker that has died
        killed = "a decoding process was killed, perhaps because memory ran out; pack again"
        raise OSError(killed) from error


def _decode_chunk(paths: list[str], decoder: Decoder) -> tuple[np.ndarray, Decoded]:
    """Return the pixels of some files, uint8 (N, 3, 64, 64), and what is recorded of them."""
    pixels = np.empty((len(paths), 3, SIZE, SIZE), dtype=np.uint8)
    digests, gray = [], []
    for row, path in enumerate(paths):
        data = read(path)
        digests.append(hashlib.sha256(data).digest())
        image = decoder(data, path)
        gray.append(image.shape[0] == 1)
        pixels[row] = image.numpy()  # a single channel is repeated three times
    sums, squares = channel_sums(pixels)
    files = np.frombuffer(b"".join(digests), dtype=np.uint8).reshape(-1, 32)
    found = {"gray": np.array(gray, bool), "digests": files}
    return pixels, found | {"sums": sums, "squares": squares}


def read(path: str) -> bytearray:
    """Return a file's content; OSError names the file."""
    try:
        with open(path, "rb", buffering=0) as file:
            return bytearray(file.read())
    except OSError as error:
        why = "a broken link" if os.path.islink(path) else error.strerror
        raise type(error)(f"{path} cannot be read ({why}); unpack the data again") from None


def channel_sums(images: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Sum and sum of squares per channel, int64 (N, 3), of each image of uint8 (N, 3, 64, 64), by
    sums of blocks in float32, which are exact and several times as fast as integers."""
    blocks = images.reshape(len(images), 3, SIZE**2 // BLOCK, BLOCK).astype(np.float32)
    sums = np.einsum("ncbp->ncb", blocks)  # twice as fast as blocks.sum(3)
    squares = np.einsum("ncbp,ncbp->ncb", blocks, blocks)
    return sums.astype(np.int64).sum(2), squares.astype(np.int64).sum(2)


def mean_std(sums: np.ndarray, squares: np.ndarray, pixels: int) -> tuple[np.ndarray, np.ndarray]:
    """Mean and population deviation, float64 (3,) each, from the sums, int64 (N, 3), of images of
    ``pixels`` pixels; correct to the last digit, since Python's integers are unbounded."""
    count = len(sums) * pixels
    totals = list(zip(sums.sum(0).tolist(), squares.sum(0).tolist()))
    std = [sqrt((count * square - total**2) / count**2) for total, square in totals]
    return np.array([total / count for total, _ in totals]), np.array(std)
