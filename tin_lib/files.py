"""Files: atomic writes, locks, JSON, tables, arrays, digests."""

import contextlib
import csv
import errno
import functools
import hashlib
import io
import json
import os
import re
import shutil
import socket
import tempfile
from collections import defaultdict
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from filelock import FileLock, Timeout

from tin_lib.writing import check_guarded, guarded, naming, remove_stale, temporary_name

_NO_SYNC = (errno.EINVAL, errno.ENOTSUP, errno.EBADF)  # file systems that cannot flush this
_NO_LOCKS = (errno.ENOLCK, errno.ENOSYS, errno.ENOTSUP, errno.EINVAL)
_FORMULA = re.compile(r"\A(?![+-][\d.]+([eE][+-]?\d+)?\Z)(?='*[=+\-@\t\r\n])")  # no number
_MARK = re.compile(r"\A'(?='*[=+\-@\t\r\n])")
SET_CACHE = "set the environment variable TIN_CACHE to another folder"
_NOT_CORE = ("analysis", "lab", "runner", "__main__.py")


@contextlib.contextmanager
def atomic_path(path: str | Path) -> Iterator[Path]:
    """Yield a temporary path in ``path``'s folder and rename it to ``path`` on success.

    A crash or a power loss leaves the old file or the whole new one. A link is followed; a device
    or a pipe is written into. Temporary files of killed writers of this target are removed.
    """
    if _is_stream(path):
        with tempfile.TemporaryDirectory() as folder:
            yield (temporary := Path(folder) / "whole")
            with open(temporary, "rb") as source, open(path, "ab") as stream:
                shutil.copyfileobj(source, stream)
        return
    target = Path(os.path.realpath(path))
    if target.is_dir() or target.is_symlink():
        raise OSError(f"{path} is a folder or a link to itself; name a file to write")
    temporary = target.with_name(temporary_name(target))
    with naming(target):
        target.parent.mkdir(parents=True, exist_ok=True)
        remove_stale(target)
        open(temporary, "x").close()
    try:
        with naming(target):
            mode = temporary.stat().st_mode  # as the umask allows; safetensors replaces the file
            yield temporary
            temporary.chmod(mode)
            sync(temporary)
            check_guarded(target)
            os.replace(temporary, target)
            sync(target.parent)
    finally:
        with contextlib.suppress(OSError):  # the folder can have vanished or become read-only
            temporary.unlink(missing_ok=True)


def sync(path: Path) -> None:
    """Flush a file or folder to the disk, so that it survives a power loss."""
    if path.is_dir() and os.name == "nt":
        return  # Windows opens no folders
    handle = os.open(path, os.O_RDONLY if path.is_dir() else os.O_RDWR)
    try:
        os.fsync(handle)
    except OSError as error:
        if error.errno not in _NO_SYNC:
            raise
    finally:
        os.close(handle)


def _is_stream(path: str | Path) -> bool:
    """Whether ``path`` is a device, a pipe or an open descriptor such as /dev/stdout."""
    if os.path.abspath(path).startswith(("/dev/std", "/dev/fd/", "/proc/")):
        return True
    return os.path.exists(path) and not os.path.isfile(path) and not os.path.isdir(path)


@contextlib.contextmanager
def only_one(path: Path, what: str) -> Iterator[None]:
    """Hold the lock file ``path``, which the system drops when its holder ends, and guard its
    folder (see ``guarded``).

    Raises ValueError, naming the holder, if another process has it. On a file system without locks
    nothing is locked.
    """
    holder = path.with_name(f"{path.name}.holder")
    try:
        lock = _acquire(path, timeout=0)
    except Timeout:
        by = holder.read_text() if holder.is_file() else "another process"
        raise ValueError(f"{what} is being run by {by} (lock {path}); wait for it to end") from None
    with lock, guarded(path.parent):
        holder.write_text(f"process {os.getpid()} on {socket.gethostname()}")
        try:
            yield
        finally:
            holder.unlink(missing_ok=True)


@contextlib.contextmanager
def waiting_lock(path: Path, leftovers: str = "") -> Iterator[None]:
    """Wait for the lock file ``path`` and hold it; remove the folders beside it that match the
    pattern ``leftovers``. On a file system without locks nothing is locked and nothing removed.
    """
    with _acquire(path, timeout=-1) as lock, guarded(path.parent):
        if lock and leftovers:
            for leftover in path.parent.glob(leftovers):
                shutil.rmtree(leftover, ignore_errors=True)
        yield


def _acquire(path: Path, timeout: float) -> contextlib.AbstractContextManager:
    """Take the lock (timeout -1: wait for it); its context gives None without locks."""
    path.parent.mkdir(parents=True, exist_ok=True)
    try:
        return FileLock(path).acquire(timeout=timeout)
    except OSError as error:  # a Timeout too, without an errno
        if error.errno not in _NO_LOCKS:
            raise
        return contextlib.nullcontext()


def cache_folder() -> Path:
    """Folder for what can be made again: tin_lib in TIN_CACHE, else XDG_CACHE_HOME or ~/.cache.
    OSError if that is in a home folder that is not known."""
    base = os.environ.get("TIN_CACHE") or os.environ.get("XDG_CACHE_HOME") or "~/.cache"
    if (folder := os.path.expanduser(base)).startswith("~"):
        raise OSError(f"the home folder of {base} is not known; {SET_CACHE}")
    return Path(folder) / "tin_lib"


def make_folder(folder: Path) -> Path:
    """Create a folder that ``TIN_CACHE`` can move; OSError says so if it cannot be written."""
    try:
        folder.mkdir(parents=True, exist_ok=True)
        tempfile.TemporaryFile(dir=folder).close()
    except OSError as error:
        raise OSError(f"{folder} cannot be written ({error.strerror}); {SET_CACHE}") from None
    return folder


def atomic_write(path: str | Path, data: bytes | str) -> None:
    """Write ``data`` (text as UTF-8) to ``path``, whole or not at all."""
    with atomic_path(path) as temporary:
        temporary.write_bytes(data.encode() if isinstance(data, str) else data)


def write_json(path: str | Path, value: Any) -> None:
    """Write ``value`` as indented JSON, atomically."""
    atomic_write(path, json.dumps(value, indent=1) + "\n")


def read_json(path: str | Path) -> Any:
    """Read a JSON file; ValueError names the file if it is not JSON."""
    try:
        return json.loads(Path(path).read_text(encoding="utf-8"))
    except (ValueError, RecursionError) as error:
        raise ValueError(f"{path} is not valid JSON ({error}); remove it and run again") from None


def read_object(path: str | Path) -> dict[str, Any]:
    """Read a JSON object; ValueError names the file if it holds anything else."""
    value = read_json(path)
    if not isinstance(value, dict):
        raise ValueError(f"{path} holds no JSON object; remove it and run again")
    return value


def write_table(table: pd.DataFrame, path: str | Path, index: bool = False) -> None:
    """Write a data frame as CSV, atomically; an apostrophe marks text that looks like a formula."""
    table = table.replace(_FORMULA, "'", regex=True)
    for axis in (0, 1) if index else (1,):
        table = table.rename(lambda name: _FORMULA.sub("'", str(name)), axis=axis)
    with atomic_path(path) as temporary:
        table.to_csv(temporary, index=index)
        if b"\r" in temporary.read_bytes():  # which pandas does not quote by itself
            table.to_csv(temporary, index=index, quoting=csv.QUOTE_NONNUMERIC)


def read_table(path: str | Path, dtype: Mapping[str, Any] | None = None) -> pd.DataFrame:
    """Read a CSV table in which every column is text unless ``dtype`` names its type.

    No type is guessed: ``00012`` and ``NA`` stay text. In columns of another type an empty cell is
    NaN. FileNotFoundError and ValueError name the file.
    """
    types = defaultdict(lambda: str, dtype or {})
    empty = {name: ["", "nan", "NaN"] for name in types}
    try:
        table = pd.read_csv(path, dtype=types, keep_default_na=False, na_values=empty)
        return table.replace(_MARK, "", regex=True).rename(columns=lambda name: _MARK.sub("", name))
    except FileNotFoundError:
        raise FileNotFoundError(f"{path} does not exist; run its notebook or command") from None
    except ValueError as error:  # also pandas' parser errors and UnicodeDecodeError
        why = " ".join(str(error).split())
        raise ValueError(f"{path} is not a readable table ({why}); remove it, run again") from None


def write_array(path: str | Path, array: np.ndarray) -> None:
    """Write an array in NumPy's .npy format (no pickle), atomically."""
    content = io.BytesIO()  # NumPy's own writing to a file does not tell why it failed
    np.save(content, array, allow_pickle=False)
    with atomic_path(path) as temporary:
        temporary.write_bytes(content.getbuffer())


def json_digest(value: Any) -> str:
    """SHA-256 of a JSON value, 64 hex digits."""
    return hashlib.sha256(json.dumps(value, sort_keys=True).encode()).hexdigest()


def file_digest(path: str | Path) -> str:
    """SHA-256 of a file's content, 64 hex digits."""
    with open(path, "rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


@functools.cache
def source_digest(core: bool = False) -> str:
    """Twelve hex digits of the SHA-256 of the library's Python sources, or of the core's alone."""
    root, digest = Path(__file__).parent, hashlib.sha256()
    for path in sorted(root.rglob("*.py")):
        name = path.relative_to(root)
        if not (core and name.parts[0] in _NOT_CORE):
            digest.update(f"{name.as_posix()} {file_digest(path)}\n".encode())
    return digest.hexdigest()[:12]
