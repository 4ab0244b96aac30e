"""The packed form: each split as one memory-mapped array, made once from the image files.

A packed data set is a folder ``v<format>-<signature of the source>``::

    meta.json                 classes, fingerprint, statistics, sizes and digests of the rest
    {train,val,test}.npy      uint8 (N, 3, 64, 64), RGB
    {train,val,test}.npz      labels, files, boxes, gray, digests (SHA-256), sums, squares

It is written under another name, flushed to the disk and renamed. It is used only while the source
has the same signature and its own files have the sizes in meta.json; otherwise it is built again.
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

from tin_lib import files
from tin_lib.data import images, layout
from tin_lib.data.annotations import SIZE
from tin_lib.data.decode import Decoded, Progress, decode_files
from tin_lib.data.signature import signature as sign
from tin_lib.data.stats import mean_std
from tin_lib.data.types import Split
from tin_lib.process import usable_cores

FORMAT = 1  # goes up with every change of what is written; other formats are built again
SPLITS = ("train", "val", "test")


@dataclass(frozen=True, eq=False)
class Packed:
    """An opened packed data set: meta.json, and the columns of each split."""

    folder: Path
    meta: dict[str, Any]
    columns: dict[str, dict[str, np.ndarray]]

    def split(self, name: str) -> Split:
        """Return a whole split, its images a read-only memory map."""
        pixels = np.load(self.folder / f"{name}.npy", mmap_mode="r", allow_pickle=False)
        column = self.columns[name]
        return Split(
            name, pixels, column["labels"], column["files"], column["boxes"], column["gray"]
        )


def pack(data: str | Path, *, workers: int | None = None, progress: Progress | None = None) -> Path:
    """Pack ``data``, unless that has been done; return the packed folder.

    ``data`` is what ``open_data`` takes. The packed form is written to ``.tin_packed`` in the data
    folder; if that is not writable, to the user's cache; and if the environment variable TIN_CACHE
    names a folder, there. ``workers`` are processes, at most (and by default) one a core;
    ``progress`` is called with images done and in all. Of two processes packing the same data the
    second waits for the first. Raises ValueError or FileNotFoundError naming the file that is
    wrong, and OSError, saying what helps, if nothing can be written.
    """
    root = layout.find_root(data)
    signature = sign(root)
    packed = _find(root, signature)
    if packed:
        return packed.folder
    home = files.make_folder(_writable_home(root))
    with files.waiting_lock(home / "lock", "tmp-*"):
        packed = _find(root, signature)  # another process may just have made it
        if packed:
            return packed.folder
        with tempfile.TemporaryDirectory(prefix="tmp-", dir=home) as temporary:
            workers = workers or len(usable_cores())
            _build(root, Path(temporary) / "new", signature, workers, progress)
            return _publish(Path(temporary), home / _name(signature))


def open_packed(root: Path) -> Packed:
    """Open the packed form of ``root``, an absolute path; pack it first if necessary."""
    packed = _find(root, sign(root))
    return packed or _load(pack(root))


def _homes(root: Path) -> list[Path]:
    """Folders that may hold packed forms of ``root``, the preferred one first."""
    cached = files.cache_folder() / "packed" / hashlib.sha256(str(root).encode()).hexdigest()[:16]
    return [cached] if os.environ.get("TIN_CACHE") else [root / ".tin_packed", cached]


def _writable_home(root: Path) -> Path:
    beside, *other = _homes(root)
    present = beside if beside.is_dir() else root
    return other[0] if other and not os.access(present, os.W_OK) else beside


def _name(signature: str) -> str:
    return f"v{FORMAT}-{signature[:32]}"


def _find(root: Path, signature: str) -> Packed | None:
    """Return a whole, up-to-date packed form, or None."""
    for home in _homes(root):
        with contextlib.suppress(OSError, ValueError, KeyError):  # absent or damaged
            return _load(home / _name(signature))
    return None


def _load(folder: Path) -> Packed:
    """Open a packed folder; ValueError if a file is not as it was written."""
    meta = files.read_object(folder / "meta.json")
    columns = {}
    for name in SPLITS:
        path = folder / f"{name}.npz"
        if (folder / f"{name}.npy").stat().st_size != meta["splits"][name]["image_bytes"]:
            raise ValueError(f"{name}.npy in {folder} was cut short")
        if files.file_digest(path) != meta["splits"][name]["columns_sha256"]:
            raise ValueError(f"{path} was changed")
        with np.load(path, allow_pickle=False) as arrays:
            columns[name] = dict(arrays)
    return Packed(folder, meta, columns)


def _publish(temporary: Path, target: Path) -> Path:
    """Move ``temporary/new`` to ``target`` and remove what was packed from an older source."""
    new = temporary / "new"
    for path in (*new.iterdir(), new):
        files.sync(path)
    if target.exists():
        target.rename(temporary / "old")  # damaged; it goes with the temporary folder
    new.rename(target)
    files.sync(target.parent)
    for other in target.parent.glob("v*-*"):
        if other != target:
            shutil.rmtree(other, ignore_errors=True)
    return target


def _build(
    root: Path, folder: Path, signature: str, workers: int, progress: Progress | None
) -> None:
    folder.mkdir()
    classes = layout.read_classes(root)
    tables, decoded = _decode_all(root, classes, folder, workers, progress)
    for name in SPLITS:
        own = {"labels": tables[name].labels, "boxes": tables[name].boxes}
        columns = own | {"files": np.array(tables[name].files, dtype=str)} | decoded[name]
        np.savez(folder / f"{name}.npz", **columns)  # type: ignore[arg-type]
    mean, std = mean_std(decoded["train"]["sums"], decoded["train"]["squares"], SIZE**2)
    meta = {
        "format": FORMAT,
        "signature": signature,
        "fingerprint": _fingerprint(classes.ids, tables, decoded),
        "class_ids": classes.ids,
        "class_names": classes.names,
        "mean": mean.tolist(),
        "std": std.tolist(),
        "splits": {name: _sizes(folder, name, len(tables[name].paths)) for name in SPLITS},
    }
    (folder / "meta.json").write_text(json.dumps(meta, indent=1))


def _decode_all(
    root: Path, classes: layout.Classes, folder: Path, workers: int, progress: Progress | None
) -> tuple[dict[str, layout.Table], dict[str, Decoded]]:
    """Read the tables and decode the images of every split into ``folder``."""
    tables = {"test": layout.read_test(root)}
    decoded = {}
    decoder = images.decode_image if classes.listed else images.decode_any

    def decode(name: str, report: Progress) -> None:
        paths = [f"{root}/{path}" for path in tables[name].paths]
        decoded[name] = decode_files(paths, folder / f"{name}.npy", decoder, workers, report)

    with ThreadPoolExecutor(1) as reader:  # the test images have no labels to wait for
        val = reader.submit(layout.read_val, root, classes)
        train = reader.submit(layout.read_train, root, classes)
        decode("test", lambda *_: None)
        tables |= {"val": val.result(), "train": train.result()}
    total = sum(len(table.paths) for table in tables.values())
    done = len(tables["test"].paths)
    for name in ("val", "train"):
        decode(name, _shifted(progress, done, total))
        done += len(tables[name].paths)
    return tables, decoded


def _shifted(progress: Progress | None, before: int, total: int) -> Progress:
    """Progress over all splits, from that of one which begins after ``before`` images."""
    return lambda done, _: progress(before + done, total) if progress else None


def _fingerprint(
    class_ids: tuple[str, ...], tables: dict[str, layout.Table], decoded: dict[str, Decoded]
) -> str:
    """Hash of the classes and of every file's path, label, box and contents."""
    digest = hashlib.sha256("\n".join(class_ids).encode())
    for name in SPLITS:
        digest.update("\n".join(tables[name].paths).encode())
        for array in (tables[name].labels, tables[name].boxes, decoded[name]["digests"]):
            digest.update(np.ascontiguousarray(array).data)
    return digest.hexdigest()


def _sizes(folder: Path, name: str, count: int) -> dict[str, Any]:
    return {
        "images": count,
        "image_bytes": (folder / f"{name}.npy").stat().st_size,
        "columns_sha256": files.file_digest(folder / f"{name}.npz"),
    }
