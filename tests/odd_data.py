"""Data sets as people have them: copies of the tiny official layout, changed, and compared with it.

``refused`` and ``same`` say what is right: one message, or the same images with the same labels."""

import contextlib
import re
import shutil
from collections.abc import Callable, Iterator
from pathlib import Path

import numpy as np
import pytest
from data_folder import write_folder

from tin_lib.data import TinyImageNet, open_data

Change = Callable[[Path], object]


@contextlib.contextmanager
def copied(official: Path, folder: Path, name: str = "data") -> Iterator[Path]:
    """A copy of the data set that is removed at the end."""
    root = folder / name
    shutil.copytree(official, root)
    yield root
    shutil.rmtree(root, ignore_errors=True)


def make_official(folder: Path) -> Path:
    """The tiny data set in the official layout."""
    return write_folder(folder / "tiny-imagenet-200")


def same(found: TinyImageNet, official: TinyImageNet, but: str = "") -> None:
    """Assert that images, labels, boxes and names are equal, except what ``but`` names: ``names``
    (of classes), ``test``, ``val boxes``, ``train boxes`` or ``files``."""
    assert found.class_ids == official.class_ids
    assert found.class_names == (found.class_ids if but == "names" else official.class_names)
    for split in ("train", "val", "test"):
        one, other = found.split(split), official.split(split)
        if but == split:
            assert len(one) == 0
            continue
        if but != "files":
            assert one.files.tolist() == other.files.tolist()
        np.testing.assert_array_equal(one.labels, other.labels)
        np.testing.assert_array_equal(one.images, other.images)
        without = but == f"{split} boxes"
        np.testing.assert_array_equal(
            one.boxes, np.full_like(other.boxes, -1) if without else other.boxes
        )
    unchanged = but in ("", "names")
    assert (found.fingerprint == official.fingerprint) is unchanged


def refused(root: Path, message: str, kind: type[Exception] | tuple[type[Exception], ...]) -> str:
    """Assert that opening is one message that matches, and return it."""
    with pytest.raises(kind) as caught:
        open_data(root)
    told = str(caught.value)
    assert re.search(message, told), told
    assert "\n" not in told
    return told


def annotation_rows(root: Path) -> list[list[str]]:
    """The fields of each line of val_annotations.txt."""
    lines = (root / "val" / "val_annotations.txt").read_text().splitlines()
    return [line.split("\t") for line in lines]


def sort_val(root: Path, place: str, count: int | None = None, copy: bool = False) -> None:
    """Sort the first ``count`` validation images (None: all) into ``place``, with ``{}`` for the
    class, as the usual scripts do."""
    for file, wnid, *_ in annotation_rows(root)[:count]:
        target = root / place.format(wnid)
        target.mkdir(parents=True, exist_ok=True)
        (shutil.copy if copy else shutil.move)(root / "val" / "images" / file, target / file)


def flatten(folder: Path) -> None:
    """Move what is in its folder ``images`` into the folder itself."""
    for path in (folder / "images").iterdir():
        path.rename(folder / path.name)
    (folder / "images").rmdir()
