"""A lock between processes, and the removal of what a killed one left behind."""

import contextlib
import fcntl
import shutil
from collections.abc import Iterator
from pathlib import Path


@contextlib.contextmanager
def locked(file: Path, leftovers: str) -> Iterator[None]:
    """Hold a lock on ``file``, waiting for it; the system drops it when the process dies.

    Folders beside ``file`` that match the pattern ``leftovers`` are then nobody's: they are
    removed. On a file system without locks nothing is locked and nothing removed.
    """
    with open(file, "w") as handle:
        try:
            fcntl.flock(handle, fcntl.LOCK_EX)
        except OSError:
            yield
            return
        for leftover in file.parent.glob(leftovers):
            shutil.rmtree(leftover, ignore_errors=True)
        yield
