"""Environments that lack what a program expects: no home, no locale, nobody who reads."""

import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

TIN = [sys.executable, "-m", "tin_lib"]
SMALL = ["train", "vgg_like", "--recipe=quick", "--data=sample", "--classes=2", "--per-class=4"]
SMALL += ["--set=epochs=1", "--set=width=0.1", "--out"]
VOTE = ["vote", "a.txt", "--fallback", "a.txt", "-o", "out.txt"]
ASCII = {"LC_ALL": "C", "PYTHONUTF8": "0", "PYTHONCOERCECLOCALE": "0", "PYTHONIOENCODING": "ascii"}


@pytest.fixture(autouse=True)
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "a.txt").write_text("test_0.JPEG n01443537\n")
    return tmp_path


def tin(*arguments: str, without: tuple[str, ...] = (), **changed: str) -> Any:
    environment = {k: v for k, v in os.environ.items() if k not in without} | changed
    return subprocess.run([*TIN, *arguments], env=environment, capture_output=True, text=True)


def shell(line: str) -> subprocess.CompletedProcess[str]:
    line = line.replace("tin ", f"{sys.executable} -m tin_lib ")
    return subprocess.run(["bash", "-c", line], capture_output=True, text=True, errors="replace")


def test_nobody_reads_what_is_printed(fault: Callable[..., Any]) -> None:
    train = " ".join(SMALL)
    for line in (f"tin {' '.join(VOTE)} | true", f"tin {train} one | true", "tin --help | true"):
        with fault("environment variables and streams", line[:20]):
            done = shell(f"{line.partition(' |')[0]} | (sleep 0.1; exec true)")
            assert "Traceback" not in done.stderr
            assert "Broken pipe" not in done.stderr
            assert "Exception ignored" not in done.stderr
    with fault("environment variables and streams", "the interrupted fit goes on"):
        assert tin(*SMALL, "one").returncode == 0
    for closed in (">&-", "2>&-", "<&-", ">&- 2>&- <&-"):
        with fault("environment variables and streams", f"streams closed: {closed}"):
            out = f"closed{len(closed)}{closed[0]}"
            done = shell(f"tin {train} '{out}' {closed}")
            assert done.returncode == 0, done.stderr
            assert Path(out, "summary.json").is_file()
    with fault("full disk", "standard output"):
        done = shell(f"tin {' '.join(VOTE)} > /dev/full")
        assert done.returncode == 2
        assert done.stderr == "tin: [Errno 28] No space left on device\n"


def test_no_home_and_no_locale(fault: Callable[..., Any], folder: Path) -> None:
    gone = ("HOME", "TIN_CACHE", "XDG_CACHE_HOME")
    with fault("environment variables and streams", "HOME cannot be written"):
        done = tin(*SMALL, "a", without=gone, HOME="/proc")
        assert done.returncode == 2
        assert "cannot be written" in done.stderr
        assert "set the environment variable TIN_CACHE" in done.stderr
    with fault(
        "environment variables and streams",
        "the advice: TIN_CACHE, in ASCII, without HOME and TERM",
    ):
        given = ASCII | {"TIN_CACHE": str(folder / "cache"), "COLUMNS": "abc", "TMPDIR": "/none"}
        done = tin(*SMALL, "é", without=(*gone, "TERM"), **given)
        assert done.returncode == 0, done.stderr
        assert Path("é", "summary.json").is_file()
    with fault("environment variables and streams", "XDG_CACHE_HOME is a file"):
        done = tin(*SMALL, "a", without=gone, XDG_CACHE_HOME=str(folder / "a.txt"))
        assert done.returncode == 2
        assert "set the environment variable TIN_CACHE" in done.stderr
    with fault("environment variables and streams", "a message that the terminal's encoding lacks"):
        done = tin("vote", "é→.txt", "--fallback", "a.txt", "-o", "out.txt", **ASCII)
        assert done.returncode == 2
        assert done.stderr.startswith("tin: ")
        assert "does not exist" in done.stderr


def test_working_directory_deleted(fault: Callable[..., Any], folder: Path) -> None:
    train = f"tin {' '.join(SMALL)} {folder}/fit"
    for line in (train, f"tin {' '.join(VOTE)}", "tin run --run x"):
        with fault("environment variables and streams", f"working directory deleted: {line[:9]}"):
            done = shell(f"mkdir gone; cd gone; rmdir ../gone; {line}")
            assert done.returncode == 2
            said = "tin: the working directory does not exist any more; cd to another\n"
            assert done.stderr == said


def test_figures_are_in_an_exported_page(
    fault: Callable[..., Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    import plotly.io

    from tin_lib.lab.figures import style

    for batch, chosen, expected in (
        ("1", "", "plotly_mimetype+sphinx_gallery"),
        ("1", "plotly_mimetype", "plotly_mimetype"),
    ):
        with fault(
            "environment variables and streams",
            f"renderer of figures: batch {batch}, chosen {chosen}",
        ):
            monkeypatch.setenv("TIN_BATCH", batch)
            monkeypatch.setenv("PLOTLY_RENDERER", chosen)
            monkeypatch.setattr(plotly.io.renderers, "default", "plotly_mimetype")
            style.nothing("")
            assert plotly.io.renderers.default == expected
            kinds = set(plotly.io.renderers._build_mime_bundle(style.nothing("").to_dict()))
            assert ("text/html" in kinds) == (not chosen)
