"""Outputs that are no regular files, and folders with odd names: written into, or refused."""

import os
import stat
import subprocess
import sys
import threading
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from tin_lib import files, networks
from tin_lib.__main__ import main

LINE = "test_0.JPEG n01443537\n"
VOTE = ["vote", "a.txt", "--fallback", "a.txt", "-o"]
NAMES = [
    "{lr=0.1}", "%s %d", "$HOME", "a\"b'c", "a\nb", "é 日本", "x" * 200, "-x", " a ", "~x", "#h",
    "<b>x</b>", "a;b&c", "*?[a]", "a\\b", "{{a}}", "😀", "`id`", "=1+1", "a:b",
]  # fmt: skip
TRAIN = ["train", "vgg_like", "--recipe", "quick", "--data", "sample", "--classes", "2"]
SMALL = ["--per-class", "4", "--set", "epochs=1", "--set", "width=0.1"]


@pytest.fixture(autouse=True)
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "a.txt").write_text(LINE)
    return tmp_path


def test_links_are_written_through(fault: Callable[..., Any]) -> None:
    Path("real.txt").write_text("old")
    links = {"one": "real.txt", "two": "one", "dangling": "new.txt", "deep": "no/where.txt"}
    for name, target in links.items():
        with fault("odd output", f"link {name}"):
            os.symlink(target, name)
            assert main([*VOTE, name]) == 0
            assert os.readlink(name) == target
            assert Path(name).read_text() == Path(os.path.realpath(target)).read_text() == LINE


def test_pipes_and_devices_are_written_into(
    fault: Callable[..., Any], capsys: pytest.CaptureFixture[str]
) -> None:
    os.mkfifo("pipe")
    os.symlink("pipe", "link")
    for name in ("pipe", "link"):
        with fault("odd output", f"{name} to a reader"):
            read: list[str] = []
            reader = threading.Thread(target=lambda: read.append(Path("pipe").read_text()))  # noqa: B023
            reader.start()
            assert main([*VOTE, name]) == 0
            reader.join()
            assert read == [LINE]
            assert stat.S_ISFIFO(os.stat(name).st_mode)
    with fault("odd output", "/dev/null"):
        assert main([*VOTE, "/dev/null"]) == 0
        assert stat.S_ISCHR(os.stat("/dev/null").st_mode)
    capsys.readouterr()
    with fault("full disk", "/dev/full"):
        assert main([*VOTE, "/dev/full"]) == 2
        assert "No space left" in capsys.readouterr().err


def test_what_cannot_be_written_is_named(
    fault: Callable[..., Any], capsys: pytest.CaptureFixture[str]
) -> None:
    Path("folder").mkdir()
    os.symlink("folder", "to_folder")
    os.symlink("loop", "loop")
    for name in ("folder", "folder/", "to_folder", "loop", ".", ".."):
        with fault("odd output", name):
            assert main([*VOTE, name]) == 2
            said = capsys.readouterr().err
            assert f"{Path(name)} is a folder or a link to itself" in said
            assert sorted(os.listdir()) == ["a.txt", "folder", "loop", "to_folder"]
    for name in ("a.txt/x", "x" * 300, "nul\0", "/proc/none"):
        with fault("odd output", name[:10]):
            assert main([*VOTE, name]) == 2
            assert capsys.readouterr().err.startswith("tin: ")
    with fault("odd output", "a folder that does not exist yet"):
        assert main([*VOTE, "new/one/out.txt"]) == 0
        assert Path("new/one/out.txt").read_text() == LINE


def test_standard_output_gets_the_file_alone(fault: Callable[..., Any], folder: Path) -> None:
    for name in ("/dev/stdout", "/dev/fd/1"):
        for target in ("file", "pipe"):
            with fault("odd output", f"{name}, which is a {target}"):
                command = [sys.executable, "-m", "tin_lib", *VOTE, name]
                with open("got.txt", "w") as got:
                    into = got if target == "file" else subprocess.PIPE
                    done = subprocess.run(command, stdout=into, stderr=subprocess.PIPE, text=True)
                assert (done.returncode, done.stderr) == (0, f"{name}\n")
                assert (done.stdout if target == "pipe" else Path("got.txt").read_text()) == LINE


def test_names_of_folders(fault: Callable[..., Any]) -> None:
    for name in NAMES:
        with fault("odd name", ascii(name)[:12]):
            out = f"runs/{name}/networks/{name}"
            assert main([*TRAIN, *SMALL, f"--out={out}"]) == 0
            assert main(["publish", out]) == 0
            assert main(["submit", out, f"-o={out}/{name[:50]}.txt"]) == 0
            assert len(Path(f"{out}/{name[:50]}.txt").read_text().splitlines()) > 0


def test_files_follow_the_umask(fault: Callable[..., Any], folder: Path) -> None:
    before = os.umask(0o022)
    try:
        for mask in (0o022, 0o077, 0o002, 0o027):
            with fault("umask", f"{mask:03o}"):
                os.umask(mask)
                networks.save(networks.create("alexnet", 2, 0.1), folder / "weights.safetensors")
                files.write_json(folder / "summary.json", {})
                for name in ("weights.safetensors", "summary.json"):
                    assert stat.S_IMODE(os.stat(name).st_mode) == 0o666 & ~mask
    finally:
        os.umask(before)
