"""The folders of a data set: which images are in them, their classes, labels and boxes.

Tiny ImageNet as its zip has it, or anybody's pictures in class folders::

    wnids.txt   words.txt
    train/<class>/images/*.JPEG   train/<class>/<class>_boxes.txt
    val/images/*.JPEG             val/val_annotations.txt
    test/images/*.JPEG

Without wnids.txt the folders in train are the classes. Folders ``images``, words.txt, boxes and
test are optional. Without val_annotations.txt val holds class folders as train does.
"""

import contextlib
import itertools
import os
import re
import shlex
import zipfile
from dataclasses import dataclass
from functools import cache
from pathlib import Path

import numpy as np
from PIL import Image

from tin_lib.data import annotations
from tin_lib.data.annotations import Box

NO_BOX = (-1, -1, -1, -1)
ANNOTATIONS = "val_annotations.txt"
SYSTEM = ("thumbs.db", "desktop.ini", "__macosx", "@eadir")  # of no interest, as hidden files are


@dataclass(frozen=True)
class Classes:
    """The classes in order: ids without blanks, names, and names of their folders.

    ``listed``: whether wnids.txt lists them, so that every image must be a 64×64 JPEG.
    """

    ids: tuple[str, ...]
    names: tuple[str, ...]
    folders: tuple[str, ...]
    listed: bool


@dataclass(frozen=True, eq=False)
class Table:
    """A split's images as files, in row order.

    paths: relative to the root; labels: int64 (N,), -1 for none; boxes: int16 (N, 4), -1 for none.
    """

    paths: list[str]
    labels: np.ndarray
    boxes: np.ndarray

    @property
    def files(self) -> list[str]:
        """Base names; with the class folder in front, ``cat/1.png``, if two are the same."""
        names = [path.rsplit("/", 1)[1] for path in self.paths]
        if len(set(names)) == len(names):
            return names
        parts = [path.split("/")[1:] for path in self.paths]
        return ["/".join(part for part in path if part != "images") for path in parts]


def find_root(data: str | Path) -> Path:
    """Return the data folder that ``data`` names, as an absolute path.

    Raises FileNotFoundError if there is no such folder or train or val is missing in it, and
    ValueError if it is a file.
    """
    if str(data) == "sample":
        from tin_lib import sample

        data = sample.ensure()
    root = Path(data).expanduser().resolve()
    if not root.exists():
        advice = f"`tin download {shlex.quote(str(root.parent))}`"
        makes = root.parent / "tiny-imagenet-200"
        raise FileNotFoundError(
            f"{root}: no such folder; {advice} fetches Tiny ImageNet to {makes}"
        )
    if not root.is_dir():
        kind = "a zip file" if zipfile.is_zipfile(root) else "a file"
        raise ValueError(
            f"{root} is {kind}, not a folder; unpack it (the official zip with "
            f"`tin download FOLDER --source {shlex.quote(str(root))}`) and give the folder"
        )
    if missing := [name for name in ("train", "val") if not (root / name).is_dir()]:
        inner = sorted(root.glob("*/train"))
        hint = f"did you mean {inner[0].parent}?" if inner else "give a folder with both"
        raise FileNotFoundError(
            f"{root} holds neither Tiny ImageNet nor class folders train/<class> and val/<class>: "
            f"it has no {' and no '.join(missing)}; {hint}"
        )
    return root


def read_classes(root: Path) -> Classes:
    """Read the classes of wnids.txt, or else of the folders in train, sorted by id.

    An id is the folder's name with ``_`` for every blank, since blanks separate the ids in text
    files. Names come from words.txt, or else are those of the folders.
    """
    path = root / "wnids.txt"
    listed = path.is_file()
    path = path if listed else root / "train"
    found = map(str.strip, annotations.read_text(path).splitlines()) if listed else _folders(path)
    pairs = sorted((re.sub(r"\s", "_", folder), folder) for folder in found if folder)
    if not pairs:
        raise ValueError(f"{path} is empty; it must name the classes")
    for (one, first), (other, second) in itertools.pairwise(pairs):
        if one == other:
            raise ValueError(f"{path} lists class {one} twice: {first!r} and {second!r}")
    words = annotations.read_words(root / "words.txt")
    ids, folders = zip(*pairs)
    unnamed = [folder for folder in folders if folder not in words]
    if listed and words and unnamed:
        raise ValueError(f"{root / 'words.txt'} has no line for class {unnamed[0]}")
    return Classes(ids, tuple(words.get(folder, folder) for folder in folders), folders, listed)


def read_train(root: Path, classes: Classes) -> Table:
    """List the images of ``train``, ordered by class, then by file number."""
    if absent := sorted(set(classes.folders) - set(_folders(root / "train"))):
        raise FileNotFoundError(
            f"class {absent[0]} is missing: {root}/train/{absent[0]} does not exist, "
            "though wnids.txt lists it; unpack the data again"
        )
    rows = _in_class_folders(root, "train", classes)
    boxes: dict[str, Box] = {}
    for label, images in itertools.groupby(rows, key=rows.__getitem__):
        name = classes.folders[label]
        boxes |= annotations.read_boxes(root / "train" / name / f"{name}_boxes.txt", list(images))
    return _table(rows, boxes)


def read_val(root: Path, classes: Classes) -> Table:
    """List the images of ``val``, ordered by file number."""
    path = root / "val" / ANNOTATIONS
    annotated = annotations.read_annotations(path, classes.folders) if path.is_file() else {}
    where = "val/images" if _names(root / "val/images") else "val"
    if set(_folders(root / where)) - {"images"}:
        rows = _in_class_folders(root, where, classes)
    else:
        files = _images(root / where, ANNOTATIONS)
        if not path.is_file():
            raise FileNotFoundError(
                f"{path} does not exist, and {root / where} holds no class folders: the classes of "
                "its images are unknown; unpack the data again or sort them into class folders"
            )
        if unlabelled := [file for file in files if file not in annotated]:
            raise ValueError(f"{path} has no line for {root / where}/{unlabelled[0]}")
        rows = {f"{where}/{file}": annotated[file][0] for file in files}
    paths = {path.rsplit("/", 1)[1]: path for path in rows}
    annotations.refuse_absent(annotated, paths, path)
    for file, (label, _) in annotated.items():
        if rows[paths[file]] != label:
            raise ValueError(f"{path}: {file} is of {classes.folders[label]}, not {paths[file]}")
    ordered = sorted(rows, key=lambda path: _by_number(path.rsplit("/", 1)[1]))
    boxes = {paths[file]: box for file, (_, box) in annotated.items()}
    return _table({path: rows[path] for path in ordered}, boxes)


def read_test(root: Path) -> Table:
    """List the images of ``test``, by class folder if there are any, then by file number.

    They count as unlabelled. No images if there is no such folder.
    """
    where = "test/images" if (root / "test/images").is_dir() else "test"
    if where == "test" and not _names(root / "test"):
        return _table({}, {})
    folders = _folders(root / where)
    places = [_place(root, f"{where}/{folder}") for folder in folders] or [where]
    paths = [f"{place}/{file}" for place in places for file in _images(root / place)]
    table = _table(dict.fromkeys(paths, -1), {})
    for path, file in zip(paths, table.files):
        if len(file.split()) != 1:
            raise ValueError(
                f"{root}/{path}: the name of a test image must not hold blanks, which separate "
                "the columns of a submission; rename or remove it"
            )
    return table


def _in_class_folders(root: Path, where: str, classes: Classes) -> dict[str, int]:
    """Label of each image in the class folders of ``root/where``, by its path."""
    known = set(classes.folders)
    folders = [name for name in _folders(root / where) if name in known or name != "images"]
    if extra := sorted(set(folders) - known):
        source = "in wnids.txt" if classes.listed else "a class: train has no such folder"
        raise ValueError(f"{root}/{where}/{extra[0]} is not {source}; add it or move it away")
    if loose := sorted(set(_names(root / where)) - {*folders, "images", ANNOTATIONS}):
        raise ValueError(f"{root}/{where}/{loose[0]} lies in no class folder; move it away")
    rows: dict[str, int] = {}
    for label, folder in enumerate(classes.folders):
        if folder in folders:
            place = _place(root, f"{where}/{folder}")
            rows |= {f"{place}/{f}": label for f in _images(root / place, f"{folder}_boxes.txt")}
    return rows


def _place(root: Path, folder: str) -> str:
    """Where the images of a class folder are: in its folder ``images``, or in itself."""
    return f"{folder}/images" if (root / folder / "images").is_dir() else folder


def _names(folder: Path) -> list[str]:
    """What is in a folder but for hidden and system files; nothing if there is no folder."""
    with contextlib.suppress(FileNotFoundError, NotADirectoryError):
        return [n for n in os.listdir(folder) if n[0] != "." and n.lower() not in SYSTEM]
    return []


def _folders(folder: Path) -> list[str]:
    return [name for name in sorted(_names(folder)) if os.path.isdir(folder / name)]


def _images(folder: Path, *besides: str) -> list[str]:
    """Names of the images in a folder, by the number in them: val_9 before val_10."""
    names = [name for name in _names(folder) if name not in besides]
    for name in names:
        if os.path.splitext(name)[1].lower() not in _suffixes():
            raise ValueError(f"{folder}/{name} is no image; move it away")
    if not names:
        raise FileNotFoundError(f"{folder} holds no image; unpack the data again or remove it")
    return sorted(names, key=_by_number)


def _by_number(name: str) -> tuple[int, str]:
    return len(name), name  # numbers carry no leading zeros


@cache
def _suffixes() -> frozenset[str]:
    """Suffixes of the formats that Pillow reads."""
    known = Image.registered_extensions()
    return frozenset(suffix for suffix, kind in known.items() if kind in Image.OPEN)


def _table(rows: dict[str, int], boxes: dict[str, Box]) -> Table:
    """The table of labels and boxes by path, in the order of ``rows``."""
    box = np.array([boxes.get(path, NO_BOX) for path in rows], dtype=np.int16).reshape(-1, 4)
    return Table(list(rows), np.array(list(rows.values()), dtype=np.int64), box)
