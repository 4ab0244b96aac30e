"""The layouts in which copies of Tiny ImageNet lie about: read as the official one, or refused."""

import shutil
from pathlib import Path

import numpy as np
import pytest
from data_folder import CLASSES
from odd_data import Change, copied, flatten, refused, same, sort_val

from tin_lib.data import TinyImageNet, open_data, pack

pytestmark = pytest.mark.usefixtures("own_cache")

KIND = "odd layout"
BOTH = (ValueError, OSError)


PLACES = ("val/{}", "val/{}/images", "val/images/{}")


@pytest.mark.parametrize("place", PLACES)
def test_val_sorted_by_a_script_that_was_stopped(
    fault, official: Path, expected: TinyImageNet, tmp_path: Path, place: str
) -> None:
    for count in range(7):
        for kept in ("moved", "copied"):
            with fault(KIND, f"{count} of 6 {kept} to {place}"), copied(official, tmp_path) as root:
                sort_val(root, place, count, copy=kept == "copied")
                same(open_data(root), expected)


@pytest.mark.parametrize("place", PLACES)
def test_val_sorted_without_annotations(
    fault, official: Path, expected: TinyImageNet, tmp_path: Path, place: str
) -> None:
    with fault(KIND, f"{place}, no annotations"), copied(official, tmp_path) as root:
        sort_val(root, place)
        (root / "val" / "val_annotations.txt").unlink()
        same(open_data(root), expected, but="val boxes")


def train_without_images(root: Path) -> None:
    for name in CLASSES:
        flatten(root / "train" / name)


def one_class_without_images(root: Path) -> None:
    flatten(root / "train" / CLASSES[1])


def val_without_images(root: Path) -> None:
    flatten(root / "val")


def test_without_images(root: Path) -> None:
    flatten(root / "test")


test_without_images.__test__ = False  # type: ignore[attr-defined]  # it is no test


def sorted_test(root: Path) -> None:
    for number in range(4):
        folder = root / "test" / "images" / f"{number // 2}"
        folder.mkdir(exist_ok=True)
        (root / "test" / "images" / f"test_{number}.JPEG").rename(folder / f"test_{number}.JPEG")


def empty_val_folders(root: Path) -> None:
    for name in CLASSES:
        (root / "val" / name / "images").mkdir(parents=True)


def no_boxes(root: Path) -> None:
    for name in CLASSES:
        (root / "train" / name / f"{name}_boxes.txt").unlink()


def no_wnids_nor_words(root: Path) -> None:
    (root / "wnids.txt").unlink()
    (root / "words.txt").unlink()


def suffixes(end: str) -> Change:
    def rename(root: Path) -> None:
        for path in root.rglob("*.JPEG"):
            path.rename(path.with_suffix(end))

    return rename


def linked(root: Path) -> None:
    """Every folder of images is a link, as data on a shared disk often are."""
    shutil.move(root / "train", root / "elsewhere")
    (root / "train").symlink_to(root / "elsewhere")
    shutil.move(root / "val" / "images", root / "val_elsewhere")
    (root / "val" / "images").symlink_to(root / "val_elsewhere")


READ: list[tuple[str, Change, str]] = [
    ("train without images", train_without_images, ""),
    ("a class without images", one_class_without_images, ""),
    ("val without images", val_without_images, ""),
    ("test without images", test_without_images, ""),
    ("test sorted", sorted_test, ""),
    ("empty class folders in val", empty_val_folders, ""),
    ("folders that are links", linked, ""),
    ("no wnids.txt", lambda root: (root / "wnids.txt").unlink(), ""),
    ("no words.txt", lambda root: (root / "words.txt").unlink(), "names"),
    ("neither", no_wnids_nor_words, "names"),
    ("no test", lambda root: shutil.rmtree(root / "test"), "test"),
    ("no test image", lambda root: shutil.rmtree(root / "test/images"), "test"),
    ("no boxes", no_boxes, "train boxes"),
    (".jpeg", suffixes(".jpeg"), "files"),
    (".jpg", suffixes(".jpg"), "files"),
    (".JPG", suffixes(".JPG"), "files"),
    ("text beside val", lambda root: (root / "val/README.txt").write_text("sorted by me"), ""),
    ("a list more", lambda root: (root / "train_list.txt").write_text("train/a.JPEG 0"), ""),
]


@pytest.mark.parametrize(("name", "change", "but"), READ, ids=[row[0] for row in READ])
def test_read_as_the_official_layout(
    fault, official: Path, expected: TinyImageNet, tmp_path: Path, name, change, but
) -> None:
    with fault(KIND, name), copied(official, tmp_path) as root:
        change(root)
        same(open_data(root), expected, but)


FOLDERS = (".", "train", f"train/{CLASSES[0]}", f"train/{CLASSES[0]}/images", "val", "val/images")
SYSTEMS = (".DS_Store", "Thumbs.db", "ehthumbs.db", "desktop.ini", "Desktop.ini", "__MACOSX")
SYSTEMS += ("@eaDir", "lost+found", ".ipynb_checkpoints", "$RECYCLE.BIN", "#recycle", "Icon\r")
SYSTEMS += ("._val_0.JPEG", ".nfs0001", ".Trash-1000", "System Volume Information", "@Recycle")


@pytest.mark.parametrize("name", SYSTEMS)
@pytest.mark.parametrize("folder", [False, True])
def test_what_systems_leave_in_folders(
    fault, official: Path, expected: TinyImageNet, tmp_path: Path, name: str, folder: bool
) -> None:
    with (
        fault("files of other operating systems", f"{name!r}, {folder=}"),
        copied(official, tmp_path) as root,
    ):
        for place in (*FOLDERS, "test", "test/images"):
            if folder:
                (root / place / name).mkdir()
                (root / place / name / "val_0.JPEG").write_bytes(b"junk")
            else:
                (root / place / name).write_bytes(b"junk")
        same(open_data(root), expected)


@pytest.mark.parametrize("above", ["tiny-imagenet-200", "archive/tiny-imagenet-200", "data/x"])
def test_nested_folders(
    fault, official: Path, expected: TinyImageNet, tmp_path: Path, above: str
) -> None:
    with fault(KIND, f"in {above}"), copied(official, tmp_path, f"outer/{above}") as root:
        (tmp_path / "outer" / "__MACOSX" / "train").mkdir(parents=True)
        (tmp_path / "outer" / "__MACOSX" / "val").mkdir()
        (tmp_path / "outer" / "notes").mkdir()
        found = open_data(tmp_path / "outer")
        same(found, expected)
        assert found.root == root
        assert open_data(**found.request).fingerprint == expected.fingerprint


@pytest.mark.parametrize("ids", ["{:05d}", "{}", "{:03d}.0", "class {}", "1e{}"])
def test_class_ids_that_look_like_numbers(fault, official: Path, tmp_path: Path, ids: str) -> None:
    """Their order is that of text: 10 before 9."""
    numbers = (9, 10, 101)
    with fault("numbers as class ids", ids), copied(official, tmp_path) as root:
        given = {wnid: ids.format(number) for wnid, number in zip(CLASSES, numbers, strict=True)}
        for path in ("wnids.txt", "words.txt", "val/val_annotations.txt"):
            text = (root / path).read_text()
            for wnid, own in given.items():
                text = text.replace(wnid, own)
            (root / path).write_text(text)
        for wnid, own in given.items():
            boxes = root / "train" / wnid / f"{wnid}_boxes.txt"
            boxes.rename(boxes.with_name(f"{own}_boxes.txt"))
            (root / "train" / wnid).rename(root / "train" / own)
        before, found = open_data(official), open_data(root)
        assert found.class_ids == tuple(sorted(own.replace(" ", "_") for own in given.values()))
        for split in ("train", "val"):
            one, other = found.split(split), before.split(split)
            labels = dict(zip(one.files.tolist(), one.labels.tolist(), strict=True))
            for file, label in zip(other.files.tolist(), other.labels.tolist(), strict=True):
                own = given[before.class_ids[label]].replace(" ", "_")
                assert found.class_ids[labels[file]] == own
            assert (one.boxes >= 0).all()


def test_data_that_moved(fault, official: Path, tmp_path: Path, monkeypatch) -> None:
    """What is packed in the data folder moves with it; a copy elsewhere is packed again."""
    monkeypatch.delenv("TIN_CACHE")
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    with copied(official, tmp_path) as root:
        before, packed = open_data(root).fingerprint, pack(root)
        with fault("data set moved", "renamed after packing"):
            root = root.rename(tmp_path / "moved")
            assert pack(root) == root / packed.relative_to(tmp_path / "data")
            assert open_data(root).fingerprint == before
        with fault("data set moved", "copied after packing"):
            shutil.copytree(root, tmp_path / "copy")
            assert open_data(tmp_path / "copy").fingerprint == before
        with fault("data set moved", "the old place names what to do"):
            told = refused(tmp_path / "data", "no such folder; `tin download", FileNotFoundError)
            assert str(tmp_path / "data") in told


def replace_image(root: Path) -> None:
    folder = root / "val" / "images"
    shutil.copy(folder / "val_1.JPEG", folder / "val_0.JPEG")


def swap_labels(root: Path) -> None:
    path = root / "val" / "val_annotations.txt"
    text = path.read_text().replace(CLASSES[0], "x").replace(CLASSES[1], CLASSES[0])
    path.write_text(text.replace("x", CLASSES[1]))


def change_box(root: Path) -> None:
    path = root / "train" / CLASSES[0] / f"{CLASSES[0]}_boxes.txt"
    path.write_text(path.read_text().replace("\t1\t20\t40", "\t2\t20\t40"))


def new_image(root: Path) -> None:
    folder = root / "train" / CLASSES[0] / "images"
    shutil.copy(folder / f"{CLASSES[0]}_0.JPEG", folder / "new.JPEG")


@pytest.mark.parametrize("change", [replace_image, swap_labels, change_box, new_image])
def test_edited_after_packing(fault, official: Path, tmp_path: Path, change: Change) -> None:
    with fault("data set edited", change.__name__), copied(official, tmp_path) as root:
        before = open_data(root)
        change(root)
        after = open_data(root)
        assert after.fingerprint != before.fingerprint
        with copied(root, tmp_path, "fresh") as fresh:
            again = open_data(fresh)
        assert again.fingerprint == after.fingerprint
        np.testing.assert_array_equal(again.val.labels, after.val.labels)
        np.testing.assert_array_equal(again.train.images, after.train.images)
