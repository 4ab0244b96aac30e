"""A folder that is removed, or replaced by another, while a command writes into it."""

import shutil
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import data_folder
import kills
import pytest
import workbook_toys
from stopped import stopped

SMALL = ["--recipe", "quick", "--device", "cpu", "--set", "epochs=2", "--set", "width=0.2"]


@pytest.fixture(scope="module")
def commands() -> Iterator[kills.Commands]:
    with kills.commands() as process:
        yield process


@pytest.fixture(scope="module")
def data(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return data_folder.write_folder(tmp_path_factory.mktemp("data") / "tiny-imagenet-200")


@pytest.fixture(scope="module")
def fit(commands: kills.Commands, data: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("run") / "networks" / "vgg_like"
    answer = commands.run(["train", "vgg_like", *SMALL, "--data", data, "--out", folder], folder)
    assert answer["status"] == 0, answer["output"]
    return folder


def remove(folder: Path) -> None:
    shutil.rmtree(folder)


def replace(folder: Path) -> None:
    """Another folder of the same name, with something of its own."""
    shutil.rmtree(folder)
    folder.mkdir()
    (folder / "other.txt").write_text("of another run")


def moved_away(folder: Path) -> None:
    folder.rename(folder.with_name("moved"))


def survived(
    commands: kills.Commands,
    arguments: list[Any],
    folder: Path,
    fault: Callable,
    share: float,
    happens: Callable[[Path], None],
    written: str = ".",
    prepare: Callable[[], object] = lambda: None,
) -> None:
    """At that share of the command's file operations its folder ``written`` goes; one message
    names it, nothing is added to what is in its place, and the same command runs anew."""
    folder.mkdir()
    prepare()
    whole = commands.run(arguments, folder)
    assert whole["status"] == 0, whole["output"]
    expected = kills.content(folder)
    shutil.rmtree(folder)
    folder.mkdir()
    prepare()
    at = int(whole["operations"] * share)
    with fault("folder removed during use", f"{arguments[0]}, {happens.__name__} at {share:.0%}"):
        with stopped(commands, arguments, folder, at) as answer:
            happens(folder / written)
        output = answer.result()["output"]
        said = [line for line in output.splitlines() if line.startswith("tin: ")]
        assert answer.result()["status"] == 2, output
        assert "Traceback" not in output
        assert len(said) == 1, output
        assert said[0].endswith("was removed or replaced meanwhile; run the same command again")
        assert str(folder) in said[0]
        left = [path.name for path in folder.rglob("*") if path.is_file()]
        assert set(left) - {"other.txt"} <= lockfiles(left), left
        shutil.rmtree(folder, ignore_errors=True)
        shutil.rmtree(folder.with_name("moved"), ignore_errors=True)
        folder.mkdir()
        prepare()
        again = commands.run(arguments, folder)
        assert again["status"] == 0, again["output"]
        kills.compare(kills.content(folder), expected, f"{arguments[0]} after its folder went")


def lockfiles(names: list[str]) -> set[str]:
    return {name for name in names if name.endswith(("lock", ".holder"))}


@pytest.mark.parametrize("happens", [remove, replace])
@pytest.mark.parametrize(("share", "written"), [(0.3, "."), (0.6, "fit"), (0.9, "fit")])
def test_train(
    share: float,
    written: str,
    happens: Callable[[Path], None],
    commands: kills.Commands,
    data: Path,
    tmp_path: Path,
    fault: Callable,
) -> None:
    folder = tmp_path / "run"
    arguments = ["train", "vgg_like", *SMALL, "--data", data, "--out", folder / "fit"]
    survived(commands, arguments, folder, fault, share, happens, written)


@pytest.mark.parametrize(("share", "happens"), [(0.5, remove), (0.8, replace)])
def test_features(
    share: float,
    happens: Callable[[Path], None],
    commands: kills.Commands,
    data: Path,
    fit: Path,
    tmp_path: Path,
    fault: Callable,
) -> None:
    arguments = ["features", fit, "--out", tmp_path / "features", "--data", data]
    survived(commands, arguments, tmp_path / "features", fault, share, happens)


@pytest.mark.parametrize(("share", "happens"), [(0.4, moved_away), (0.8, replace)])
def test_import(
    share: float,
    happens: Callable[[Path], None],
    commands: kills.Commands,
    data: Path,
    fit: Path,
    tmp_path: Path,
    fault: Callable,
) -> None:
    file = tmp_path / "p.safetensors"
    assert commands.run(["publish", fit, "--out", file], tmp_path)["status"] == 0
    arguments = ["import", file, "--data", data, "--run", tmp_path / "run"]
    survived(commands, arguments, tmp_path / "run", fault, share, happens)


@pytest.mark.parametrize(("share", "happens"), [(0.6, remove), (0.9, replace)])
def test_pack(
    share: float, happens: Callable[[Path], None], data: Path, tmp_path: Path, fault: Callable
) -> None:
    with kills.commands(TIN_CACHE=str(tmp_path / "cache")) as apart:
        survived(apart, ["pack", data], tmp_path / "cache", fault, share, happens)


def test_workbook(commands: kills.Commands, tmp_path: Path, fault: Callable) -> None:
    """The command itself, with its notebook already run: state, results and report."""
    workbook_toys.diamond(tmp_path / "notebooks")
    run, finished = tmp_path / "run", tmp_path / "finished"
    arguments = ["run", "--workbook", tmp_path / "notebooks", "--run", run, "--only", "05"]
    answer = commands.run(arguments, run)
    assert answer["status"] == 0, answer["output"]
    run.rename(finished)

    def prepare() -> None:
        shutil.copytree(finished, run, dirs_exist_ok=True)

    for share, happens in ((0.3, remove), (0.7, moved_away)):
        survived(commands, arguments, run, fault, share, happens, prepare=prepare)
        shutil.rmtree(run)
