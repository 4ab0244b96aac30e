"""Writing the sample: its images, tables of boxes and labels, and class names."""

import shutil
import tempfile
from collections.abc import Iterable
from pathlib import Path

import numpy as np

from tin_lib.files import cache_folder, make_folder
from tin_lib.sample.drawing import CLASSES, OTHER_WORDS, Drawing, draw

TRAIN, VAL, TEST = 120, 20, 20  # images a class
NAME = "sample-v1"  # a change of what is drawn changes this name, so that no old cache is used
_SPLITS = {"train": 0, "val": 1, "test": 2}  # part of each image's seed
# Files that are copies of another: (split, class, number) -> the original. Two pairs within train,
# one of them under two labels; one pair train/val that agrees and one that does not.
_COPIES = {
    ("train", "n90000001", 60): ("train", "n90000001", 20),
    ("train", "n90000008", 90): ("train", "n90000009", 15),
    ("val", "n90000004", 5): ("train", "n90000004", 33),
    ("val", "n90000002", 7): ("train", "n90000003", 44),
}


def ensure() -> Path:
    """The sample's folder in the user's cache, written if absent or incomplete; OSError if not."""
    folder = cache_folder() / NAME
    if not _complete(folder):
        make_folder(folder.parent)
        shutil.rmtree(folder, ignore_errors=True)
        try:
            write(folder)
        except (OSError, ValueError):
            if not _complete(folder):  # another process was not faster
                raise
    return folder


def write(folder: str | Path, seed: int = 0) -> Path:
    """Write the sample into ``folder``, whole or not at all, and return it. The same seed gives the
    same bytes (with the same Pillow). ValueError if the folder is not empty."""
    folder = Path(folder)
    if folder.exists() and (not folder.is_dir() or any(folder.iterdir())):
        raise ValueError(f"{folder} is not empty: give a new folder to write the sample in")
    folder.parent.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(prefix=f".{folder.name}.", dir=folder.parent) as temporary:
        whole = Path(temporary) / "whole"  # a folder of its own: the temporary one is private
        whole.mkdir()
        words = OTHER_WORDS | {wnid: name for wnid, (name, _) in CLASSES.items()}
        (whole / "wnids.txt").write_text("".join(f"{wnid}\n" for wnid in CLASSES))
        _write_rows(whole / "words.txt", sorted(words.items()))
        _write_train(whole, seed)
        for split, count in (("val", VAL), ("test", TEST)):
            _write_mixed(whole / split, count, seed)
        whole.replace(folder)
    return folder


def _complete(folder: Path) -> bool:
    """Whether the files are all there, by number: enough after an atomic write."""
    tables = ["wnids.txt", "words.txt", "val/val_annotations.txt"]
    tables += [f"train/{wnid}/{wnid}_boxes.txt" for wnid in CLASSES]
    counts = {"train/*/images/*": TRAIN, "val/images/*": VAL, "test/images/*": TEST}
    full = all(len([*folder.glob(k)]) == len(CLASSES) * count for k, count in counts.items())
    return full and all((folder / name).is_file() for name in tables)


def _write_train(folder: Path, seed: int) -> None:
    for wnid in CLASSES:
        images = folder / "train" / wnid / "images"
        images.mkdir(parents=True)
        rows = []
        for number in range(TRAIN):
            drawing = _drawing("train", wnid, number, seed)
            name = f"{wnid}_{number}.JPEG"
            (images / name).write_bytes(drawing.data)
            rows.append([name, *drawing.box])
        _write_rows(images.parent / f"{wnid}_boxes.txt", rows)


def _write_mixed(folder: Path, per_class: int, seed: int) -> None:
    """Write a split whose classes are mixed: val with labels and boxes, test without."""
    (folder / "images").mkdir(parents=True)
    pairs = [(wnid, number) for wnid in CLASSES for number in range(per_class)]
    order = np.random.default_rng([seed, _SPLITS[folder.name]]).permutation(len(pairs))
    rows = []
    for place, (wnid, number) in enumerate(pairs[index] for index in order):
        drawing = _drawing(folder.name, wnid, number, seed)
        name = f"{folder.name}_{place}.JPEG"
        (folder / "images" / name).write_bytes(drawing.data)
        rows.append([name, wnid, *drawing.box])
    if folder.name == "val":
        _write_rows(folder / "val_annotations.txt", rows)


def _write_rows(path: Path, rows: Iterable[Iterable]) -> None:
    path.write_text("".join("\t".join(map(str, row)) + "\n" for row in rows))


def _drawing(split: str, wnid: str, number: int, seed: int) -> Drawing:
    """The image with this number in its class, drawn by a generator of its own."""
    split, wnid, number = _COPIES.get((split, wnid, number), (split, wnid, number))
    rng = np.random.default_rng([seed, _SPLITS[split], int(wnid[1:]), number])
    return draw(CLASSES[wnid][1], rng)
