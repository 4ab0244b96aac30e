"""Every way the folder can be wrong ends in one message that names the file."""

import shlex
import shutil
import zipfile
from collections.abc import Callable
from pathlib import Path

import pytest
from data_folder import CLASSES, write_folder
from PIL import Image

from tin_lib.data import open_data

TRAIN_2 = f"train/{CLASSES[0]}/images/{CLASSES[0]}_2.JPEG"


@pytest.fixture
def root(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("TIN_CACHE", str(tmp_path / "cache"))
    return write_folder(tmp_path / "data")


def cut(root: Path) -> None:
    path = root / TRAIN_2
    path.write_bytes(path.read_bytes()[:300])


def cut_at_end(root: Path) -> None:
    path = root / TRAIN_2
    path.write_bytes(path.read_bytes()[:-40])


def empty(root: Path) -> None:
    (root / TRAIN_2).write_bytes(b"")


def png(root: Path) -> None:
    Image.new("RGB", (64, 64)).save(root / TRAIN_2, "PNG")


def wrong_size(root: Path) -> None:
    Image.new("RGB", (64, 32)).save(root / TRAIN_2)


def no_class_folder(root: Path) -> None:
    shutil.rmtree(root / "train" / CLASSES[1])


def extra_class_folder(root: Path) -> None:
    (root / "train" / "n00000009" / "images").mkdir(parents=True)


def no_images(root: Path) -> None:
    shutil.rmtree(root / "test" / "images")
    (root / "test" / "images").mkdir()


def absent_val_image(root: Path) -> None:
    (root / "val" / "images" / "val_4.JPEG").unlink()


def absent_train_image(root: Path) -> None:
    (root / TRAIN_2).unlink()


def unlisted_val_image(root: Path) -> None:
    shutil.copy(root / TRAIN_2, root / "val" / "images" / "val_77.JPEG")


def append_to_val(line: str) -> Callable[[Path], None]:
    def append(root: Path) -> None:
        with open(root / "val" / "val_annotations.txt", "a") as file:
            file.write(line)

    return append


def unnamed_class(root: Path) -> None:
    (root / "words.txt").write_text(f"{CLASSES[0]}\tthing\n")


def class_twice(root: Path) -> None:
    (root / "wnids.txt").write_text("\n".join([*CLASSES, CLASSES[1]]))


def no_classes(root: Path) -> None:
    (root / "wnids.txt").write_text("\n")


def binary_words(root: Path) -> None:
    (root / "words.txt").write_bytes(b"\xff\xfe\x00")


def val_in_class_folders(root: Path) -> None:
    (root / "val" / "val_annotations.txt").unlink()


CASES = [
    (cut, ValueError, rf"{TRAIN_2} is truncated or damaged"),
    (cut_at_end, ValueError, rf"{TRAIN_2} is truncated or damaged"),
    (empty, ValueError, rf"{TRAIN_2} is empty"),
    (png, ValueError, rf"{TRAIN_2} is not a JPEG"),
    (wrong_size, ValueError, rf"{TRAIN_2} is 64x32 pixels, expected 64x64"),
    (no_class_folder, FileNotFoundError, f"class {CLASSES[1]} is missing.*train/{CLASSES[1]}"),
    (extra_class_folder, ValueError, r"train/n00000009 is not in wnids.txt"),
    (no_images, FileNotFoundError, r"test/images contains no images"),
    (absent_val_image, FileNotFoundError, r"val_annotations.txt names val_4.JPEG"),
    (absent_train_image, FileNotFoundError, rf"_boxes.txt names {CLASSES[0]}_2.JPEG"),
    (unlisted_val_image, ValueError, r"no line for .*val_77.JPEG"),
    (append_to_val("val_0.JPEG\tn00000001\t0\t0\t1\t1\n"), ValueError, r"line 7: .*twice"),
    (append_to_val("val_9.JPEG\tn7\t0\t0\t1\t1\n"), ValueError, r"line 7: class n7 is not"),
    (append_to_val("val_9.JPEG,n7,0,0,1,1\n"), ValueError, r"line 7: 1 columns, expected 6"),
    (append_to_val("v\tn00000001\t0\t0\t1\tx\n"), ValueError, r"line 7: .*not four integers"),
    (append_to_val("v\tn00000001\t0\t0\t1\t64\n"), ValueError, r"line 7: .*exceeds the image"),
    (unnamed_class, ValueError, rf"words.txt has no line for class {CLASSES[1]}"),
    (class_twice, ValueError, rf"wnids.txt lists class {CLASSES[1]} twice"),
    (no_classes, ValueError, r"wnids.txt is empty"),
    (binary_words, ValueError, r"words.txt is not text"),
    (
        val_in_class_folders,
        FileNotFoundError,
        r"val/images/.* is in no class folder, and .*val_annotations.txt does not exist",
    ),
]


@pytest.mark.parametrize(("damage", "kind", "message"), CASES)
def test_damage_is_named(
    root: Path, damage: Callable[[Path], None], kind: type[Exception], message: str
) -> None:
    damage(root)
    with pytest.raises(kind, match=message) as caught:
        open_data(root)
    assert "\n" not in str(caught.value)


def test_no_such_folder(tmp_path: Path) -> None:
    """What is advised brings the data where they were looked for."""
    folder = tmp_path / "with blanks" / "tiny-imagenet-200"
    with pytest.raises(FileNotFoundError, match="200: no such folder; `tin download") as caught:
        open_data(folder)
    advised = shlex.split(str(caught.value).split("`")[1])
    assert Path(advised[2]) / "tiny-imagenet-200" == folder


def test_a_zip_instead_of_a_folder(tmp_path: Path) -> None:
    path = tmp_path / "data.zip"
    with zipfile.ZipFile(path, "w") as archive:
        archive.writestr("a", "b")
    with pytest.raises(ValueError, match=r"data.zip is an archive, not a folder; unpack it"):
        open_data(path)


def test_not_tiny_imagenet(tmp_path: Path) -> None:
    with pytest.raises(FileNotFoundError, match=r"contains neither .*it has no train and no val"):
        open_data(tmp_path)


def test_the_folder_above_two_data_sets(root: Path) -> None:
    shutil.copytree(root, root.parent / "other")
    both = rf"did you mean {root} or {root.parent / 'other'}\?"
    with pytest.raises(FileNotFoundError, match=both):
        open_data(root.parent)


def test_a_byte_order_mark_is_ignored(root: Path) -> None:
    for name in ("wnids.txt", "words.txt", "val/val_annotations.txt"):
        path = root / name
        path.write_text(path.read_text(), encoding="utf-8-sig")
    assert open_data(root).class_ids == CLASSES


def test_files_that_do_not_matter(root: Path) -> None:
    """A hidden file, or one that is no image, is no reason to refuse."""
    (root / "train" / ".DS_Store").mkdir()
    (root / "val" / "images" / "._val_0.JPEG").write_bytes(b"junk")
    (root / "test" / "images" / "Thumbs.db").write_bytes(b"junk")
    assert len(open_data(root).test) == 4
