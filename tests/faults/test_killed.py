"""Commands killed at any moment: the same command goes on and ends as if nothing had happened."""

import hashlib
import shutil
import zipfile
from collections.abc import Callable, Iterator
from pathlib import Path

import kills
import numpy as np
import pandas as pd
import pytest
import workbook_toys

SMALL = ["--recipe", "quick", "--device", "cpu", "--set", "epochs=4", "--set", "width=0.2"]
SMALL += ["--set", "batch_size=4"]
STEP = """from pathlib import Path
(Path(run) / "out").mkdir(exist_ok=True)
(Path(run) / "out" / f"{name}.txt").write_text(f"{name} {epochs}")"""


@pytest.fixture(scope="module")
def commands() -> Iterator[kills.Commands]:
    with kills.commands() as process:
        yield process


@pytest.fixture(scope="module")
def data(official: Path) -> Path:
    return official


@pytest.fixture(scope="module")
def fit(commands: kills.Commands, data: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A finished fit, for commands that read one."""
    folder = tmp_path_factory.mktemp("run") / "networks" / "vgg_like"
    answer = commands.run(["train", "vgg_like", *SMALL, "--data", data, "--out", folder], folder)
    assert answer["status"] == 0, answer["output"]
    return folder


def test_train(commands: kills.Commands, data: Path, tmp_path: Path, fault: Callable) -> None:
    folder = tmp_path / "run"
    arguments = ["train", "vgg_like", *SMALL, "--data", data, "--out", folder / "fit"]
    answers = kills.killed_and_resumed(commands, arguments, folder, fault, 16)
    # An epoch's line comes after its checkpoint. Epochs as short as these are not all saved: saving
    # takes at most a tenth of the time.
    for answer in answers:
        again = set(kills.epochs(answer["killed"]["output"])) & set(kills.epochs(answer["output"]))
        assert len(again) <= 2, answer


@pytest.mark.parametrize("share", [0.15, 0.35, 0.55, 0.75, 0.9])
def test_train_at_a_random_time(
    share: float, commands: kills.Commands, data: Path, tmp_path: Path, fault: Callable
) -> None:
    arguments = ["train", "vgg_like", *SMALL, "--data", data, "--out", tmp_path / "a" / "fit"]
    whole = commands.run(arguments, tmp_path / "a")
    assert whole["status"] == 0
    expected = kills.content(tmp_path / "a")
    seconds = 0.2 + share * sum(
        pd.read_json(tmp_path / "a" / "fit" / "history.jsonl", lines=True).seconds
    )
    arguments[-1] = tmp_path / "b" / "fit"
    with fault("killed", f"train, at {share:.0%} of its time") as tried:
        killed = commands.run(arguments, tmp_path / "b", after=seconds)
        assert killed["status"] in (-9, 0)  # a machine that has grown quicker has finished
        again = commands.run(arguments, tmp_path / "b")
        assert again["status"] == 0, again["output"]
        kills.compare(kills.content(tmp_path / "b"), expected, f"train killed at {share:.0%}")
        tried.lost = kills.lost(killed["output"], again["output"])


def test_download(commands: kills.Commands, data: Path, tmp_path: Path, fault: Callable) -> None:
    archive = tmp_path / "data.zip"
    with zipfile.ZipFile(archive, "w") as file:
        for path in sorted(data.rglob("*")):
            file.write(path, path.relative_to(data.parent))
    digest = hashlib.md5(archive.read_bytes()).hexdigest()
    folder, size = tmp_path / "here", archive.stat().st_size
    arguments = ["download", folder, "--source", archive, "--md5", digest, "--size", size]
    kills.killed_and_resumed(commands, arguments, folder, fault, 12)
    images = sorted(path.name for path in folder.rglob("*.JPEG"))
    assert images == sorted(path.name for path in data.rglob("*.JPEG"))


def test_pack(data: Path, tmp_path: Path, fault: Callable) -> None:
    with kills.commands(TIN_CACHE=str(tmp_path / "cache")) as apart:
        kills.killed_and_resumed(apart, ["pack", data], tmp_path / "cache", fault, 12)


def test_publish_and_import(
    commands: kills.Commands, data: Path, fit: Path, tmp_path: Path, fault: Callable
) -> None:
    arguments = ["publish", fit, "--out", tmp_path / "out" / "p.safetensors"]
    kills.killed_and_resumed(commands, arguments, tmp_path / "out", fault, 3)
    file = shutil.copy(arguments[-1], tmp_path)
    arguments = ["import", file, "--data", data, "--run", tmp_path / "run", "--train", "--test"]
    kills.killed_and_resumed(commands, arguments, tmp_path / "run", fault, 8)


def test_features(
    commands: kills.Commands, data: Path, fit: Path, tmp_path: Path, fault: Callable
) -> None:
    folder = tmp_path / "features"
    arguments = ["features", fit, "--out", folder, "--data", data]
    kills.killed_and_resumed(commands, arguments, folder, fault, 10)


@pytest.mark.slow
def test_sweep(commands: kills.Commands, data: Path, tmp_path: Path, fault: Callable) -> None:
    folder = tmp_path / "sweep"
    arguments = ["sweep", "vgg_like", *SMALL, "--data", data, "--out", folder, "--jobs", 2]
    kills.killed_and_resumed(commands, [*arguments, "--grid", "lr=0.01,0.1"], folder, fault, 3)


@pytest.mark.slow
def test_workbook_and_report(commands: kills.Commands, tmp_path: Path, fault: Callable) -> None:
    folder, run = tmp_path / "notebooks", tmp_path / "run"
    steps = {"01_first": {"outputs": ["out/01_first.txt"]}, "02_last": {"needs": ["01_first"]}}
    workbook_toys.write_workbook(folder, steps)
    for name in steps:
        workbook_toys.write_notebook(folder / f"{name}.ipynb", f'name = "{name}"\n{STEP}')
    arguments = ["run", "--workbook", folder, "--run", run]
    for answer in kills.killed_and_resumed(commands, arguments, run, fault, 4):
        assert not set(kills.steps(answer["output"])) & set(kills.steps(answer["killed"]["output"]))
    finished = tmp_path / "finished"  # its notebooks are up to date: what is killed is the report
    shutil.copytree(run, finished)
    kills.killed_and_resumed(
        commands,
        arguments,
        run,
        fault,
        6,
        prepare=lambda: shutil.copytree(finished, run, dirs_exist_ok=True),
    )


def test_submit_and_vote(
    commands: kills.Commands, fit: Path, tmp_path: Path, fault: Callable
) -> None:
    rng, ids = np.random.default_rng(0), [f"n{i:08}" for i in range(4)]
    members = []
    for number in range(3):
        path = tmp_path / f"{number}.txt"
        lines = [f"test_{i}.JPEG {ids[rng.integers(4)]}\n" for i in range(50)]
        path.write_text("".join(lines))
        members.append(path)
    out = tmp_path / "out"
    arguments = ["vote", *members, "--fallback", members[0], "-o", out / "vote.txt"]
    kills.killed_and_resumed(commands, arguments, out, fault, 4)
    arguments = ["submit", fit, "-o", out / "submission.txt"]
    kills.killed_and_resumed(commands, arguments, out, fault, 4)
