"""Commands and cells that a signal interrupts: they stop cleanly, say how to go on, and go on."""

import hashlib
import random
import shutil
import signal
import zipfile
from collections.abc import Callable, Iterator
from pathlib import Path

import kills
import pytest
import workbook_toys

SMALL = ["--recipe", "quick", "--device", "cpu", "--set", "epochs=3", "--set", "width=0.2"]
SMALL += ["--set", "batch_size=4"]
SIGNALS = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)
by_name = pytest.mark.parametrize("number", SIGNALS, ids=lambda number: number.name)
CELLS = {
    "pack": """
from tin_lib.data import pack
pack({data!r})
""",
    "fit": """
from tin_lib import recipes, train
from tin_lib.data import open_data
recipe = recipes.get("quick", "vgg_like", epochs=3, width=0.2, batch_size=4)
fit = train.fit(recipe, open_data({data!r}), {out!r} + "/fit", device="cpu", progress=None)
""",
    "features": """
from tin_lib.analysis import features
from tin_lib.data import open_data
backbone, data = features.open_backbone({fit!r}), open_data({data!r})
found = features.extract(backbone, data, {out!r})
""",
    "ensemble": """
from tin_lib import files
from tin_lib.analysis import ensemble, runs
opened = runs.open_run({run!r})
table = ensemble.ensemble_table(opened, (), "vgg_like")
files.write_table(table, {out!r} + "/accuracy.csv")
files.write_table(table[table.kind == "vote"], {out!r} + "/summary.csv")
""",
    "saliency": """
from pathlib import Path
from tin_lib.analysis import runs
from tin_lib.lab import widgets
opened = runs.open_run({run!r})
page = widgets.write_static_browser(opened, opened.data(), Path({cache!r}) / "browser", limit=3)
""",
}


@pytest.fixture(scope="module")
def cache(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("cache")


@pytest.fixture(scope="module")
def commands(cache: Path) -> Iterator[kills.Commands]:
    with kills.commands(TIN_CACHE=str(cache)) as process:
        yield process


@pytest.fixture(scope="module")
def data(official: Path) -> Path:
    return official


@pytest.fixture(scope="module")
def run(commands: kills.Commands, data: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A run with two finished fits."""
    folder = tmp_path_factory.mktemp("run")
    for name in ("vgg_like", "convnet9"):
        out = folder / "networks" / name
        answer = commands.run(["train", name, *SMALL, "--data", data, "--out", out], folder)
        assert answer["status"] == 0, answer["output"]
    return folder


@by_name
def test_train(
    number: signal.Signals, commands: kills.Commands, data: Path, tmp_path: Path, fault: Callable
) -> None:
    folder = tmp_path / "out"
    arguments = ["train", "vgg_like", *SMALL, "--data", data, "--out", folder / "fit"]
    kills.killed_and_resumed(commands, arguments, folder, fault, 4, number=number, seed=number)


@by_name
def test_pack(
    number: signal.Signals,
    cache: Path,
    commands: kills.Commands,
    data: Path,
    fault: Callable,
) -> None:
    kills.killed_and_resumed(commands, ["pack", data], cache, fault, 3, number=number, seed=number)


@by_name
def test_download(
    number: signal.Signals, commands: kills.Commands, data: Path, tmp_path: Path, fault: Callable
) -> None:
    archive = tmp_path / "data.zip"
    with zipfile.ZipFile(archive, "w") as file:
        for path in sorted(data.rglob("*")):
            file.write(path, path.relative_to(data.parent))
    digest = hashlib.md5(archive.read_bytes()).hexdigest()
    folder, size = tmp_path / "here", archive.stat().st_size
    arguments = ["download", folder, "--source", archive, "--md5", digest, "--size", size]
    kills.killed_and_resumed(commands, arguments, folder, fault, 3, number=number, seed=number)


@by_name
def test_features(
    number: signal.Signals,
    commands: kills.Commands,
    data: Path,
    run: Path,
    tmp_path: Path,
    fault: Callable,
) -> None:
    fit, folder = run / "networks" / "vgg_like", tmp_path / "features"
    arguments = ["features", fit, "--out", folder, "--data", data]
    kills.killed_and_resumed(commands, arguments, folder, fault, 3, number=number, seed=number)


@by_name
def test_report(
    number: signal.Signals, commands: kills.Commands, tmp_path: Path, fault: Callable
) -> None:
    """Of a workbook whose notebook is up to date."""
    folder, run, finished = tmp_path / "notebooks", tmp_path / "run", tmp_path / "finished"
    workbook_toys.write_workbook(folder, {"01_first": {"outputs": ["out/01_first.txt"]}})
    arguments = ["run", "--workbook", folder, "--run", run]
    whole = commands.run(arguments, run)
    assert whole["status"] == 0, whole["output"]
    shutil.copytree(run, finished)

    def prepare() -> None:
        shutil.copytree(finished, run, dirs_exist_ok=True)

    kills.killed_and_resumed(
        commands, arguments, run, fault, 1, prepare=prepare, number=number, seed=number
    )


@pytest.mark.parametrize("what", CELLS)
def test_an_interrupted_cell_can_be_run_again(
    what: str,
    commands: kills.Commands,
    cache: Path,
    data: Path,
    run: Path,
    tmp_path: Path,
    fault: Callable,
) -> None:
    """In the same kernel, and leaves what an uninterrupted one leaves."""
    out = cache if what in ("pack", "saliency") else tmp_path / "out"
    names = {"data": str(data), "run": str(run), "out": str(tmp_path / "out"), "cache": str(cache)}
    cell = CELLS[what].format(**names, fit=str(run / "networks" / "vgg_like"))

    def fresh() -> None:
        shutil.rmtree(out, ignore_errors=True)
        out.mkdir()

    fresh()
    whole = commands.cell(cell, out)
    assert whole["status"] == 0, whole["output"]
    expected, count = kills.content(out), whole["operations"]
    for moment in sorted(random.Random(0).sample(range(1, count + 1), min(4, count))):
        fresh()
        with fault("interrupted", f"a cell with {what}, before file operation {moment}"):
            again = commands.cell(cell, out, at=moment)
            said = f"{what} interrupted before operation {moment}:\n{again['output']}"
            assert kills.AGAIN in again["output"], said
            assert again["status"] == 0, said
            kills.compare(kills.content(out), expected, f"{what}, interrupted at {moment}")
            if what == "fit":
                assert "Traceback" not in again["output"], said
                assert "run the cell again to" in again["output"], said
