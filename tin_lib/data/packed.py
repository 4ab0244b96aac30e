"""The packed form: each split as one memory-mapped array, made once from the image files.

A packed data set is a folder ``v<format>-<signature of the source>``::

    meta.json                 classes, fingerprint, statistics, sizes and digests of the rest
    {train,val,test}.npy      uint8 (N, 3, 64, 64), RGB
    {train,val,test}.npz      labels, files, boxes, gray, digests (SHA-256), sums, squares

It is built again if the source's signature changes, or if its files do not agree with meta.json.
Images are compared with their recorded sums if their file is newer than meta.json.
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
from tin_lib.data import layout
from tin_lib.data.annotations import SIZE
from tin_lib.data.decode import CHUNK, Decoded, Progress, channel_sums, decode_files, mean_std
from tin_lib.data.types import Mapped, Split
from tin_lib.process import usable_cores
from tin_lib.writing import naming

FORMAT = 2  # goes up with every change of what is written; other formats are built again
SPLITS = ("train", "val", "test")
SCAN_THREADS = 4  # asking a disk or a file server about 120,000 files is mostly waiting


@dataclass(frozen=True, eq=False)
class Packed:
    """An opened packed data set: meta.json, and the columns of each split."""

    folder: Path
    meta: dict[str, Any]
    columns: dict[str, dict[str, np.ndarray]]

    def split(self, name: str) -> Split:
        """Return a whole split, its images a read-only memory map."""
        path = self.folder / f"{name}.npy"
        try:
            pixels = np.lib.format.open_memmap(path, mode="r")  # neither a pickle nor a zip
            if pixels.dtype != np.uint8 or pixels.shape[1:] != (3, SIZE, SIZE):
                raise ValueError(f"{pixels.dtype} {pixels.shape}")
        except ValueError as error:
            raise ValueError(f"{path} is damaged ({error}); remove {self.folder}") from None
        columns = (self.columns[name][key] for key in ("labels", "files", "boxes", "gray"))
        return Split(name, pixels.view(Mapped), *columns)


def pack(data: str | Path, *, workers: int | None = None, progress: Progress | None = None) -> Path:
    """Pack ``data`` (what ``open_data`` takes) unless that has been done; return the packed folder.

    It is in the environment variable TIN_CACHE's folder if that is set, else in ``.tin_packed`` in
    the data folder, or in the user's cache if the data folder is not writable. ``workers`` are
    processes, at most (and by default) one a core; ``progress`` is called with images done and in
    all. ValueError and FileNotFoundError name a wrong file; OSError if nothing can be written.
    """
    return open_packed(layout.find_root(data), workers, progress).folder


def open_packed(root: Path, workers: int | None = None, progress: Progress | None = None) -> Packed:
    """Open the packed form of ``root``, an absolute path; pack it first if necessary."""
    places = places_of(root)
    if packed := find(places):
        return packed
    nearest = next(folder for folder in places[0].parents if folder.is_dir())
    target = places[0 if os.access(nearest, os.W_OK) else -1]
    home = files.make_folder(target.parent)
    with files.waiting_lock(home / "lock", "tmp-*"):
        if packed := find(places):  # another process has just made it
            return packed
        with naming(target), tempfile.TemporaryDirectory(prefix="tmp-", dir=home) as temporary:
            new = Path(temporary) / "new"
            _build(root, new, workers or len(usable_cores()), progress or (lambda *_: None))
            return _load(_publish(Path(temporary), target))


def source_signature(root: Path) -> str:
    """64 hex digits of names, sizes and times, also of folders: a file moved over one of the same
    size and time counts. No contents are read: opening takes less than a second."""
    lists = [path for path in (root / "wnids.txt", root / "words.txt") if path.is_file()]
    folders = [path for path in (root / "val", root / "test") if path.is_dir()]
    folders += [path for path in sorted((root / "train").iterdir()) if path.is_dir()]
    with ThreadPoolExecutor(SCAN_THREADS) as pool:
        lines = [_line(path.name, path.stat()) for path in lists]
        lines += pool.map(_listing, map(str, folders))
    return hashlib.sha256("".join(lines).encode(errors="surrogateescape")).hexdigest()


def _listing(folder: str, levels: int = 3) -> str:
    """Lines for a folder and for what is in it, at most ``levels`` deep: a link may lead back."""
    lines = []
    with os.scandir(folder) as entries:
        for entry in entries:
            with contextlib.suppress(OSError):  # a link to itself; reading the images names it
                if entry.is_file():
                    lines.append(_line(entry.name, entry.stat()))
                elif levels and entry.is_dir():
                    lines.append(_listing(entry.path, levels - 1))
    return _line(os.path.basename(folder), os.stat(folder)) + "".join(sorted(lines))


def _line(name: str, status: os.stat_result) -> str:
    return f"{name} {status.st_size} {status.st_mtime_ns}\n"


def places_of(root: Path) -> list[Path]:
    """Where the packed form of ``root`` as it is now may be, the preferred place first."""
    name = f"v{FORMAT}-{source_signature(root)[:32]}"
    home = hashlib.sha256(os.fsencode(root)).hexdigest()[:16]
    places = [] if os.environ.get("TIN_CACHE") else [root / ".tin_packed" / name]
    if places and os.path.expanduser("~") == "~":
        return places  # no home is known
    return [*places, files.cache_folder() / "packed" / home / name]


def find(places: list[Path]) -> Packed | None:
    """Return a whole packed form, or None."""
    for place in places:
        with contextlib.suppress(Exception):  # absent or damaged in any way
            return _load(place)
    return None


def _load(folder: Path) -> Packed:
    """Open a packed folder; ValueError if a file is not as it was written."""
    written = (folder / "meta.json").stat().st_mtime_ns
    meta = files.read_object(folder / "meta.json")
    if meta.pop("digest", files.json_digest(meta)) != files.json_digest(meta):
        raise ValueError(f"meta.json in {folder} was changed")
    columns, newer = {}, []
    for name in SPLITS:
        path, status = folder / f"{name}.npz", (folder / f"{name}.npy").stat()
        if status.st_size != meta["splits"][name]["image_bytes"]:
            raise ValueError(f"{name}.npy in {folder} was truncated")
        newer += [name] if status.st_mtime_ns >= written else []
        if files.file_digest(path) != meta["splits"][name]["columns_sha256"]:
            raise ValueError(f"{path} was changed")
        with np.load(path, allow_pickle=False) as arrays:
            columns[name] = dict(arrays)
    packed = Packed(folder, meta, columns)
    for name in newer:
        _check_images(packed.split(name), columns[name])
    if newer and os.access(folder / "meta.json", os.W_OK):  # so that they are not checked again
        os.utime(folder / "meta.json")
    return packed


def _check_images(split: Split, columns: dict[str, np.ndarray]) -> None:
    """Raise ValueError unless each image has its recorded sums and sums of squares."""
    for start in range(0, len(split), CHUNK):
        part = slice(start, start + CHUNK)
        sums, squares = channel_sums(split.images[part])
        for found, name in ((sums, "sums"), (squares, "squares")):
            if not np.array_equal(found, columns[name][part]):
                raise ValueError(f"images of {split.name} were changed")


def _publish(temporary: Path, target: Path) -> Path:
    """Move ``temporary/new``, flushed, to ``target``; remove what an older source was packed to."""
    new = temporary / "new"
    for path in (*new.iterdir(), new):
        files.sync(path)
    if target.exists():
        target.rename(temporary / "old")  # damaged; it goes with the temporary folder
    new.rename(target)
    files.sync(target.parent)
    for other in target.parent.glob("v*-*"):
        number = other.name[1:].partition("-")[0]
        if other != target and number.isdecimal() and int(number) <= FORMAT:  # a newer one is kept
            shutil.rmtree(other, ignore_errors=True)
    return target


def _build(root: Path, folder: Path, workers: int, progress: Progress) -> None:
    """Write the packed form of ``root`` into the new folder ``folder``."""
    folder.mkdir()
    classes = layout.read_classes(root)
    tables, decoded = _decode_all(root, classes, folder, workers, progress)
    splits = {}
    for name, table in tables.items():
        pixels, path = folder / f"{name}.npy", folder / f"{name}.npz"
        names = np.array(table.files, dtype=str)
        own = {"labels": table.labels, "boxes": table.boxes, "files": names}
        np.savez(path, **own, **decoded[name])  # type: ignore[arg-type]
        sizes = {"images": len(table.paths), "image_bytes": pixels.stat().st_size}
        splits[name] = sizes | {"columns_sha256": files.file_digest(path)}
    mean, std = mean_std(decoded["train"]["sums"], decoded["train"]["squares"], SIZE**2)
    meta = {"format": FORMAT, "fingerprint": _fingerprint(classes.ids, tables, decoded)}
    meta |= {"class_ids": classes.ids, "class_names": classes.names}
    meta |= {"mean": mean.tolist(), "std": std.tolist(), "splits": splits}
    meta["digest"] = files.json_digest(meta)
    (folder / "meta.json").write_text(json.dumps(meta, indent=1))


def _decode_all(
    root: Path, classes: layout.Classes, folder: Path, workers: int, progress: Progress
) -> tuple[dict[str, layout.Table], dict[str, Decoded]]:
    """Read the tables and decode the images of every split into ``folder``."""
    from tin_lib.data import images  # here: torchvision takes half of the time of all imports

    tables = {"train": layout.read_train(root, classes), "val": layout.read_val(root, classes)}
    tables["test"] = layout.read_test(root)
    decoder = images.decode_image if classes.listed else images.decode_any
    total, before, decoded = sum(len(table.paths) for table in tables.values()), 0, {}
    needed, free = total * 3 * SIZE**2, shutil.disk_usage(folder).free
    if needed > free:
        raise OSError(
            f"{folder.parents[1]}: packing needs {needed / 1e6:,.1f} MB of space, but only "
            f"{free / 1e6:,.1f} MB are free; free some space, or {files.SET_CACHE}"
        )
    for name, table in tables.items():
        paths, out = [f"{root}/{path}" for path in table.paths], folder / f"{name}.npy"
        report = lambda done: progress(before + done, total)  # noqa: B023
        decoded[name] = decode_files(paths, out, decoder, workers, report)
        before += len(paths)
    return tables, decoded


def _fingerprint(
    class_ids: tuple[str, ...], tables: dict[str, layout.Table], decoded: dict[str, Decoded]
) -> str:
    """Hash of the classes and of every file's name, label, box and contents."""
    digest = hashlib.sha256("\n".join(class_ids).encode())
    for name in SPLITS:
        digest.update("\n".join(tables[name].official_paths).encode())
        for array in (tables[name].labels, tables[name].boxes, decoded[name]["digests"]):
            digest.update(np.ascontiguousarray(array).data)
    return digest.hexdigest()
