"""Folders that cannot be read: one message, and what it advises makes them readable."""

import shutil
from collections.abc import Callable
from pathlib import Path

import pytest
from data_folder import CLASSES
from odd_data import Change, annotation_rows, copied, flatten, refused, sort_val
from PIL import Image

from tin_lib.data import open_data

pytestmark = pytest.mark.usefixtures("own_cache")

BOTH = (ValueError, OSError)
WRONG = f"val/{CLASSES[1]}/val_0.JPEG"  # of class 0
BLANK = "test/images/test_0 (1).JPEG"


def copy_to(place: str, source: str = "val/images/val_0.JPEG") -> Change:
    def change(root: Path) -> None:
        (root / place).parent.mkdir(parents=True, exist_ok=True)
        shutil.copy(root / source, root / place)

    return change


def remove(place: str) -> Change:
    def change(root: Path) -> None:
        path = root / place
        if path.is_dir():
            shutil.rmtree(path)
        else:
            path.unlink()

    return change


def both(*changes: Change) -> Change:
    def change(root: Path) -> None:
        for one in changes:
            one(root)

    return change


def sort_all(root: Path) -> None:
    sort_val(root, "val/{}")


def png(root: Path) -> None:
    """Re-encoded, as some re-uploads are: here every image."""
    for path in root.rglob("*.JPEG"):
        with Image.open(path) as image:
            image.save(path, "PNG")


def larger(root: Path) -> None:
    for path in root.rglob("*.JPEG"):
        with Image.open(path) as image:
            image.resize((96, 80)).save(path, "JPEG")


def unlisted(root: Path) -> None:
    path = root / "wnids.txt"
    path.write_text("\n".join(CLASSES[:2]))


def add_class(root: Path) -> None:
    (root / "wnids.txt").write_text("\n".join(CLASSES))


# Name, change, message, and what the message advises.
REFUSED: list[tuple[str, Change, str, Change]] = [
    (
        "sorted into a wrong folder",
        both(
            sort_all, lambda root: shutil.move(root / f"val/{CLASSES[0]}/val_0.JPEG", root / WRONG)
        ),
        f"val_0.JPEG is of {CLASSES[0]}, not {WRONG}",
        lambda root: shutil.move(root / WRONG, root / f"val/{CLASSES[0]}/val_0.JPEG"),
    ),
    (
        "sorted twice, once wrongly",
        both(sort_all, copy_to(WRONG, f"val/{CLASSES[0]}/val_0.JPEG")),
        f"val_0.JPEG is of {CLASSES[0]}, not {WRONG}",
        remove(WRONG),
    ),
    (
        "an image more in val",
        copy_to("val/images/val_77.JPEG"),
        "no line for .*val_77.JPEG; add it or move the image away",
        remove("val/images/val_77.JPEG"),
    ),
    (
        "a copy of a file manager in val",
        copy_to("val/images/val_0 (1).JPEG"),
        r"no line for .*val_0 \(1\).JPEG",
        remove("val/images/val_0 (1).JPEG"),
    ),
    (
        "a copy of a file manager in test",
        copy_to(BLANK),
        r"test_0 \(1\).JPEG: .*rename or remove it",
        lambda root: (root / BLANK).rename(root / "test/images/test_99.JPEG"),
    ),
    (
        "loose in train",
        copy_to("train/val_0.JPEG"),
        "train/val_0.JPEG is in no class folder; move it away",
        remove("train/val_0.JPEG"),
    ),
    (
        "beside the folder images of a class",
        copy_to(f"train/{CLASSES[0]}/x.JPEG"),
        f"{CLASSES[0]}/x.JPEG is next to the folder .*/images; move it there",
        lambda root: shutil.move(
            root / "train" / CLASSES[0] / "x.JPEG", root / "train" / CLASSES[0] / "images/x.JPEG"
        ),
    ),
    (
        "beside test/images",
        copy_to("test/x.JPEG"),
        "test/x.JPEG is next to the folder .*test/images; move it there or away",
        remove("test/x.JPEG"),
    ),
    (
        "a folder of another class in val",
        copy_to("val/n00000099/x.JPEG"),
        "val/n00000099 is not in wnids.txt; add it or move it away",
        remove("val/n00000099"),
    ),
    (
        "fewer classes listed than there are",
        unlisted,
        f"train/{CLASSES[2]} is not in wnids.txt; add it|class {CLASSES[2]} is not in wnids.txt",
        add_class,
    ),
    ("every image as PNG", png, "not a JPEG image; .* remove wnids.txt", remove("wnids.txt")),
    ("another size", larger, "96x80 pixels, expected 64x64; .* remove wnids", remove("wnids.txt")),
    (
        "no annotations and not sorted",
        both(lambda root: flatten(root / "val"), remove("val/val_annotations.txt")),
        "val/val_0.JPEG is in no class folder, and .*val_annotations.txt does not",
        lambda root: [
            copy_to(f"val/{CLASSES[i % 3]}/{i}.JPEG", f"val/val_{i}.JPEG")(root)
            or (root / f"val/val_{i}.JPEG").unlink()
            for i in range(6)
        ],
    ),
    (
        "no annotations and half sorted",
        both(
            lambda root: sort_val(root, "val/{}", 3),
            remove("val/val_annotations.txt"),
        ),
        "val/images/val_3.JPEG is in no class folder, and .*; move it away, sort it",
        remove("val/images"),
    ),
    (
        "test/images without an image",
        both(remove("test/images"), lambda root: (root / "test/images").mkdir()),
        "test/images contains no images; unpack the data again or remove it",
        remove("test/images"),
    ),
]


@pytest.mark.parametrize(
    ("name", "change", "message", "advised"), REFUSED, ids=[row[0] for row in REFUSED]
)
def test_what_is_advised_works(
    fault, official: Path, tmp_path: Path, name, change, message, advised
) -> None:
    labels = {file: wnid for file, wnid, *_ in annotation_rows(official)}
    with fault("unsupported data layout", name), copied(official, tmp_path) as root:
        change(root)
        refused(root, message, BOTH)
        advised(root)
        data = open_data(root)
        assert data.class_ids == CLASSES
        for file, label in zip(data.val.files.tolist(), data.val.labels.tolist(), strict=True):
            assert labels.get(file, data.class_ids[label]) == data.class_ids[label]


ABSENT: list[tuple[str, Callable[[Path], Path], str]] = [
    ("three levels deep", lambda root: root.parent, "contains neither"),
    ("train itself", lambda root: root / "train", "has no train and no val; give a folder"),
    ("a class", lambda root: root / "train" / CLASSES[0], "has no train and no val"),
    ("a file", lambda root: root / "wnids.txt", "wnids.txt is a file, not a folder"),
    ("below a file", lambda root: root / "wnids.txt" / "x", "no such folder"),
    ("an empty name", lambda root: root / "train" / "..." / "", "no such folder"),
    ("a very long name", lambda root: root / ("x" * 300), "x: no such folder|name too long"),
]


@pytest.mark.parametrize(("name", "place", "message"), ABSENT, ids=[row[0] for row in ABSENT])
def test_another_folder_given(fault, official: Path, tmp_path: Path, name, place, message) -> None:
    above = "a/b/c/data" if name == "three levels deep" else "data"
    with fault("wrong data folder", name), copied(official, tmp_path / "in", above) as root:
        given = tmp_path / "in" if name == "three levels deep" else place(root)
        refused(given, message, BOTH)


@pytest.mark.parametrize("name", ["train", "val", "train/n00000001/images", "val/images"])
def test_a_part_that_is_absent(fault, official: Path, tmp_path: Path, name: str) -> None:
    with fault("unsupported data layout", f"{name} absent"), copied(official, tmp_path) as root:
        shutil.rmtree(root / name)
        refused(root, "unpack the data again|give a folder with both", BOTH)


@pytest.mark.parametrize("given", ["~nobody_of_this_name/data", "", None, 5, b"data", ["data"]])
def test_no_folder_at_all(fault, given: object) -> None:
    with fault("wrong data folder", repr(given)):
        refused(given, "no such folder|must be a folder|contains neither", BOTH)  # type: ignore[arg-type]
