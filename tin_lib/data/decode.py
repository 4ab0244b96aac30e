"""JPEG files to one packed array file, on all cores, in memory that does not grow."""

import errno
import hashlib
import io
import os
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
import torchvision  # noqa: F401  registers torch.ops.image
from PIL import Image

from tin_lib.data.official import SIZE
from tin_lib.data.stats import channel_sums

CHUNK = 64  # images a thread decodes between two writes: 0.8 MB
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
    root: Path, paths: list[str], out: Path, threads: int, progress: Progress
) -> Decoded:
    """Decode ``root/paths`` into ``out``, a .npy file of uint8 (N, 3, 64, 64), RGB.

    Decoding releases Python's lock, so threads are enough. ``progress`` is called with the
    number of images done and N. Raises ValueError naming the first file that is not a whole
    64x64 JPEG.
    """
    offset = _create(out, len(paths))
    parts = []
    done = 0
    with open(out, "r+b") as file, ThreadPoolExecutor(threads) as pool:

        def work(start: int) -> Decoded:
            chunk = [f"{root}/{path}" for path in paths[start : start + CHUNK]]
            return _decode_chunk(chunk, file.fileno(), offset + start * IMAGE_BYTES)

        for part in pool.map(work, range(0, len(paths), CHUNK)):
            parts.append(part)
            done += len(part.gray)
            progress(done, len(paths))
    columns = zip(*((p.gray, p.digests, p.sums, p.squares) for p in parts), strict=True)
    return Decoded(*(np.concatenate(column) for column in columns))


def _create(out: Path, count: int) -> int:
    """Create the .npy file, sparse and of full size; return where its data begin."""
    shape = (count, 3, SIZE, SIZE)
    return np.lib.format.open_memmap(out, mode="w+", dtype=np.uint8, shape=shape).offset


def _decode_chunk(paths: list[str], handle: int, position: int) -> Decoded:
    # Filled with NumPy: torch.stack would start OpenMP's threads beneath each of ours.
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
    # A call to the system lets another thread take Python's lock, so the size is not asked for.
    data = bytearray(USUAL_BYTES)
    handle = os.open(path, os.O_RDONLY)
    try:
        size = os.readv(handle, [data])
        del data[size:]
        if size == USUAL_BYTES:
            data += os.read(handle, os.fstat(handle).st_size)
        return data
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

    RuntimeError or OSError where it is damaged. torchvision's operator is faster than PIL and holds
    Python's lock for less of the time. Its public wrapper warns at every call since torchvision
    0.29, which means to drop it: so the operator itself is called, and PIL is there to follow.
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
