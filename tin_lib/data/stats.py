"""Exact per-channel mean and standard deviation of uint8 images."""

from math import prod, sqrt

import numpy as np

BLOCK = 256  # pixels; 256 * 255**2 < 2**24, so a block's sum of squares is exact in float32
CHUNK = 8  # images; as float32 they fit in a core's cache


def channel_sums(images: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Return each image's sum and sum of squares per channel, both int64 (N, 3).

    ``images`` is uint8 (N, 3, 64, 64). The arithmetic is float32, several times as fast as
    integers, on blocks short enough for every intermediate value to be a whole number below 2**24.
    """
    per_image = prod(images.shape[1:]) // BLOCK
    found = np.empty((2, len(images) * per_image), dtype=np.float32)
    buffer = np.empty((CHUNK * per_image, BLOCK), dtype=np.float32)
    for start in range(0, len(images), CHUNK):
        part = images[start : start + CHUNK].reshape(-1, BLOCK)
        blocks = buffer[: len(part)]
        np.copyto(blocks, part)
        rows = slice(start * per_image, start * per_image + len(part))
        np.einsum("bp->b", blocks, out=found[0, rows])  # twice as fast as blocks.sum(1)
        np.einsum("bp,bp->b", blocks, blocks, out=found[1, rows])
    sums, squares = found.astype(np.int64).reshape(2, len(images), 3, per_image // 3).sum(3)
    return sums, squares


def mean_std(sums: np.ndarray, squares: np.ndarray, pixels: int) -> tuple[np.ndarray, np.ndarray]:
    """Return mean and population deviation, float64 (3,) each, from per-image sums, int64 (N, 3).

    ``pixels`` is the number of pixels of one image. All but the last division is done in Python's
    unbounded integers, so the result is correct to the last digit of a float64.
    """
    count = len(sums) * pixels
    totals = list(zip(sums.sum(0).tolist(), squares.sum(0).tolist()))
    std = [sqrt((count * square - total**2) / count**2) for total, square in totals]
    return np.array([total / count for total, _ in totals]), np.array(std)
