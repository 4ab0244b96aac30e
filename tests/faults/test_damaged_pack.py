"""Packed data truncated or with bytes changed: packed again, never another pixel or number."""

import os
import shutil
import time
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from data_folder import write_folder
from forked import in_child

from tin_lib.data import TinyImageNet, open_data, pack
from tin_lib.data import packed as packed_module

FILES = ("train.npy", "val.npy", "test.npy", "train.npz", "val.npz", "meta.json")
COLUMNS = ("images", "labels", "boxes", "files", "gray")


@pytest.fixture(scope="module")
def root(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_folder(tmp_path_factory.mktemp("data") / "tiny")


@pytest.fixture
def folder(root: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The packed folder, made anew for each test."""
    monkeypatch.setenv("TIN_CACHE", str(tmp_path / "cache"))
    return pack(root)


@pytest.fixture
def builds(monkeypatch: pytest.MonkeyPatch) -> list[Path]:
    """What is packed from now on."""
    made: list[Path] = []
    build = packed_module._build

    def counted(root: Path, *rest: object) -> None:
        made.append(root)
        build(root, *rest)  # type: ignore[arg-type]

    monkeypatch.setattr(packed_module, "_build", counted)
    return made


def same(found: TinyImageNet, expected: TinyImageNet) -> None:
    """Assert that two data sets are equal in all that they hold."""
    for name in ("class_ids", "class_names", "fingerprint"):
        assert getattr(found, name) == getattr(expected, name)
    for name in ("mean", "std"):
        np.testing.assert_array_equal(getattr(found, name), getattr(expected, name))
    for name, split in expected.splits.items():
        for column in COLUMNS:
            now, before = getattr(found.split(name), column), getattr(split, column)
            np.testing.assert_array_equal(now, before)


def whole(root: Path) -> TinyImageNet:
    """The data set, its images in memory: the packed file goes away."""
    import dataclasses

    data = open_data(root)
    parts = {name: part.select(np.arange(len(part))) for name, part in data.splits.items()}
    return dataclasses.replace(data, **parts)  # type: ignore[arg-type]


@pytest.mark.parametrize("name", FILES)
def test_a_file_cut_to_every_tenth(
    name: str, root: Path, folder: Path, builds: list[Path], fault: Callable
) -> None:
    expected, size = whole(root), (folder / name).stat().st_size
    for tenth in range(10):
        with fault("truncated packed file", f"{name} at {tenth}/10"):
            os.truncate(folder / name, size * tenth // 10)
            same(open_data(root), expected)
            assert len(builds) == tenth + 1


@pytest.mark.parametrize("name", FILES)
def test_a_flipped_byte(
    name: str, root: Path, folder: Path, builds: list[Path], fault: Callable
) -> None:
    expected, size = whole(root), (folder / name).stat().st_size
    for number, place in enumerate((0.0, 0.1, 0.33, 0.5, 0.75, 0.9, 1.0)):
        with fault("flipped byte in a packed file", f"{name} at {place:.0%}"):
            flip(folder / name, min(int(place * size), size - 1), 0x04 << number % 3)
            same(open_data(root), expected)


def flip(path: Path, position: int, bits: int) -> None:
    """Change bits of one byte in place."""
    with open(path, "r+b") as file:
        file.seek(position)
        (old,) = file.read(1)
        file.seek(position)
        file.write(bytes([old ^ bits]))


def test_any_byte_of_the_header_and_any_pixel(
    root: Path, folder: Path, builds: list[Path], fault: Callable
) -> None:
    """Each is refused before it is used; it is not packed again each time."""
    rng, copy = np.random.default_rng(0), folder.with_name("copy")
    size = (folder / "val.npy").stat().st_size
    for position in (*range(128), *rng.integers(128, size, 40).tolist()):
        with fault("flipped byte in a packed file", f"val.npy at byte {position}"):
            shutil.copytree(folder, copy)
            before = packed_module._load(copy)
            flip(copy / "val.npy", position, int(rng.integers(1, 256)))
            try:
                after = packed_module._load(copy)
            except Exception:
                continue  # and packed again
            finally:
                shutil.rmtree(copy)
            now, then = (each.split("val").images for each in (after, before))
            np.testing.assert_array_equal(now, then)  # e.g. a blank of the header


def test_other_values_in_meta_json(
    root: Path, folder: Path, builds: list[Path], fault: Callable
) -> None:
    """Still JSON, with another number."""
    expected = whole(root)
    for old, new in (('"mean": [\n  1', '"mean": [\n  2'), ("n00000001", "n00000009")):
        with fault("flipped byte in a packed file", f"meta.json, {old[:9]}"):
            text = (folder / "meta.json").read_text()
            assert old in text
            (folder / "meta.json").write_text(text.replace(old, new, 1))
            same(open_data(root), expected)
    assert len(builds) == 2


def test_a_touched_file_is_not_packed_again(root: Path, folder: Path, builds: list[Path]) -> None:
    """A copy of the folder has other times: its images are compared once, and kept."""
    os.utime(folder / "train.npy", (2e9, 2e9))
    with pytest.MonkeyPatch.context() as patch:
        checked: list[str] = []
        check = packed_module._check_images
        patch.setattr(
            packed_module,
            "_check_images",
            lambda split, columns: (checked.append(split.name), check(split, columns)),
        )
        open_data(root)
        assert checked == ["train"]
        os.utime(folder / "train.npy")
        time.sleep(0.05)  # file systems' clocks advance in steps
        open_data(root)
        open_data(root)
        assert checked == ["train", "train"]
    assert not builds


def test_cut_while_it_is_mapped(root: Path, folder: Path, fault: Callable) -> None:
    """Whoever indexes the images gets an error instead of a bus error; opening packs again."""

    def read(what: Callable[[TinyImageNet], object]) -> None:
        data = open_data(root)
        os.truncate(folder / "train.npy", 4096)
        with pytest.raises(OSError, match=r"train\.npy was truncated while it was open; run again"):
            what(data)
        assert len(np.array(open_data(root).train.images[:])) == 36

    readers: dict[str, Callable[[TinyImageNet], object]] = {
        "one image": lambda data: data.train.images[30],
        "one pixel": lambda data: data.train.images[30, 0, 0, 0],
        "a slice": lambda data: np.array(data.train.images[20:]),
        "some rows": lambda data: data.train.images[[3, 30]],
        "a part": lambda data: data.train.images[:][20:],
        "a subset": lambda data: data.train.select(np.arange(36) % 2 == 0),
        "to the device": to_the_device,
    }
    for name, reader in readers.items():
        with fault("truncated while memory-mapped", name):
            in_child(lambda reader=reader: read(reader))  # type: ignore[misc]


def to_the_device(data: TinyImageNet) -> object:
    import torch

    from tin_lib.data.types import to_device

    return to_device(data.train, torch.device("cpu"), channels_last=True)


def test_packed_again_while_it_is_mapped(root: Path, folder: Path, fault: Callable) -> None:
    """A repack replaces the file: what was opened before goes on with the old one."""
    with fault("replaced while memory-mapped", "packed again"):
        data, before = open_data(root), np.array(open_data(root).train.images)
        (folder / "meta.json").write_text("{}")
        after = open_data(root)
        np.testing.assert_array_equal(data.train.images[:], before)
        np.testing.assert_array_equal(after.train.images[:], before)
