"""Image files to one packed array file, on all cores, in memory that does not grow."""

import contextlib
import errno
import hashlib
import multiprocessing
import os
import sys
import warnings
from collections.abc import Callable, Generator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch.utils.data import DataLoader, Dataset

from tin_lib.data import images
from tin_lib.data.annotations import SIZE
from tin_lib.data.stats import channel_sums
from tin_lib.process import usable_cores

CHUNK = 128  # images decoded between two writes: 1.6 MB
CHUNKS_A_WORKER = 8  # with fewer, starting a process would cost more than it saves
IMAGE_BYTES = 3 * SIZE * SIZE
Progress = Callable[[int, int], None]  # called with images done and in all
Decoder = Callable[[bytearray, str], torch.Tensor]  # images.decode_image or images.decode_any
# Recorded of each image: gray, bool (N,); digests of the files, SHA-256 as uint8 (N, 32); sums and
# squares of the pixels, int64 (N, 3).
Decoded = dict[str, np.ndarray]


def decode_files(
    paths: list[str], out: Path, decoder: Decoder, workers: int, progress: Progress
) -> Decoded:
    """Decode the files into ``out``, a .npy file of uint8 (N, 3, 64, 64), RGB.

    ``workers``: processes at most; only this one where processes cannot fork. Raises the decoder's
    ValueError for the first file that it refuses.
    """
    shape = (len(paths), 3, SIZE, SIZE)  # the .npy file is created sparse and of full size
    offset = np.lib.format.open_memmap(out, mode="w+", dtype=np.uint8, shape=shape).offset
    parts = [_decode_chunk([], decoder, -1, 0)]
    done = 0
    with open(out, "r+b") as file, contextlib.ExitStack() as stack:
        chunks = _Chunks(paths, decoder, file.fileno(), offset)
        # Closed, so that an error, which may be kept for long, does not keep the processes.
        for part in stack.enter_context(contextlib.closing(_in_processes(chunks, workers))):
            if isinstance(part, Exception):
                raise part
            parts.append(part)
            done += len(part["gray"])
            progress(done, len(paths))
    return {name: np.concatenate([part[name] for part in parts]) for name in parts[0]}


@dataclass(frozen=True, eq=False)
class _Chunks(Dataset):
    """Decodes and writes chunk ``index`` when it is asked for."""

    paths: list[str]
    decoder: Decoder
    handle: int
    offset: int

    def __len__(self) -> int:
        return -(-len(self.paths) // CHUNK)

    def __getitem__(self, index: int) -> Decoded | Exception:
        start = index * CHUNK
        paths, position = self.paths[start : start + CHUNK], self.offset + start * IMAGE_BYTES
        try:
            return _decode_chunk(paths, self.decoder, self.handle, position)
        except Exception as error:
            return error  # raised by a worker, it would come with the worker's traceback


def _in_processes(chunks: _Chunks, workers: int) -> Generator[Any]:
    """Yield the result of each chunk, in order.

    Processes, since threads wait for Python's lock five times a file: two threads take 1.4 times as
    long as two processes, and more threads are no faster.
    """
    forks = sys.platform == "linux" and not multiprocessing.current_process().daemon
    cores = len(usable_cores())
    workers = min(workers, cores, len(chunks) // CHUNKS_A_WORKER) if forks else 0
    loader = DataLoader(
        chunks,
        batch_size=None,
        num_workers=workers if workers > 1 else 0,
        collate_fn=_unchanged,
        multiprocessing_context="fork" if workers > 1 else None,
        generator=torch.Generator(),  # the global one must not depend on what was packed
    )
    with warnings.catch_warnings():
        # Python 3.12 warns of forking beside threads. These workers use none of the parent's.
        warnings.filterwarnings("ignore", ".*fork", DeprecationWarning)
        iterator = iter(loader)
    try:
        yield from iterator
    except RuntimeError as error:  # what a DataLoader raises for a worker that has died
        raise OSError(
            "a process that decodes was killed, perhaps for lack of memory; pack again"
        ) from error


def _unchanged(part: Any) -> Any:
    return part


def _decode_chunk(paths: list[str], decoder: Decoder, handle: int, position: int) -> Decoded:
    pixels = np.empty((len(paths), 3, SIZE, SIZE), dtype=np.uint8)
    digests, gray = [], []
    for row, path in enumerate(paths):
        data = images.read(path)
        digests.append(hashlib.sha256(data).digest())
        image = decoder(data, path)
        gray.append(image.shape[0] == 1)
        pixels[row] = image.numpy()  # a single channel is repeated three times
    if paths:
        _write(handle, pixels, position)
    sums, squares = channel_sums(pixels)
    files = np.frombuffer(b"".join(digests), dtype=np.uint8).reshape(-1, 32)
    return {"gray": np.array(gray, bool), "digests": files, "sums": sums, "squares": squares}


def _write(handle: int, pixels: np.ndarray, position: int) -> None:
    # Written rather than stored through a memory map: a full disk is then an error that can be
    # reported, not a bus error, and the output does not count as the process's memory.
    if hasattr(os, "pwrite"):
        written = os.pwrite(handle, pixels.data, position)
    else:  # Windows, where no other process writes at the same time
        os.lseek(handle, position, os.SEEK_SET)
        written = os.write(handle, pixels.data)
    if written != pixels.nbytes:
        raise OSError(errno.ENOSPC, "the disk is full; free some space and pack again")
