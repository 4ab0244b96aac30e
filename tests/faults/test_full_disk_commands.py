"""Whole commands on a full or read-only disk: one message that names the file; with space they go
on."""

import subprocess
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import data_folder
import pytest

from tin_lib import __main__ as command
from tin_lib import data as tin_data

SMALL = ["--recipe", "quick", "--device", "cpu", "--set", "epochs=1", "--set", "width=0.2"]


@contextmanager
def mounted(folder: Path, size: str) -> Iterator[Callable[[str], None]]:
    """A file system of that size; yields what changes its options."""
    folder.mkdir(parents=True)
    mount = ["mount", "-t", "tmpfs", "-o", f"size={size}", "tmpfs", str(folder)]
    try:
        done = subprocess.run(mount, capture_output=True)
    except FileNotFoundError:
        pytest.skip("there is no mount command")
    if done.returncode:
        pytest.skip("mounting a tmpfs is not permitted here")

    def change(options: str) -> None:
        subprocess.run(["mount", "-o", f"remount,{options}", str(folder)], check=True)

    try:
        yield change
    finally:
        subprocess.run(["umount", "-l", str(folder)], check=True)


@pytest.fixture(scope="module")
def root(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A data set that is packed beside its images."""
    folder = data_folder.write_folder(tmp_path_factory.mktemp("data") / "tiny-imagenet-200")
    with pytest.MonkeyPatch.context() as patch:
        patch.delenv("TIN_CACHE", raising=False)
        tin_data.pack(folder)
    return folder


@pytest.fixture(scope="module")
def fit(root: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("run") / "networks" / "vgg_like"
    with pytest.MonkeyPatch.context() as patch:
        patch.delenv("TIN_CACHE", raising=False)
        assert tin("train", "vgg_like", *SMALL, "--data", root, "--out", folder) == 0
    return folder


@pytest.fixture(autouse=True)
def packed_beside_the_images(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("TIN_CACHE", raising=False)


def tin(*arguments: Any) -> int:
    return command.main(list(map(str, arguments)))


@pytest.fixture
def published(fit: Path, tmp_path: Path) -> Path:
    assert tin("publish", fit, "--out", tmp_path / "p.safetensors") == 0
    return tmp_path / "p.safetensors"


def commands(disk: Path, root: Path, fit: Path, published: Path) -> dict[str, list[Any]]:
    """The commands that write to the disk, by name."""
    return {
        "train": ["train", "vgg_like", *SMALL, "--data", root, "--out", disk / "run" / "fit"],
        "features": ["features", fit, "--data", root, "--out", disk / "features"],
        "publish": ["publish", fit, "--out", disk / "p.safetensors"],
        "import": ["import", published, "--data", root, "--run", disk / "run"],
    }


SIZES = {
    "train": ("4k", "32k", "600k", "1100k"),
    "features": ("4k", "12k"),
    "publish": ("4k", "64k"),
    "import": ("4k", "64k", "200k"),
}


@pytest.mark.parametrize("verb", SIZES)
def test_a_full_disk(
    verb: str,
    root: Path,
    fit: Path,
    published: Path,
    tmp_path: Path,
    fault: Callable,
    capsys: pytest.CaptureFixture[str],
) -> None:
    for size in SIZES[verb]:
        disk = tmp_path / size
        with fault("full disk", f"{verb} in {size}"), mounted(disk, size) as change:
            arguments = commands(disk, root, fit, published)[verb]
            capsys.readouterr()
            assert tin(*arguments) == 2
            said = one_message(capsys)
            assert str(disk) in said
            assert "space" in said
            assert not [path for path in disk.rglob("*") if path.name.endswith(".tmp")]
            change("size=16m")
            assert tin(*arguments) == 0


def one_message(capsys: pytest.CaptureFixture[str]) -> str:
    said = capsys.readouterr().err
    assert "Traceback" not in said
    (line,) = (line for line in said.splitlines() if line.startswith("tin: "))
    return line


@pytest.mark.parametrize("verb", SIZES)
def test_a_read_only_folder(
    verb: str,
    root: Path,
    fit: Path,
    published: Path,
    tmp_path: Path,
    fault: Callable,
    capsys: pytest.CaptureFixture[str],
) -> None:
    disk = tmp_path / "disk"
    with fault("read-only folder", verb), mounted(disk, "16m") as change:
        arguments = commands(disk, root, fit, published)[verb]
        change("ro")
        capsys.readouterr()
        assert tin(*arguments) == 2
        said = one_message(capsys)
        assert str(disk) in said
        assert "ead-only" in said
        change("rw")
        assert tin(*arguments) == 0


def test_packing_says_what_space_it_needs(
    root: Path,
    tmp_path: Path,
    fault: Callable,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    for size, free in (("16k", "0.0"), ("200k", "0.2")):
        message = f"packing needs 0.6 MB of space, but only {free} MB are free; free some space, or"
        disk = tmp_path / size
        monkeypatch.setenv("TIN_CACHE", str(disk))
        with fault("full disk", f"pack in {size}"), mounted(disk, size) as change:
            assert tin("pack", root) == 2
            said = one_message(capsys)
            assert str(disk) in said
            assert message in said
            assert not list(disk.rglob("*.np?"))
            change("size=16m")
            assert tin("pack", root) == 0


def test_read_only_data_and_no_place_for_a_cache(
    tmp_path: Path,
    fault: Callable,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    disk = tmp_path / "disk"
    with fault("read-only folder", "data and home"), mounted(disk, "16m") as change:
        root = data_folder.write_folder(disk / "tiny")
        monkeypatch.setenv("HOME", str(disk))
        monkeypatch.delenv("XDG_CACHE_HOME", raising=False)
        change("ro")
        assert tin("pack", root) == 2
        said = one_message(capsys)
        assert "cannot be written (Read-only file system)" in said
        assert "TIN_CACHE" in said
        monkeypatch.setenv("TIN_CACHE", str(tmp_path / "cache"))  # the advice
        assert tin("pack", root) == 0
