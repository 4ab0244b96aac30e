"""Files: atomic writes, JSON, tables, arrays, digests."""

import contextlib
import hashlib
import json
import os
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd


@contextlib.contextmanager
def atomic_path(path: str | Path) -> Iterator[Path]:
    """Yield a temporary path in ``path``'s folder and rename it to ``path`` on success.

    A reader sees the old file or the whole new one, never a part; a crash leaves the old one.
    """
    path = Path(path)
    path.parent.mkdir(parents=True, exist_ok=True)
    handle, name = tempfile.mkstemp(prefix=f".{path.name}.", suffix=".tmp", dir=path.parent)
    os.close(handle)
    temporary = Path(name)
    try:
        yield temporary
        os.chmod(temporary, 0o666 & ~_umask())  # mkstemp's 0600 would lock other users out
        os.replace(temporary, path)
    finally:
        temporary.unlink(missing_ok=True)


def _umask() -> int:
    mask = os.umask(0)
    os.umask(mask)
    return mask


def atomic_write(path: str | Path, data: bytes | str) -> None:
    """Write ``data`` (text as UTF-8) to ``path``, whole or not at all."""
    with atomic_path(path) as temporary:
        temporary.write_bytes(data.encode() if isinstance(data, str) else data)


def write_json(path: str | Path, value: Any) -> None:
    """Write ``value`` as indented JSON, atomically."""
    atomic_write(path, json.dumps(value, indent=1) + "\n")


def read_json(path: str | Path) -> Any:
    """Read a JSON file; ValueError names the file when it is not JSON."""
    try:
        return json.loads(Path(path).read_text())
    except (json.JSONDecodeError, UnicodeDecodeError) as error:
        raise ValueError(f"{path} is not valid JSON ({error}); remove it and run again") from None


def read_object(path: str | Path) -> dict[str, Any]:
    """Read a JSON object; ValueError names the file when it holds anything else."""
    value = read_json(path)
    if not isinstance(value, dict):
        raise ValueError(f"{path} holds no JSON object; remove it and run again")
    return value


def write_table(table: pd.DataFrame, path: str | Path, index: bool = False) -> None:
    """Write a data frame as CSV, atomically."""
    with atomic_path(path) as temporary:
        table.to_csv(temporary, index=index)


def read_table(path: str | Path, **options: Any) -> pd.DataFrame:
    """Read a CSV table; FileNotFoundError and ValueError name the file."""
    if not Path(path).is_file():
        raise FileNotFoundError(
            f"{path} does not exist; run the notebook or command that writes it"
        )
    try:
        return pd.read_csv(path, **options)
    except (pd.errors.ParserError, pd.errors.EmptyDataError, UnicodeDecodeError) as error:
        raise ValueError(
            f"{path} is not a readable table ({error}); remove it and run again"
        ) from None


def write_array(path: str | Path, array: np.ndarray) -> None:
    """Write an array in NumPy's .npy format (no pickle), atomically."""
    with atomic_path(path) as temporary, open(temporary, "wb") as file:
        np.save(file, array, allow_pickle=False)


def file_digest(path: str | Path) -> str:
    """SHA-256 of a file's content, 64 hex digits."""
    with open(path, "rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()
