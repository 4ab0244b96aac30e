"""The packed form: each split as one memory-mapped array, made once from the official folders.

A packed data set is a folder ``v<format>-<signature of the source>``::

    meta.json                 classes, fingerprint, statistics, sizes and digests of the rest
    {train,val,test}.npy      uint8 (N, 3, 64, 64), RGB
    {train,val,test}.npz      labels, files, boxes, gray, digests (SHA-256), sums, squares

It is written under another name and renamed when whole. It is used only while the source has the
same signature and its own files have the sizes in meta.json; otherwise it is built again.
"""

import contextlib
import hashlib
import json
import os
import shutil
import tempfile
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from tin_lib.data import official
from tin_lib.data.decode import Decoded, Progress, cores, decode_files
from tin_lib.data.lock import locked
from tin_lib.data.signature import signature as sign
from tin_lib.data.stats import mean_std
from tin_lib.data.types import Split

FORMAT = 1  # goes up with every change of what is written; other formats are built again
SPLITS = ("train", "val", "test")
META = {"fingerprint", "class_ids", "class_names", "mean", "std", "splits"}


@dataclass(frozen=True, eq=False)
class Packed:
    """An opened packed data set: meta.json, and the columns of each split."""

    folder: Path
    meta: dict[str, Any]
    columns: dict[str, dict[str, np.ndarray]]

    def split(self, name: str) -> Split:
        """Return a whole split, its images a read-only memory map."""
        images = np.load(self.folder / f"{name}.npy", mmap_mode="r", allow_pickle=False)
        column = self.columns[name]
        return Split(
            name, images, column["labels"], column["files"], column["boxes"], column["gray"]
        )


def pack(data: str | Path, *, workers: int | None = None, progress: Progress | None = None) -> Path:
    """Pack ``data``, unless that has been done; return the packed folder.

    ``data`` is a folder in the official layout, or ``"sample"`` for the built-in sample.

    It is written to ``.tin_packed`` in the data folder; where that is not writable, to the user's
    cache; and where the environment variable TIN_CACHE names a folder, there. ``workers`` are
    processes, at most (and by default) one a core; ``progress`` is called with images done and in
    all, once that is known. Of two processes packing the same data the second waits for the first.
    Raises ValueError or FileNotFoundError naming the file that is wrong.
    """
    root = official.find_root(data)
    signature = sign(root)
    packed = _find(root, signature)
    if packed:
        return packed.folder
    home = _writable_home(root)
    home.mkdir(parents=True, exist_ok=True)
    with locked(home / "lock", "tmp-*"):
        packed = _find(root, signature)  # another process may just have made it
        if packed:
            return packed.folder
        with tempfile.TemporaryDirectory(prefix="tmp-", dir=home) as temporary:
            workers = workers or cores()
            _build(root, Path(temporary) / "new", signature, workers, progress)
            return _publish(Path(temporary), home / _name(signature))


def open_packed(root: Path) -> Packed:
    """Open the packed form of ``root``, an absolute path, packing it first where need be."""
    packed = _find(root, sign(root))
    return packed or _load(pack(root))


def cache_folder() -> Path:
    """Folder for what can be made again: tin_lib in TIN_CACHE, else XDG_CACHE_HOME or ~/.cache."""
    base = os.environ.get("TIN_CACHE") or os.environ.get("XDG_CACHE_HOME") or "~/.cache"
    return Path(base).expanduser() / "tin_lib"


def _homes(root: Path) -> list[Path]:
    """Folders that may hold packed forms of ``root``, the preferred one first."""
    cached = cache_folder() / "packed" / hashlib.sha256(str(root).encode()).hexdigest()[:16]
    return [cached] if os.environ.get("TIN_CACHE") else [root / ".tin_packed", cached]


def _writable_home(root: Path) -> Path:
    beside, *other = _homes(root)
    return other[0] if other and not os.access(root, os.W_OK) else beside


def _name(signature: str) -> str:
    return f"v{FORMAT}-{signature[:32]}"


def _find(root: Path, signature: str) -> Packed | None:
    """Return a whole, up-to-date packed form, or None."""
    for home in _homes(root):
        with contextlib.suppress(
            OSError, ValueError, KeyError, TypeError
        ):  # absent, cut short, damaged
            return _load(home / _name(signature))
    return None


def _load(folder: Path) -> Packed:
    """Open a packed folder; ValueError where a file has not the size or digest it was left with."""
    meta = json.loads((folder / "meta.json").read_text())
    if missing := META - set(meta):
        raise ValueError(f"{folder}/meta.json has no {sorted(missing)[0]}")
    columns = {}
    for name in SPLITS:
        path = folder / f"{name}.npz"
        if (folder / f"{name}.npy").stat().st_size != meta["splits"][name]["image_bytes"]:
            raise ValueError(f"{name}.npy in {folder} was cut short")
        if _sha256(path) != meta["splits"][name]["columns_sha256"]:
            raise ValueError(f"{path} was changed")
        with np.load(path, allow_pickle=False) as arrays:
            columns[name] = dict(arrays)
    return Packed(folder, meta, columns)


def _publish(temporary: Path, target: Path) -> Path:
    """Move ``temporary/new`` to ``target`` and remove what was packed from an older source."""
    if target.exists():
        target.rename(temporary / "old")  # damaged; it goes with the temporary folder
    (temporary / "new").rename(target)
    for other in target.parent.glob("v*-*"):
        if other != target:
            shutil.rmtree(other, ignore_errors=True)
    return target


def _build(
    root: Path, folder: Path, signature: str, workers: int, progress: Progress | None
) -> None:
    folder.mkdir()
    class_ids, class_names = official.read_classes(root)
    tables, decoded = _decode_all(root, class_ids, folder, workers, progress)
    for name in SPLITS:
        columns = _columns(tables[name], decoded[name])
        np.savez(folder / f"{name}.npz", **columns)  # type: ignore[arg-type]
    mean, std = mean_std(decoded["train"].sums, decoded["train"].squares, official.SIZE**2)
    meta = {
        "format": FORMAT,
        "signature": signature,
        "fingerprint": _fingerprint(class_ids, tables, decoded),
        "class_ids": class_ids,
        "class_names": class_names,
        "mean": mean.tolist(),
        "std": std.tolist(),
        "splits": {name: _sizes(folder, name, len(tables[name].paths)) for name in SPLITS},
    }
    (folder / "meta.json").write_text(json.dumps(meta, indent=1))


def _decode_all(
    root: Path, class_ids: tuple[str, ...], folder: Path, workers: int, progress: Progress | None
) -> tuple[dict[str, official.Table], dict[str, Decoded]]:
    """Read the tables and decode the images of every split into ``folder``."""
    tables = {"test": official.read_test(root)}
    decoded = {}

    def decode(name: str, report: Progress) -> None:
        out = folder / f"{name}.npy"
        decoded[name] = decode_files(root, tables[name].paths, out, workers, report)

    with ThreadPoolExecutor(1) as reader:  # the test images have no labels to wait for
        reading = reader.submit(official.read_labelled, root, class_ids)
        decode("test", lambda *_: None)
        tables |= reading.result()
    total = sum(len(table.paths) for table in tables.values())
    done = len(tables["test"].paths)
    for name in ("val", "train"):
        decode(name, _shifted(progress, done, total))
        done += len(tables[name].paths)
    return tables, decoded


def _shifted(progress: Progress | None, before: int, total: int) -> Progress:
    """Progress over all splits, from that of one which begins after ``before`` images."""
    return lambda done, _: progress(before + done, total) if progress else None


def _columns(table: official.Table, decoded: Decoded) -> dict[str, np.ndarray]:
    return {
        "labels": table.labels,
        "files": np.array([path.rsplit("/", 1)[1] for path in table.paths]),
        "boxes": table.boxes,
        "gray": decoded.gray,
        "digests": decoded.digests,
        "sums": decoded.sums,
        "squares": decoded.squares,
    }


def _fingerprint(
    class_ids: tuple[str, ...], tables: dict[str, official.Table], decoded: dict[str, Decoded]
) -> str:
    """Hash of the classes and of every file's path, label, box and contents."""
    digest = hashlib.sha256("\n".join(class_ids).encode())
    for name in SPLITS:
        digest.update("\n".join(tables[name].paths).encode())
        for array in (tables[name].labels, tables[name].boxes, decoded[name].digests):
            digest.update(np.ascontiguousarray(array).data)
    return digest.hexdigest()


def _sizes(folder: Path, name: str, images: int) -> dict[str, Any]:
    return {
        "images": images,
        "image_bytes": (folder / f"{name}.npy").stat().st_size,
        "columns_sha256": _sha256(folder / f"{name}.npz"),
    }


def _sha256(path: Path) -> str:
    return hashlib.sha256(path.read_bytes()).hexdigest()
