"""Freed memory kept for the next batch instead of handed back to the system, on a CPU.

The C library gives a large tensor pages that come fresh from the kernel, and returns them when it
is freed: every update maps and zeroes all activations anew, up to a third of the time of a deep
network (benchmarks/README.md). GPUs have PyTorch's caching allocator for this.
"""

import contextlib
import ctypes
import functools
import sys
from collections.abc import Iterator
from typing import Any

TRIM_THRESHOLD, MMAP_MAX = -1, -4  # mallopt's parameters, from glibc's malloc.h
DEFAULTS = {TRIM_THRESHOLD: 128 * 1024, MMAP_MAX: 65536}  # glibc's own


@contextlib.contextmanager
def kept_blocks() -> Iterator[bool]:
    """Within it, blocks of any size are reused; afterwards what is free goes back to the system.

    Gives whether that is so: it needs Linux's glibc; elsewhere nothing is changed.
    """
    library = glibc()
    if library is None:
        yield False
        return
    library.mallopt(MMAP_MAX, 0)  # no block is a mapping of its own
    library.mallopt(TRIM_THRESHOLD, -1)  # the heap's free end is kept, however long
    try:
        yield True
    finally:
        for parameter, value in DEFAULTS.items():
            library.mallopt(parameter, value)
        library.malloc_trim(0)


@functools.cache
def glibc() -> Any:
    """The C library, if it is glibc; else None."""
    if not sys.platform.startswith("linux"):
        return None
    library = ctypes.CDLL(None)
    return library if hasattr(library, "gnu_get_libc_version") else None
