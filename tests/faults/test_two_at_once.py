"""Two commands in one folder at once: the second waits or is refused by name; the first ends
as if it had been alone."""

import shutil
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import data_folder
import kills
import pytest
import workbook_toys
from stopped import stopped

from tin_lib import __main__ as command
from tin_lib import data as tin_data

SMALL = ["--recipe", "quick", "--device", "cpu", "--set", "epochs=2", "--set", "width=0.2"]


@pytest.fixture(scope="module")
def cache(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("cache")


@pytest.fixture(scope="module")
def commands(cache: Path) -> Iterator[kills.Commands]:
    with kills.commands(TIN_CACHE=str(cache)) as process:
        yield process


@pytest.fixture(scope="module")
def data(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return data_folder.write_folder(tmp_path_factory.mktemp("data") / "tiny-imagenet-200")


@pytest.fixture(autouse=True)
def same_cache(cache: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TIN_CACHE", str(cache))


@pytest.fixture(scope="module")
def fit(commands: kills.Commands, data: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("run") / "networks" / "vgg_like"
    answer = commands.run(["train", "vgg_like", *SMALL, "--data", data, "--out", folder], folder)
    assert answer["status"] == 0, answer["output"]
    return folder


def refused(
    commands: kills.Commands,
    first: list[Any],
    folder: Path,
    capsys: pytest.CaptureFixture[str],
    second: list[Any] | None = None,
) -> None:
    """Stop ``first`` in the middle: ``second`` (the same command) is refused by the name of the
    process; then the first ends, and the same command finds all done."""
    whole = commands.run(first, folder)
    assert whole["status"] == 0, whole["output"]
    expected = kills.content(folder)
    shutil.rmtree(folder)
    folder.mkdir()
    with stopped(commands, first, folder, whole["operations"] // 2) as answer:
        before = kills.content(folder)
        capsys.readouterr()
        assert command.main(list(map(str, second or first))) == 2
        said = capsys.readouterr().err
        assert said.startswith("tin: "), said
        assert "is being run by process" in said
        assert said.endswith("wait for it to end\n")
        assert kills.content(folder) == before
    assert answer.result()["status"] == 0, answer.result()["output"]
    kills.compare(kills.content(folder), expected, f"{first[0]} with another beside it")
    assert command.main(list(map(str, second or first))) == 0


def test_train(
    commands: kills.Commands,
    data: Path,
    tmp_path: Path,
    fault: Callable,
    capsys: pytest.CaptureFixture[str],
) -> None:
    """Another recipe would move the folder aside: it is refused as the same command is."""
    folder = tmp_path / "run"
    first = ["train", "vgg_like", *SMALL, "--data", data, "--out", folder / "fit"]
    with fault("two processes at once", "train"):
        refused(commands, first, folder, capsys)
    shutil.rmtree(folder)
    with fault("two processes at once", "train by another recipe"):
        refused(
            commands,
            first,
            folder,
            capsys,
            [str(part).replace("epochs=2", "epochs=1") for part in first],
        )


def test_features_and_import(
    commands: kills.Commands,
    data: Path,
    fit: Path,
    tmp_path: Path,
    fault: Callable,
    capsys: pytest.CaptureFixture[str],
) -> None:
    folder = tmp_path / "features"
    with fault("two processes at once", "features"):
        refused(commands, ["features", fit, "--out", folder, "--data", data], folder, capsys)
    file, run = tmp_path / "p.safetensors", tmp_path / "run"
    assert command.main(["publish", str(fit), "--out", str(file)]) == 0
    with fault("two processes at once", "import"):
        refused(commands, ["import", file, "--data", data, "--run", run], run, capsys)


def test_workbook(
    commands: kills.Commands,
    tmp_path: Path,
    fault: Callable,
    capsys: pytest.CaptureFixture[str],
) -> None:
    workbook_toys.diamond(tmp_path / "notebooks")
    run = tmp_path / "run"
    arguments = ["run", "--workbook", tmp_path / "notebooks", "--run", run, "--only", "05"]
    run.mkdir()
    with fault("two processes at once", "run"):
        with stopped(commands, arguments, run, 6) as answer:
            assert command.main(list(map(str, arguments))) == 2
            said = capsys.readouterr().err
            assert f"the workbook in {run} is being run by process" in said
        assert answer.result()["status"] == 0, answer.result()["output"]
        assert workbook_toys.count_runs(run, "05_apart") == 1


def test_pack_waits(tmp_path: Path, fault: Callable, monkeypatch: pytest.MonkeyPatch) -> None:
    """The second gets what the first packs."""
    root, cache = data_folder.write_folder(tmp_path / "tiny"), tmp_path / "cache"
    monkeypatch.setenv("TIN_CACHE", str(cache))
    made: list[Path] = []
    with fault("two processes at once", "pack"), kills.commands(TIN_CACHE=str(cache)) as apart:
        whole = apart.run(["pack", root], cache)
        shutil.rmtree(cache)
        cache.mkdir()
        with stopped(apart, ["pack", root], cache, whole["operations"] // 2) as answer:
            second = threading.Thread(target=lambda: made.append(tin_data.pack(root)))
            second.start()
            time.sleep(0.3)
            assert not made
            assert second.is_alive()
        assert answer.result()["status"] == 0, answer.result()["output"]
        second.join(60)
        assert len(made) == 1
        assert sorted(path.name for path in made[0].parent.iterdir()) == ["lock", made[0].name]
