"""When data are packed again, where to, and what a failure leaves."""

import os
import shutil
from pathlib import Path

import pytest
from data_folder import CLASSES, builds
from PIL import Image

from tin_lib import files
from tin_lib.data import open_data, pack
from tin_lib.data import packed as packed_module


def edit_image(root: Path) -> None:
    path = root / "train" / CLASSES[0] / "images" / f"{CLASSES[0]}_3.JPEG"
    Image.new("RGB", (64, 64), (255, 0, 0)).save(path)


def add_image(root: Path) -> None:
    folder = root / "test" / "images"
    shutil.copy(folder / "test_1.JPEG", folder / "test_4.JPEG")


def remove_image(root: Path) -> None:
    (root / "train" / CLASSES[2] / "images" / f"{CLASSES[2]}_0.JPEG").unlink()
    boxes = root / "train" / CLASSES[2] / f"{CLASSES[2]}_boxes.txt"
    boxes.write_text("".join(boxes.read_text().splitlines(keepends=True)[1:]))


def relabel(root: Path) -> None:
    path = root / "val" / "val_annotations.txt"
    path.write_text(path.read_text().replace(CLASSES[0], CLASSES[1], 1))


def swap_same_size(root: Path) -> None:
    """Two files change places: every name, size and time stays; only the folder's time moves."""
    folder = root / "test" / "images"
    a, b = folder / "test_2.JPEG", folder / "test_3.JPEG"
    size = max(a.stat().st_size, b.stat().st_size)
    for path in (a, b):
        path.write_bytes(path.read_bytes().ljust(size, b"\0"))
        os.utime(path, (0, 0))
    open_data(root)
    a.rename(folder / "other")
    b.rename(a)
    (folder / "other").rename(b)


@pytest.mark.parametrize("change", [edit_image, add_image, remove_image, relabel, swap_same_size])
def test_a_changed_source_is_packed_again(root: Path, change: object) -> None:
    before = open_data(root)
    change(root)  # type: ignore[operator]
    after = open_data(root)
    assert after.fingerprint != before.fingerprint
    assert len(list((root / ".tin_packed").glob("v*"))) == 1  # the old one is gone


@pytest.mark.parametrize("name", ["train.npy", "val.npz", "meta.json"])
@pytest.mark.parametrize("damage", ["cut", "removed", "[]", "{}"])
def test_a_damaged_pack_is_built_again(
    root: Path, name: str, damage: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = pack(root) / name
    good = path.read_bytes()
    calls = builds(monkeypatch)
    if damage == "cut":
        os.truncate(path, len(good) // 2)
    elif damage == "removed":
        path.unlink()
    else:
        path.write_text(damage)
    assert open_data(root).train.images.shape == (36, 3, 64, 64)
    assert len(calls) == 1
    assert path.stat().st_size == len(good)


def test_leftovers_of_a_killed_process_are_removed(root: Path) -> None:
    leftover = root / ".tin_packed" / "tmp-killed"
    leftover.mkdir(parents=True)
    (leftover / "train.npy").write_bytes(b"half")
    pack(root)
    assert not leftover.exists()


def test_a_failed_pack_leaves_nothing(root: Path) -> None:
    (root / "test" / "images" / "test_3.JPEG").write_bytes(b"no image")
    with pytest.raises(ValueError, match="test_3"):
        pack(root)
    assert [path.name for path in (root / ".tin_packed").iterdir()] == ["lock"]


def test_cache_folder_where_the_data_cannot_be_written(
    root: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(packed_module.os, "access", lambda *_: False)
    assert tmp_path / "cache" / "tin_lib" / "packed" in pack(root).parents
    assert not (root / ".tin_packed").exists()


def test_no_writable_cache_says_what_to_set(root: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def refused(**_: object) -> None:
        raise PermissionError(13, "Permission denied")

    monkeypatch.setattr(files.tempfile, "TemporaryFile", refused)
    with pytest.raises(OSError, match=r"cannot be written .*set .* TIN_CACHE to another folder"):
        pack(root)


def test_what_is_packed_is_flushed_before_it_is_published(
    root: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """After a power loss there is either no packed data set or a complete one."""
    order: list[str] = []
    rename = Path.rename

    def renamed(source: Path, target: Path) -> Path:
        order.append("published")
        return rename(source, target)

    monkeypatch.setattr(files, "sync", lambda path: order.append(path.name))
    monkeypatch.setattr(Path, "rename", renamed)
    pack(root)
    before, after = order[: order.index("published")], order[order.index("published") + 1 :]
    names = {f"{split}.{kind}" for split in ("train", "val", "test") for kind in ("npy", "npz")}
    assert set(before) == {*names, "meta.json", "new"}
    assert before[-1] == "new"
    assert after == [".tin_packed"]


def test_tin_cache_overrides(root: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TIN_CACHE", str(tmp_path / "elsewhere"))
    assert tmp_path / "elsewhere" in pack(root).parents
