"""Freed memory kept for the next batch instead of handed back to the system, on a CPU.

The C library gives a large tensor pages that come fresh from the kernel, and returns them when it
is freed: every update maps and zeroes all activations anew, which for deep networks costs as much
as a good part of their arithmetic. GPUs have PyTorch's caching allocator for this.
"""

import contextlib
import ctypes
import functools
import sys
from collections.abc import Iterator
from typing import Any

TRIM_THRESHOLD, MMAP_THRESHOLD, MMAP_MAX = -1, -3, -4  # mallopt's parameters, from malloc.h
KEEP = {MMAP_MAX: 0, TRIM_THRESHOLD: -1}  # no block is a mapping of its own; nothing is trimmed
# Where glibc's own thresholds arrive once large blocks have been freed. They have to be set: after
# any call of mallopt they adapt no more, and its starting values are slow for blocks of megabytes.
AFTER = {MMAP_MAX: 65536, MMAP_THRESHOLD: 32 << 20, TRIM_THRESHOLD: 64 << 20}


@contextlib.contextmanager
def kept_blocks() -> Iterator[bool]:
    """Within it, blocks of any size are reused; afterwards what is free goes back to the system.

    For the process's main thread: in others glibc maps blocks above 64 MB anew all the same. Gives
    whether blocks are kept: it needs Linux's glibc; elsewhere nothing is changed.
    """
    library = glibc()
    if library is None:
        yield False
        return
    try:
        done = [library.mallopt(*setting) for setting in KEEP.items()]
        yield all(done)
    finally:
        for setting in AFTER.items():
            library.mallopt(*setting)
        library.malloc_trim(0)


@functools.cache
def glibc() -> Any:
    """The C library, if it is glibc; else None."""
    if not sys.platform.startswith("linux"):
        return None
    library = ctypes.CDLL(None)
    return library if hasattr(library, "gnu_get_libc_version") else None
