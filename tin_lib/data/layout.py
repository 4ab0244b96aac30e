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

from tin_lib import sample
from tin_lib.data import annotations, folders
from tin_lib.data.annotations import Box

OFFICIAL = "tiny-imagenet-200"  # the folder in the official zip
NESTED = 2  # levels below the folder given at which the data are looked for
NO_BOX = (-1, -1, -1, -1)
ANNOTATIONS = "val_annotations.txt"


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

    split: str
    paths: list[str]  # relative to the root
    labels: np.ndarray  # int64 (N,), -1 for none
    boxes: np.ndarray  # int16 (N, 4), -1 for none

    @property
    def files(self) -> list[str]:
        """Base names; with the class folder in front, ``cat/1.png``, if two are the same."""
        names = [*map(_name, self.paths)]
        if len(set(names)) == len(names):
            return names
        parts = [path.split("/")[1:] for path in self.paths]
        return ["/".join(part for part in path if part != "images") for path in parts]

    @property
    def official_paths(self) -> list[str]:
        """Where the zip has these images: the fingerprint must not depend on the folders."""
        folder = "{1}/images" if self.split == "train" else "images"
        parts = [path.split("/") for path in self.paths]
        return [f"{self.split}/{folder.format(*path)}/{path[-1]}" for path in parts]


def find_root(data: str | Path) -> Path:
    """The data folder that ``data`` names, or the only one in it (at most NESTED levels deeper), as
    an absolute path. FileNotFoundError if there is none, ValueError if ``data`` is a file."""
    if not isinstance(data, str | os.PathLike):
        raise ValueError(f"data={data!r}: must be a folder, or 'sample'")
    path = sample.ensure() if str(data) == "sample" else Path(os.path.expanduser(data))
    root = path.resolve()
    if not root.exists():
        advice = f"`tin download {shlex.quote(str(root.parent))}` downloads Tiny ImageNet to"
        raise FileNotFoundError(f"{root}: no such folder; {advice} {root.parent / OFFICIAL}")
    if not root.is_dir():
        kind = "an archive" if zipfile.is_zipfile(root) or tarfile.is_tarfile(root) else "a file"
        advice = f"`tin download FOLDER --source {shlex.quote(str(root))}` unpacks an archive"
        raise ValueError(f"{root} is {kind}, not a folder; unpack it and give the folder; {advice}")
    missing = [name for name in ("train", "val") if not (root / name).is_dir()]
    if not missing:
        return root
    inner = folders.data_folders(root, NESTED) if len(missing) == 2 else []
    if len(inner) == 1:
        return inner[0]
    hint = f"did you mean {' or '.join(map(str, inner))}?" if inner else "give a folder with both"
    raise FileNotFoundError(
        f"{root} contains neither Tiny ImageNet nor class folders train/<class> and val/<class>: "
        f"it has no {' and no '.join(missing)}; {hint}"
    )


def read_classes(root: Path) -> Classes:
    """The classes of wnids.txt, or else of the folders in train, sorted by id: the folder's name
    with ``_`` for every blank. Names are those in words.txt, or else of the folders."""
    path = root / "wnids.txt"
    listed = path.is_file()
    path = path if listed else root / "train"
    lines = annotations.read_text(path).split("\n") if listed else []
    found = [line.split("\t")[0].strip() for line in lines] or folders.folders_in(path)
    pairs = sorted((re.sub(r"\s", "_", folder), folder) for folder in found if folder)
    if not pairs:
        raise ValueError(f"{path} is empty; it must name the classes")
    for (one, first), (other, second) in itertools.pairwise(pairs):
        if one == other:
            raise ValueError(f"{path} lists class {one} twice: {first!r} and {second!r}")
    words = annotations.read_words(root / "words.txt")
    ids, own = zip(*pairs)
    unnamed = [folder for folder in own if folder not in words]
    if listed and words and unnamed:
        problem = f"has no line for class {unnamed[0]} of {path}; correct one of the two"
        raise ValueError(f"{root / 'words.txt'} {problem}")
    return Classes(ids, tuple(words.get(folder, folder) for folder in own), own, listed)


def read_train(root: Path, classes: Classes) -> Table:
    """List the images of ``train``, ordered by class, then by file number."""
    there = set(folders.folders_in(root / "train"))
    if absent := sorted(set(classes.folders) - there):
        folder = f"{root}/train/{absent[0]}, though wnids.txt lists it"
        raise FileNotFoundError(f"class {absent[0]} is missing: no {folder}; unpack the data again")
    if loose := sorted(set(folders.names_in(root / "train")) - there):
        raise ValueError(f"{root}/train/{loose[0]} is in no class folder; move it away")
    rows = _in_class_folders(root, "train", classes)
    boxes: dict[str, Box] = {}
    for label, images in itertools.groupby(rows, key=rows.__getitem__):
        name = classes.folders[label]
        boxes |= annotations.read_boxes(root / "train" / name / f"{name}_boxes.txt", list(images))
    return _table("train", rows, boxes)


def read_val(root: Path, classes: Classes) -> Table:
    """List the images of ``val``, ordered by file number. Those in no class folder have the label
    in val_annotations.txt; with the others it must agree. A second copy is left out."""
    path = root / "val" / ANNOTATIONS
    annotated = annotations.read_annotations(path, classes.folders)
    images = _val_images(root, classes, may_be_empty=bool(annotated))
    by_name = {_name(image): image for image in images}
    listed = annotations.match(annotated, by_name, path)
    of_file = {listed[name]: row for name, row in annotated.items()}
    rows: dict[str, int] = {}
    boxes: dict[str, Box] = {}
    for image in sorted(images, key=lambda image: folders.by_number(_name(image))):
        label, box = of_file.get(_name(image), (images[image], NO_BOX))
        if label is None:
            if path.is_file():
                problem = f"{path} has no line for {root / image}"
                raise ValueError(f"{problem}; add it or move the image away")
            problem = f"{root / image} is in no class folder, and {path} does not exist"
            raise FileNotFoundError(f"{problem}; move it away, sort it, or unpack the data again")
        if images[image] not in (None, label):
            raise ValueError(f"{path}: {_name(image)} is of {classes.folders[label]}, not {image}")
        if _name(image) not in of_file or by_name[_name(image)] == image:
            rows[image], boxes[image] = label, box
    return _table("val", rows, boxes)


def _val_images(root: Path, classes: Classes, may_be_empty: bool) -> dict[str, int | None]:
    """The images of val by path, with the label of their class folder, if they are in one."""
    found: dict[str, int | None] = {}
    for where in ("val", "val/images")[: 1 + ("images" not in classes.folders)]:
        found |= _in_class_folders(root, where, classes, may_be_empty)
        loose = filter(folders.has_image_name, folders.names_in(root / where))
        found |= dict.fromkeys(f"{where}/{name}" for name in loose)
    if found:
        return found
    raise FileNotFoundError(f"{root}/val contains no images; unpack the data again")


def read_test(root: Path) -> Table:
    """List the images of ``test``, if any, as unlabelled, by class folder, then by file number."""
    if not folders.names_in(root / "test"):
        return _table("test", {}, {})
    where = folders.place(root, "test")
    inner = folders.folders_in(root / where)
    places = [folders.place(root, f"{where}/{folder}") for folder in inner]
    if set(folders.names_in(root / where)) - set(inner) or not inner:
        places.insert(0, where)
    paths = [f"{at}/{file}" for at in places for file in folders.images_in(root / at, inner)]
    table = _table("test", dict.fromkeys(paths, -1), {})
    if blank := [path for path, file in zip(paths, table.files) if len(file.split()) != 1]:
        problem = "a test image's name must not contain blanks, which separate the columns of a"
        raise ValueError(f"{root}/{blank[0]}: {problem} submission; rename or remove it")
    return table


def _in_class_folders(
    root: Path, where: str, classes: Classes, may_be_empty: bool = False
) -> dict[str, int]:
    """Label of each image in the class folders of ``root/where``, by its path."""
    there = set(folders.folders_in(root / where))
    if extra := sorted(there - {*classes.folders, "images"}):
        source = "in wnids.txt" if classes.listed else "a class: train has no such folder"
        raise ValueError(f"{root}/{where}/{extra[0]} is not {source}; add it or move it away")
    rows: dict[str, int] = {}
    for label, folder in enumerate(classes.folders):
        if folder in there:
            place = folders.place(root, f"{where}/{folder}")
            if folders.names_in(root / place) or not may_be_empty:
                images = folders.images_in(root / place, (f"{folder}_boxes.txt",))
                rows |= {f"{place}/{file}": label for file in images}
    return rows


def _name(path: str) -> str:
    return path.rsplit("/", 1)[1]


def _table(split: str, rows: dict[str, int], boxes: dict[str, Box]) -> Table:
    """The table of labels and boxes by path, in the order of ``rows``."""
    box = np.array([boxes.get(path, NO_BOX) for path in rows], dtype=np.int16).reshape(-1, 4)
    return Table(split, list(rows), np.array(list(rows.values()), dtype=np.int64), box)
