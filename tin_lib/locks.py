"""A lock file that one process holds; gone with the process, however that ends."""

import contextlib
import fcntl
import os
import socket
from collections.abc import Iterator
from pathlib import Path


@contextlib.contextmanager
def only_one(path: Path, what: str) -> Iterator[None]:
    """Hold the lock ``path`` while the block runs.

    The system drops the lock when its holder ends, so that no stale file blocks a rerun. Raises
    ValueError, naming the holder, when another process has it. On a file system without locks it
    holds nothing off.
    """
    path.parent.mkdir(parents=True, exist_ok=True)
    with open(path, "a+", encoding="utf-8") as file:
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            file.seek(0)
            holder = file.read().strip() or "another process"
            raise ValueError(
                f"{what} is being run by {holder} (lock {path}); wait for it to end"
            ) from None
        except OSError:  # a file system without locks
            yield
            return
        file.truncate(0)
        file.write(f"process {os.getpid()} on {socket.gethostname()}")
        file.flush()
        yield
