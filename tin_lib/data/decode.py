"""JPEG files to one packed array file, on all cores, in memory that does not grow."""

import contextlib
import errno
import hashlib
import io
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
import torchvision  # noqa: F401  registers torch.ops.image
from PIL import Image
from torch.utils.data import DataLoader, Dataset

from tin_lib.data.official import SIZE
from tin_lib.data.stats import channel_sums
from tin_lib.process import usable_cores

CHUNK = 128  # images decoded between two writes: 1.6 MB
CHUNKS_A_WORKER = 8  # below that, a process would cost more than it does
UNCHANGED = 0  # torchvision's ImageReadMode: as many channels as the file has
IMAGE_BYTES = 3 * SIZE * SIZE
USUAL_BYTES = 8192  # every file of Tiny ImageNet is shorter, but it need not be
Progress = Callable[[int, int], None]  # called with images (or bytes) done and in all


@dataclass(frozen=True, eq=False)
class Decoded:
    """What is learnt of each image on the way.

    gray: bool (N,); digests: SHA-256 of the file, uint8 (N, 32); sums, squares: int64 (N, 3).
    """

    gray: np.ndarray
    digests: np.ndarray
    sums: np.ndarray
    squares: np.ndarray


def decode_files(
    root: Path, paths: list[str], out: Path, workers: int, progress: Progress
) -> Decoded:
    """Decode ``root/paths`` into ``out``, a .npy file of uint8 (N, 3, 64, 64), RGB.

    ``workers``: processes; fewer where there is little to do, and none, which is to say this one,
    where processes cannot fork. ``progress`` is called with the number of images done and N. Raises
    ValueError naming the first file that is not a whole 64x64 JPEG.
    """
    offset = _create(out, len(paths))
    parts: list[Decoded] = []
    done = 0
    with open(out, "r+b") as file, contextlib.ExitStack() as stack:
        chunks = _Chunks(root, paths, file.fileno(), offset)
        # Closed, so that an error, which may be kept for long, does not keep the processes.
        for part in stack.enter_context(contextlib.closing(_in_processes(chunks, workers))):
            if isinstance(part, Exception):
                raise part
            parts.append(part)
            done += len(part.gray)
            progress(done, len(paths))
    columns = zip(*((p.gray, p.digests, p.sums, p.squares) for p in parts), strict=True)
    return Decoded(*(np.concatenate(column) for column in columns))


@dataclass(frozen=True, eq=False)
class _Chunks(Dataset):
    """Decodes and writes chunk ``index`` when asked for it."""

    root: Path
    paths: list[str]
    handle: int
    offset: int

    def __len__(self) -> int:
        return -(-len(self.paths) // CHUNK)

    def __getitem__(self, index: int) -> "Decoded | Exception":
        start = index * CHUNK
        files = [f"{self.root}/{path}" for path in self.paths[start : start + CHUNK]]
        try:
            return _decode_chunk(files, self.handle, self.offset + start * IMAGE_BYTES)
        except Exception as error:
            return error  # raised by a worker, it would come with the worker's traceback


def _in_processes(chunks: _Chunks, workers: int) -> Generator[Any]:
    """What each chunk gives, in order.

    Processes, since threads would wait for Python's lock, which every file is five reasons to ask
    for: two threads take 1.4 times as long as two processes, and more would not be faster.
    """
    forks = sys.platform == "linux" and not multiprocessing.current_process().daemon
    workers = min(workers, cores(), len(chunks) // CHUNKS_A_WORKER) if forks else 0
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
    except RuntimeError as error:  # the one that a DataLoader raises for a worker that is gone
        raise OSError(
            "a process that decodes was killed, perhaps for want of memory; pack again"
        ) from error


def cores() -> int:
    """How many cores this process may use."""
    return len(usable_cores())


def _unchanged(part: Any) -> Any:
    return part


def _create(out: Path, count: int) -> int:
    """Create the .npy file, sparse and of full size; return where its data begin."""
    shape = (count, 3, SIZE, SIZE)
    return np.lib.format.open_memmap(out, mode="w+", dtype=np.uint8, shape=shape).offset


def _decode_chunk(paths: list[str], handle: int, position: int) -> Decoded:
    pixels = np.empty((len(paths), 3, SIZE, SIZE), dtype=np.uint8)
    digests, gray = [], []
    for row, path in enumerate(paths):
        data = _read(path)
        digests.append(hashlib.sha256(data).digest())
        image = decode_image(data, path)
        gray.append(image.shape[0] == 1)
        pixels[row] = image.numpy()  # a single channel is repeated three times
    _write(handle, pixels, position)
    files = np.frombuffer(b"".join(digests), dtype=np.uint8).reshape(-1, 32)
    return Decoded(np.array(gray), files, *channel_sums(pixels))


def _read(path: str) -> bytearray:
    # One call for nearly every file: its size is not asked for.
    data = bytearray(USUAL_BYTES)
    handle = os.open(path, os.O_RDONLY)
    try:
        size = os.readv(handle, [data])
        del data[size:]
        if size == USUAL_BYTES:
            data += os.read(handle, os.fstat(handle).st_size)
        return data
    except OSError as error:
        raise OSError(error.errno, error.strerror, path) from None
    finally:
        os.close(handle)


def _write(handle: int, pixels: np.ndarray, position: int) -> None:
    # Written rather than stored through a memory map: a full disk is then an error that can be
    # reported, not a bus error, and the output does not count as the process's memory.
    if os.pwrite(handle, pixels.data, position) != pixels.nbytes:
        raise OSError(errno.ENOSPC, "the disk is full; free some space and pack again")


def decode_image(data: bytearray, path: str) -> torch.Tensor:
    """Decode one JPEG to uint8 (3, 64, 64), or (1, 64, 64) where the file is grayscale.

    Raises ValueError naming ``path``.
    """
    if data[:2] != b"\xff\xd8":
        raise ValueError(f"{path} is not a JPEG image; unpack the data again")
    try:
        image = decode_jpeg(data)
    except (RuntimeError, OSError, SyntaxError) as error:
        reason = str(error).splitlines()[0]
        raise ValueError(
            f"{path} is cut short or damaged ({reason}); unpack the data again"
        ) from None
    _, height, width = image.shape
    if height != SIZE or width != SIZE:
        raise ValueError(f"{path} is {width}x{height} pixels, expected {SIZE}x{SIZE}")
    return image


def decode_jpeg(data: bytearray) -> torch.Tensor:
    """Decode a JPEG to uint8 (3, H, W), or (1, H, W) where it is grayscale.

    RuntimeError or OSError where it is damaged. torchvision's operator is three times as fast as
    PIL. Its public wrapper warns at every call since torchvision 0.29, which means to drop it: so
    the operator itself is called, and PIL is there to follow.
    """
    if not hasattr(torch.ops.image, "decode_jpeg"):
        return decode_with_pil(data)
    operator = torch.ops.image.decode_jpeg.default  # its one overload: no search for it
    image = operator(torch.frombuffer(data, dtype=torch.uint8), UNCHANGED)
    return image if image.shape[0] in (1, 3) else decode_with_pil(data)  # 4: CMYK


def decode_with_pil(data: bytearray) -> torch.Tensor:
    """The same by PIL."""
    with Image.open(io.BytesIO(data)) as image:
        pixels = np.array(image if image.mode == "L" else image.convert("RGB"))
    return torch.from_numpy(pixels.reshape(*pixels.shape[:2], -1)).permute(2, 0, 1)
