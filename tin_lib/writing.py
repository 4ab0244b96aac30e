"""What an atomic write needs: names of temporary files, and one form for errors of any library."""

import contextlib
import errno
import functools
import itertools
import os
import socket
import time
import zlib
from collections.abc import Iterator
from pathlib import Path

from safetensors import SafetensorError

_COUNTER = itertools.count()
_DAY = 86400.0  # seconds after which a temporary file is stale, whoever wrote it
_FULL = (errno.ENOSPC, errno.EDQUOT, errno.EFBIG)  # the disk, a quota, a limit of the process
# What safetensors, NumPy and torch raise for a full disk has no errno.
_FULL_TEXTS = ("(os error 28)", " requested and ", "PytorchStreamWriter", "inline_container")


@contextlib.contextmanager
def naming(target: Path) -> Iterator[None]:
    """Raise a failed write of ``target`` as an OSError that names it and says what to do."""
    try:
        yield
    except (OSError, RuntimeError, SafetensorError) as error:
        number, text = getattr(error, "errno", None), str(error)
        if number == errno.EROFS:
            why = "the file system is read-only; choose another folder"
        elif number in _FULL or any(part in text for part in _FULL_TEXTS):
            why = "no space is left; free some space and run again"
        else:
            raise
        raise OSError(f"{target} was not written: {why}") from error


def temporary_name(target: Path) -> str:
    """A name of its own for a temporary file of ``target``, which says who writes it."""
    return f".{target.name}.{_host()}-{os.getpid()}-{next(_COUNTER)}.tmp"


@functools.cache
def _host() -> str:
    """Eight hex digits for the space in which process ids are unique: host and container."""
    space = socket.gethostname()
    with contextlib.suppress(OSError):
        space += os.readlink("/proc/self/ns/pid")
    return f"{zlib.crc32(space.encode()):08x}"


def remove_stale(target: Path) -> None:
    """Remove temporary files of ``target`` that are a day old or whose writer here has ended."""
    for name in os.listdir(target.parent):
        if name.startswith(f".{target.name}.") and name.endswith(".tmp"):
            with contextlib.suppress(OSError):  # another process removed it
                old = time.time() - target.with_name(name).stat().st_mtime > _DAY
                if old or _has_ended(name.split(".")[-2]):
                    target.with_name(name).unlink()


def _has_ended(writer: str) -> bool:
    host, *process = writer.split("-")
    if host == _host() and os.name != "nt":  # there, kill(process, 0) would end the process
        try:
            os.kill(int(process[0]), 0)
        except ProcessLookupError:
            return True
    return False
