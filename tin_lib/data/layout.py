"""The images in a data folder with their classes, labels and boxes.

Tiny ImageNet as its zip has it, or other images in class folders::

    wnids.txt   words.txt
    train/<class>/images/*.JPEG   train/<class>/<class>_boxes.txt
    val/images/*.JPEG             val/val_annotations.txt
    test/images/*.JPEG

Without wnids.txt the folders in train are the classes. ``images``, words.txt, boxes and test are
optional. Without val_annotations.txt val holds class folders as train does.
"""

import itertools
import os
import re
import shlex
import tarfile
import zipfile
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from PIL import Image

from tin_lib import sample
from tin_lib.data import annotations
from tin_lib.data.annotations import Box

OFFICIAL = "tiny-imagenet-200"  # the folder in the official zip
NESTED = 2  # levels below the folder given at which the data are looked for
UNPRINTABLE = re.compile(r"[\x00-\x1f\x7f\ud800-\udfff]")  # would break tables and messages
NO_BOX = (-1, -1, -1, -1)
ANNOTATIONS = "val_annotations.txt"
# What systems and file servers leave in folders: of no interest, as hidden files are.
SYSTEM = {"thumbs.db", "ehthumbs.db", "desktop.ini", "__macosx", "icon\r", "lost+found", "@eadir"}
SYSTEM |= {"$recycle.bin", "system volume information", "#recycle", "@recycle"}


@dataclass(frozen=True)
class Classes:
    """The classes in order."""

    ids: tuple[str, ...]  # without blanks
    names: tuple[str, ...]
    folders: tuple[str, ...]  # their names
    listed: bool  # in wnids.txt; every image must then be a 64×64 JPEG


@dataclass(frozen=True, eq=False)
class Table:
    """A split's images as files, in row order."""

    paths: list[str]  # relative to the root
    labels: np.ndarray  # int64 (N,), -1 for none
    boxes: np.ndarray  # int16 (N, 4), -1 for none

    @property
    def files(self) -> list[str]:
        """Base names; with the class folder in front, ``cat/1.png``, if two are the same."""
        names = [path.rsplit("/", 1)[1] for path in self.paths]
        if len(set(names)) == len(names):
            return names
        parts = [path.split("/")[1:] for path in self.paths]
        return ["/".join(part for part in path if part != "images") for path in parts]


def find_root(data: str | Path) -> Path:
    """The data folder that ``data`` names, or the only one in it (at most NESTED levels deeper), as
    an absolute path. FileNotFoundError if there is none, ValueError if ``data`` is a file."""
    if not isinstance(data, str | os.PathLike):
        raise ValueError(f"data={data!r}: must be a folder, or 'sample'")
    path = sample.ensure() if str(data) == "sample" else Path(os.path.expanduser(data))
    root = path.resolve()
    if not root.exists():
        advice = f"`tin download {shlex.quote(str(root.parent))}` fetches Tiny ImageNet to"
        raise FileNotFoundError(f"{root}: no such folder; {advice} {root.parent / OFFICIAL}")
    if not root.is_dir():
        kind = "an archive" if zipfile.is_zipfile(root) or tarfile.is_tarfile(root) else "a file"
        advice = f"`tin download FOLDER --source {shlex.quote(str(root))}` unpacks an archive"
        raise ValueError(f"{root} is {kind}, not a folder; unpack it and give the folder; {advice}")
    missing = [name for name in ("train", "val") if not (root / name).is_dir()]
    if not missing:
        return root
    inner = data_folders(root, NESTED) if len(missing) == 2 else []
    if len(inner) == 1:
        return inner[0]
    hint = f"did you mean {' or '.join(map(str, inner))}?" if inner else "give a folder with both"
    raise FileNotFoundError(
        f"{root} holds neither Tiny ImageNet nor class folders train/<class> and val/<class>: "
        f"it has no {' and no '.join(missing)}; {hint}"
    )


def data_folders(folder: Path, levels: int) -> list[Path]:
    """``folder`` if train and val are in it, else the nearest folders below it that have both."""
    for depth in range(levels + 1):
        trains = [path for path in sorted(folder.glob("*/" * depth + "train")) if path.is_dir()]
        both = [path.parent for path in trains if (path.parent / "val").is_dir()]
        if found := [p for p in both if all(map(is_visible, p.relative_to(folder).parts))]:
            return found
    return []


def read_classes(root: Path) -> Classes:
    """The classes of wnids.txt, or else of the folders in train, sorted by id: the folder's name
    with ``_`` for every blank. Names are those in words.txt, or else of the folders."""
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
        folder = f"{root}/train/{absent[0]}, though wnids.txt lists it"
        raise FileNotFoundError(f"class {absent[0]} is missing: no {folder}; unpack the data again")
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
    elif path.is_file():
        files = _images(root / where, ANNOTATIONS)
        if unlabelled := [file for file in files if file not in annotated]:
            raise ValueError(f"{path} has no line for {root / where}/{unlabelled[0]}")
        rows = {f"{where}/{file}": annotated[file][0] for file in files}
    else:
        raise FileNotFoundError(
            f"{path} does not exist, and {root / where} holds no class folders: the classes of its "
            "images are unknown; unpack the data again or sort them into class folders"
        )
    paths = {path.rsplit("/", 1)[1]: path for path in rows}
    annotations.refuse_absent(annotated, paths, path)
    for file, (label, _) in annotated.items():
        if rows[paths[file]] != label:
            raise ValueError(f"{path}: {file} is of {classes.folders[label]}, not {paths[file]}")
    ordered = sorted(rows, key=lambda path: _by_number(path.rsplit("/", 1)[1]))
    boxes = {paths[file]: box for file, (_, box) in annotated.items()}
    return _table({path: rows[path] for path in ordered}, boxes)


def read_test(root: Path) -> Table:
    """List the images of ``test``, if any, as unlabelled, by class folder, then by file number."""
    where = _place(root, "test")
    if not _names(root / "test"):
        return _table({}, {})
    places = [_place(root, f"{where}/{folder}") for folder in _folders(root / where)] or [where]
    paths = [f"{place}/{file}" for place in places for file in _images(root / place)]
    table = _table(dict.fromkeys(paths, -1), {})
    if blank := [path for path, file in zip(paths, table.files) if len(file.split()) != 1]:
        problem = "the name of a test image must not hold blanks, which separate the columns of a"
        raise ValueError(f"{root}/{blank[0]}: {problem} submission; rename or remove it")
    return table


def _in_class_folders(root: Path, where: str, classes: Classes) -> dict[str, int]:
    """Label of each image in the class folders of ``root/where``, by its path."""
    folders = set(_folders(root / where)) - ({"images"} - set(classes.folders))
    if extra := sorted(folders - set(classes.folders)):
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


def is_visible(name: str) -> bool:
    """Whether a file or folder of this name counts: not if it is hidden or of a system."""
    return name[0] != "." and name.lower() not in SYSTEM


def _names(folder: Path) -> list[str]:
    """What is in a folder, if any, except hidden and system files."""
    names = [*filter(is_visible, os.listdir(folder))] if folder.is_dir() else []
    if odd := [name for name in names if UNPRINTABLE.search(name)]:
        problem = "its name holds a control character or is not UTF-8; rename it"
        raise ValueError(f"{str(folder / odd[0])!a}: {problem}")
    return names


def _folders(folder: Path) -> list[str]:
    return [name for name in sorted(_names(folder)) if os.path.isdir(folder / name)]


def _images(folder: Path, *besides: str) -> list[str]:
    """Names of the images in a folder, by the number in them: val_9 before val_10."""
    names = [name for name in _names(folder) if name not in besides]
    readable = {end for end, kind in Image.registered_extensions().items() if kind in Image.OPEN}
    for name in names:
        if os.path.splitext(name)[1].lower() not in readable:
            raise ValueError(f"{folder}/{name} is no image; move it away")
    if not names:
        raise FileNotFoundError(f"{folder} holds no image; unpack the data again or remove it")
    return sorted(names, key=_by_number)


def _by_number(name: str) -> tuple[int, str]:
    return len(name), name  # numbers carry no leading zeros


def _table(rows: dict[str, int], boxes: dict[str, Box]) -> Table:
    """The table of labels and boxes by path, in the order of ``rows``."""
    box = np.array([boxes.get(path, NO_BOX) for path in rows], dtype=np.int16).reshape(-1, 4)
    return Table(list(rows), np.array(list(rows.values()), dtype=np.int64), box)
