"""The official folder layout: what is in it, and whether it is whole.

::

    wnids.txt   words.txt
    train/<wnid>/images/<wnid>_N.JPEG    train/<wnid>/<wnid>_boxes.txt
    val/images/val_N.JPEG                val/val_annotations.txt
    test/images/test_N.JPEG
"""

import itertools
import os
import zipfile
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

import numpy as np

SIZE = 64  # pixels, width and height of every image
NEEDED = ("wnids.txt", "words.txt", "train", "val/images", "val/val_annotations.txt", "test/images")
NO_BOX = (-1, -1, -1, -1)


@dataclass(frozen=True, eq=False)
class Table:
    """A split's images as files, in row order.

    paths: relative to the root; labels: int64 (N,), -1 for none; boxes: int16 (N, 4), -1 for none.
    """

    paths: list[str]
    labels: np.ndarray
    boxes: np.ndarray


def find_root(data: str | Path) -> Path:
    """Return the official-layout folder that ``data`` means."""
    if str(data) == "sample":
        from tin_lib import sample

        data = sample.ensure()
    return check_root(data)


def check_root(data: str | Path) -> Path:
    """Return ``data`` as an absolute path after checking that it looks like Tiny ImageNet.

    Raises FileNotFoundError where there is no such folder or a part of it is missing, and
    ValueError where it is a file.
    """
    root = Path(data).expanduser().resolve()
    if not root.exists():
        raise FileNotFoundError(f"{root}: no such folder; fetch it with `tin download {root}`")
    if not root.is_dir():
        kind = "a zip file" if zipfile.is_zipfile(root) else "a file"
        raise ValueError(
            f"{root} is {kind}, not a folder; unpack it with "
            f"`tin download FOLDER --source {root}` and give the folder"
        )
    missing = [name for name in NEEDED if not (root / name).exists()]
    if missing:
        raise FileNotFoundError(_not_tiny_imagenet(root, missing))
    return root


def _not_tiny_imagenet(root: Path, missing: list[str]) -> str:
    inner = sorted(root.glob("*/wnids.txt"))
    hint = f"did you mean {inner[0].parent}?" if inner else "give the folder that has wnids.txt"
    if missing == ["val/val_annotations.txt"]:
        hint = "val must lie as in the official zip, not sorted into class folders"
    return f"{root} is not Tiny ImageNet: it has no {', '.join(missing)}; {hint}"


def read_classes(root: Path) -> tuple[tuple[str, ...], tuple[str, ...]]:
    """Return the class ids of wnids.txt, sorted, and their names from words.txt."""
    ids = sorted(_read_text(root / "wnids.txt").split())
    if not ids:
        raise ValueError(f"{root / 'wnids.txt'} is empty; it must list one class id a line")
    _refuse_repeats(ids, root / "wnids.txt")
    lines = _read_text(root / "words.txt").splitlines()
    words = dict(line.split("\t", 1) for line in lines if "\t" in line)
    unnamed = [wnid for wnid in ids if wnid not in words]
    if unnamed:
        raise ValueError(f"{root / 'words.txt'} has no line for class {unnamed[0]}")
    return tuple(ids), tuple(words[wnid].strip() for wnid in ids)


def read_labelled(root: Path, class_ids: tuple[str, ...]) -> dict[str, Table]:
    """List the images of ``train``, ordered by class, and of ``val``; then by file number."""
    return {"train": _train_table(root, class_ids), "val": _val_table(root, class_ids)}


def read_test(root: Path) -> Table:
    """List the images of ``test``, ordered by file number."""
    files = _image_names(root / "test" / "images")
    return _table([f"test/images/{f}" for f in files], [-1] * len(files), [NO_BOX] * len(files))


def _train_table(root: Path, class_ids: tuple[str, ...]) -> Table:
    _check_class_folders(root, class_ids)
    paths: list[str] = []
    labels: list[int] = []
    boxes: list[tuple[int, ...]] = []
    for label, wnid in enumerate(class_ids):
        files = _image_names(root / "train" / wnid / "images")
        found = _read_boxes(root / "train" / wnid / f"{wnid}_boxes.txt", set(files))
        paths += [f"train/{wnid}/images/{file}" for file in files]
        labels += [label] * len(files)
        boxes += [found.get(file, NO_BOX) for file in files]
    return _table(paths, labels, boxes)


def _check_class_folders(root: Path, class_ids: tuple[str, ...]) -> None:
    """Every class of wnids.txt has its folder, and every folder its line in wnids.txt."""
    with os.scandir(root / "train") as entries:
        there = {e.name for e in entries if e.is_dir() and not e.name.startswith(".")}
    for wnid in class_ids:
        if not (root / "train" / wnid / "images").is_dir():
            raise FileNotFoundError(
                f"class {wnid} is missing: {root}/train/{wnid}/images does not exist, "
                "though wnids.txt lists it; unpack the data again"
            )
    extra = sorted(there - set(class_ids))
    if extra:
        raise ValueError(f"{root}/train/{extra[0]} is not in wnids.txt; add it or move it away")


def _read_boxes(path: Path, files: set[str]) -> dict[str, tuple[int, ...]]:
    if not path.is_file():
        return {}  # boxes are used to judge explanations only, so an absent file is no error
    boxes = {}
    for line, (file, *numbers) in _rows(path, columns=5):
        boxes[file] = _box(path, line, numbers)
    _refuse_absent(boxes, files, path)
    return boxes


def _val_table(root: Path, class_ids: tuple[str, ...]) -> Table:
    path = root / "val" / "val_annotations.txt"
    files = _image_names(root / "val" / "images")
    code = {wnid: label for label, wnid in enumerate(class_ids)}
    rows: dict[str, tuple[int, tuple[int, ...]]] = {}
    for line, (file, wnid, *numbers) in _rows(path, columns=6):
        if wnid not in code:
            raise ValueError(f"{path}, line {line}: class {wnid} is not in wnids.txt")
        if file in rows:
            raise ValueError(f"{path}, line {line}: {file} is listed twice")
        rows[file] = code[wnid], _box(path, line, numbers)
    _refuse_absent(rows, set(files), path)
    unlabelled = [file for file in files if file not in rows]
    if unlabelled:
        raise ValueError(f"{path} has no line for {root}/val/images/{unlabelled[0]}")
    labels, boxes = [rows[f][0] for f in files], [rows[f][1] for f in files]
    return _table([f"val/images/{file}" for file in files], labels, boxes)


def _table(paths: list[str], labels: list[int], boxes: list[tuple[int, ...]]) -> Table:
    box_array = np.array(boxes, dtype=np.int16).reshape(-1, 4)
    return Table(paths, np.array(labels, dtype=np.int64), box_array)


def _image_names(folder: Path) -> list[str]:
    """JPEG file names in a folder, by the number in them: val_9 before val_10."""
    with os.scandir(folder) as entries:
        names = [e.name for e in entries if _is_image(e.name)]
    if not names:
        raise FileNotFoundError(f"{folder} holds no .JPEG file; unpack the data again")
    return sorted(names, key=lambda name: (len(name), name))  # numbers carry no leading zeros


def _is_image(name: str) -> bool:
    return name.lower().endswith((".jpeg", ".jpg")) and not name.startswith(".")


def _rows(path: Path, columns: int) -> Iterable[tuple[int, list[str]]]:
    """Yield line number and fields of a tab-separated file, blank lines left out."""
    for number, line in enumerate(_read_text(path).splitlines(), 1):
        fields = line.split("\t")
        if len(fields) == columns:
            yield number, fields
        elif line.strip():
            raise ValueError(f"{path}, line {number}: {len(fields)} columns, expected {columns}")


def _box(path: Path, line: int, numbers: list[str]) -> tuple[int, ...]:
    try:
        x0, y0, x1, y1 = map(int, numbers)
    except ValueError:
        raise ValueError(f"{path}, line {line}: the box {numbers} is not four integers") from None
    if not (0 <= x0 <= x1 < SIZE and 0 <= y0 <= y1 < SIZE):
        raise ValueError(f"{path}, line {line}: the box {(x0, y0, x1, y1)} leaves the image")
    return x0, y0, x1, y1


def _refuse_absent(listed: Iterable[str], files: set[str], path: Path) -> None:
    absent = [file for file in listed if file not in files]
    if absent:
        raise FileNotFoundError(
            f"{path} names {absent[0]}, but {path.parent}/images/{absent[0]} does not exist; "
            "unpack the data again"
        )


def _refuse_repeats(ids: list[str], path: Path) -> None:
    twice = [a for a, b in itertools.pairwise(ids) if a == b]
    if twice:
        raise ValueError(f"{path} lists class {twice[0]} twice")


def _read_text(path: Path) -> str:
    try:
        return path.read_text(encoding="utf-8-sig")  # some editors put a mark first
    except UnicodeDecodeError as error:
        raise ValueError(f"{path} is not text ({error}); unpack the data again") from None
