"""What an atomic write needs: names of temporary files, and one form for errors of any library."""

import contextlib
import errno
import functools
import itertools
import os
import re
import socket
import time
import zlib
from collections.abc import Iterator
from pathlib import Path

from safetensors import SafetensorError

_COUNTER = itertools.count()
_DAY = 86400.0  # seconds after which a temporary file is stale, whoever wrote it
_REASONS = {
    errno.EROFS: "the file system is read-only; choose another folder",
    errno.ENOSPC: "no space is left; free some space and run again",
    errno.EDQUOT: "the disk quota is used up; free some space and run again",
    errno.EFBIG: "it is larger than files may be here (ulimit -f)",
}
_NUMBER = re.compile(r"\(os error (\d+)\)")  # in the text of a safetensors error
_guarded: list[tuple[Path, int]] = []  # folders and their open descriptors


@contextlib.contextmanager
def guarded(folder: Path) -> Iterator[None]:
    """Refuse every write below ``folder`` once it was removed or replaced by another folder."""
    if os.name == "nt":
        yield  # Windows opens no folders
        return
    entry = folder.resolve(), os.open(folder, os.O_RDONLY)  # open: its inode is not used again
    _guarded.append(entry)
    try:
        yield
    finally:
        _guarded.remove(entry)
        os.close(entry[1])


def check_guarded(target: Path) -> None:
    """Raise OSError if ``target`` is below a guarded folder that is not the same any more."""
    for folder, descriptor in tuple(_guarded):
        if target.is_relative_to(folder):
            with contextlib.suppress(OSError):
                if os.path.samestat(os.fstat(descriptor), folder.stat()):
                    continue
            raise OSError(f"{folder} was removed or replaced meanwhile; run the same command again")


@contextlib.contextmanager
def naming(target: Path) -> Iterator[None]:
    """Raise a failed write of ``target`` as an OSError that names it and says what to do."""
    check_guarded(target)
    try:
        yield
    except (OSError, RuntimeError, SafetensorError) as error:
        check_guarded(target)
        number = _system_error(error)
        if not number or (number not in _REASONS and getattr(error, "filename", None)):
            raise
        why = _REASONS.get(number, os.strerror(number))
        raise OSError(f"{target} was not written: {why}") from error


def _system_error(error: BaseException) -> int | None:
    """The system's number of what went wrong: torch raises another error while it handles that."""
    if number := _NUMBER.search(str(error)):
        return int(number[1])
    while isinstance(error, RuntimeError) and error.__context__:
        error = error.__context__
    return getattr(error, "errno", None)


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
