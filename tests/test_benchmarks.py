"""Every benchmark runs in its smallest form and ends with its line; long ones resume.

No speed is tested. Scripts run in separate processes, as from the command line; only what is
resumed runs in this one.
"""

import importlib
import json
import os
import subprocess
import sys
import tarfile
import tempfile
import xml.etree.ElementTree as ET
from collections.abc import Callable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
from data_folder import write_folder

from tin_lib import files, runs
from tin_lib.data import open_data

ROOT = Path(__file__).parents[1]
MACHINE = {"device", "processor", "amx", "cores", "threads", "torch", "torchvision", "python"}
ENVIRONMENT = os.environ | {"OMP_WAIT_POLICY": "PASSIVE"}
# As on a machine that has nothing but what computing needs.
BARE = """
import runpy, sys
sys.modules.update(dict.fromkeys(("plotly", "yaml", "papermill", "nbformat", "dask"), None))
sys.path.insert(0, "benchmarks")
sys.argv = sys.argv[1:]
runpy.run_path(sys.argv[0], run_name="__main__")
"""
pytestmark = pytest.mark.slow


def run(script: str, *arguments: str, start: tuple[str, ...] = ()) -> str:
    """What a benchmark prints."""
    command = [sys.executable, *start, f"benchmarks/{script}.py", *arguments]
    done = subprocess.run(command, cwd=ROOT, env=ENVIRONMENT, capture_output=True, text=True)
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


def last_line(printed: str) -> dict:
    """The last line as JSON, with what every benchmark says."""
    line = json.loads(printed.splitlines()[-1])
    assert line["ratios"]
    assert all(isinstance(value, float | int) for value in line["ratios"].values())
    assert line["command"].startswith(f"python benchmarks/{line['benchmark']}.py")
    assert tempfile.gettempdir() not in line["command"]  # no folder of this machine
    assert line["commit"]
    assert set(line["machine"]) == MACHINE
    return line


# Of each script: its smallest arguments, and words that its table has.
SCRIPTS = {
    "input_pipeline": ("--images 256 --rounds 1 --batches 2", ("kornia", "torchvision")),
    "train_step": (
        "--networks alexnet --width 0.05 --batch 8 --seconds 0 --rounds 1 --plain all "
        "--precision float32",
        ("precision", "plain in", "fit/plain"),
    ),
    "pack": ("small --rounds 1", ("decode", "peak memory")),
    "scaling": (
        "--images 200 --batches 8 --processes 1 --seconds 0.1",
        ("plan s", "batches", "–"),
    ),
    "time_to_accuracy": (
        "--network alexnet --recipe quick --accuracy 0.1 --seeds 2 --classes 2 --per-class 8 "
        "--set epochs=1 --set width=0.05",
        ("mean ± sd", "last accuracy"),
    ),
    "saliency": (
        "--networks alexnet --methods gradient --batches 1 --width 0.1 --rounds 1 --images 2",
        ("captum", "median"),
    ),
    "browser": (
        "--networks alexnet --browsed alexnet --width 0.1 --selections 1 --images 2",
        ("never seen", "resident"),
    ),
    "soak": (
        "--minutes 0.05 --network alexnet --width 0.1",
        ("training: MiB", "reopened: open files"),
    ),
}


@pytest.fixture(scope="module")
def printed(tmp_path_factory: pytest.TempPathFactory) -> Iterator[dict[str, Future[str]]]:
    """What the scripts print; two run at a time, since starting Python is most of it."""
    small = str(write_folder(tmp_path_factory.mktemp("data") / "small"))
    with ThreadPoolExecutor(2) as pool:
        yield {
            script: pool.submit(run, script, *arguments.replace("small", small).split())
            for script, (arguments, _) in SCRIPTS.items()
        }


@pytest.mark.parametrize("script", SCRIPTS)
def test_runs_and_ends_with_its_line(printed: dict[str, Future[str]], script: str) -> None:
    arguments, shown = SCRIPTS[script]
    output = printed[script].result()
    assert all(words in output for words in shown)
    assert last_line(output)["command"] == f"python benchmarks/{script}.py {arguments}"


SMALL = ["--classes", "2", "--per-class", "8", "--width", "0.05", "--epochs-scale", "0.01"]
SMALL += ["--eager", "--device", "cpu"]


@pytest.fixture(scope="module")
def begun(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, str]:
    """A study with two of its fits, made where nothing draws; and what it printed."""
    out = tmp_path_factory.mktemp("study") / "out"
    only = ("--only", "speed", "modern/vgg16", "modern/convnet9")
    return out, run("full_scale", "sample", str(out), *SMALL, *only, start=("-c", BARE))


@pytest.fixture
def again(monkeypatch: Any, capsys: Any) -> Callable[..., str]:
    """Run a script in this process, which has imported torch; gives what it prints."""
    monkeypatch.syspath_prepend(ROOT / "benchmarks")

    def again(script: str, *arguments: str) -> str:
        monkeypatch.setattr(sys, "argv", [f"{script}.py", *arguments])
        assert not importlib.import_module(script).main()
        return capsys.readouterr().out

    return again


@pytest.fixture
def go_on(again: Callable[..., str]) -> Callable[..., str]:
    """Go on with the study."""
    return lambda out, *more: again("full_scale", "sample", str(out), *SMALL, *more)


def items(out: Path) -> dict[str, dict[str, Any]]:
    """What became of each item."""
    return files.read_json(out / "manifest.json")["items"]


def test_a_part_of_the_study_leaves_tables_votes_and_its_line(begun: tuple[Path, str]) -> None:
    out, printed = begun
    assert items(out)["figures"]["state"] == "skipped"
    assert "skipped: figures" in printed
    assert "failed" not in printed
    rows = pd.read_csv(out / "results.csv")
    assert rows["name"].tolist() == ["convnet9", "vgg16", "majority vote", "soft vote"]
    assert all(words in printed for words in ("modern/convnet9", "paper's val", "mark"))
    ratios = last_line(printed)["ratios"]
    assert {"modern/vgg16 / mark", "modern/vgg16 fit/bare", "minutes / 25"} <= set(ratios)
    assert "best/resnet18 share of the matrix product" in ratios
    assert set(files.read_json(out / "speed.json")["seconds"]) >= {"paper/vgg16", "best/resnet18"}


def test_scores_are_kept_as_they_travel(begun: tuple[Path, str]) -> None:
    fit = runs.open_fit(begun[0] / "modern" / "networks" / "convnet9")
    scores = fit.logits("val")
    assert scores.dtype == np.float16
    assert (scores.max(axis=1) == 0).all()
    best = np.array(fit.class_ids)[scores.argmax(axis=1)]
    assert (best == fit.predictions("val").predicted).mean() > 0.9  # what is near may round to ties


def test_what_came_home_goes_on_in_a_fresh_folder(
    begun: tuple[Path, str], tmp_path: Path, go_on: Callable[..., str]
) -> None:
    for path in begun[0].glob("*.tar.gz"):
        with tarfile.open(path) as archive:
            archive.extractall(tmp_path, filter="data")
    assert not list(tmp_path.rglob("*.safetensors"))
    printed = go_on(tmp_path, "--only", "speed", "modern/vgg16", "modern/convnet9", "best")
    assert printed.count("== ") == 1
    assert "== best/resnet18" in printed
    made = {name: item["session"] for name, item in items(tmp_path).items()}
    assert (made["speed"], made["modern/convnet9"], made["best/resnet18"]) == (1, 1, 2)
    summary = pd.read_csv(tmp_path / "modern" / "ensemble" / "summary.csv")
    assert summary.members.iloc[-1] == "convnet9, vgg16, resnet18"
    assert (tmp_path / "figures" / "modern-resnet18.html").is_file()


def test_nothing_starts_after_the_minutes_and_a_rerun_takes_it_up(
    begun: tuple[Path, str], go_on: Callable[..., str]
) -> None:
    out = begun[0]
    printed = go_on(out, "--minutes", "0", "--only", "fast", "time_to_accuracy")
    assert printed.count("skipped: the 0 minutes were over") == 2
    assert items(out)["fast/resnet18"]["state"] == "skipped"
    speed = files.read_json(out / "speed.json")
    del speed["steps"]["modern/vgg_like"]  # as if there had been no time for it
    files.write_json(out / "speed.json", speed)
    printed = go_on(out)
    assert {item["state"] for item in items(out).values()} == {"done"}
    assert items(out)["modern/vgg16"]["session"] == 1
    assert "modern/vgg_like" in files.read_json(out / "speed.json")["steps"]
    assert files.read_json(out / "time_to_accuracy.json")["fast"]["seeds"] == 3
    assert "fast/resnet18-seed2" in printed
    assert "paper/vgg_like / mark" in last_line(printed)["ratios"]


RACE = ["--network", "alexnet", "--recipe", "quick", "--set", "epochs=2", "--set", "width=0.05"]
RACE += ["--plain-minutes", "0.001", "--device", "cpu"]


def race(folder: Path) -> list[str]:
    """The arguments of a speed run in a folder."""
    out, fits = str(folder / "out"), str(folder / "fits")
    return [str(folder / "small"), "--out", out, "--fits", fits, *RACE]


@pytest.fixture(scope="module")
def raced(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, str]:
    """A folder with the data, and the speed run of one seed and the plain loop; its output."""
    folder = tmp_path_factory.mktemp("speedrun")
    write_folder(folder / "small")
    return folder, run("speedrun", *race(folder), "--seeds", "1", start=("-c", BARE))


def test_a_speed_run_leaves_its_tables_and_its_line(raced: tuple[Path, str]) -> None:
    out, printed = raced[0] / "out", raced[1]
    assert all(words in printed for words in ("seed 0", "plain loop", "to 0.535"))
    assert set(last_line(printed)["ratios"]) >= {"val accuracy / paper", "images/s / plain"}
    seed, plain = (pd.read_csv(out / name).iloc[0] for name in ("speedrun.csv", "plain.csv"))
    history = pd.read_csv(out / "history.csv")
    assert (seed.epochs, seed.images_seen) == (2, 72)
    assert seed.val_accuracy == pytest.approx(history.val_accuracy.iloc[-1], abs=1e-5)
    assert seed.minutes == history.minutes.iloc[-1]
    assert (plain.minutes >= 0.001, plain.images_seen) == (True, 36)
    assert pd.read_csv(out / "plain_history.csv").val_accuracy.iloc[-1] == plain.val_accuracy
    runs_of = files.read_json(out / "machine.json")["sessions"][0]["runs"]
    assert set(runs_of) == {"seed 0", "plain"}
    assert all({"load_average", "other_cores"} == set(noted) for noted in runs_of.values())


def test_the_picture_of_a_speed_run_is_readable(raced: tuple[Path, str]) -> None:
    picture = ET.parse(raced[0] / "out" / "speedrun.svg").getroot()
    assert picture.find(f"{{*}}rect[@width='{picture.get('width')}'][@fill='#ffffff']") is not None
    texts = picture.findall("{*}text")
    assert any("paper 0.535" in str(each.text) for each in texts)
    assert min(int(each.attrib["font-size"]) for each in texts) >= 12
    assert min(contrast_with_white(each.attrib["fill"]) for each in texts) >= 4.5
    assert len(picture.findall("{*}polyline")) == 2


def contrast_with_white(colour: str) -> float:
    """By the WCAG's formula."""
    shares = np.array([int(colour[i : i + 2], 16) for i in (1, 3, 5)]) / 255
    linear = np.where(shares <= 0.04045, shares / 12.92, ((shares + 0.055) / 1.055) ** 2.4)
    return float(1.05 / (linear @ [0.2126, 0.7152, 0.0722] + 0.05))


def test_a_speed_run_keeps_what_is_done(raced: tuple[Path, str], again: Callable[..., str]) -> None:
    folder, names = raced[0], ("speedrun", "history", "plain", "plain_history")
    read = lambda: {name: (folder / "out" / f"{name}.csv").read_text() for name in names}
    before = read()
    printed = again("speedrun", *race(folder), "--seeds", "2")
    assert printed.count("not trained again") == 2
    after = read()
    assert all(after[name].startswith(before[name]) for name in names)
    assert after["plain"] == before["plain"]
    assert pd.read_csv(folder / "out" / "speedrun.csv").seed.tolist() == [0, 1]
    assert last_line(printed)["seeds"] == [0, 1]
    with pytest.raises(SystemExit, match=r"another recipe \(epochs\)"):
        again("speedrun", *race(folder), "--set", "epochs=3")


def test_minutes_are_those_at_the_end_of_the_first_epoch_that_is_there(
    tmp_path: Path, again: Callable[..., str]
) -> None:
    import speedrun

    accuracies = (0.2, 0.41, 0.39, 0.5)
    rows = [{"seconds": 60.0, "images_per_second": 10.0, "val_accuracy": a} for a in accuracies]
    files.atomic_write(tmp_path / "history.jsonl", "".join(json.dumps(row) + "\n" for row in rows))
    files.write_json(tmp_path / "recipe.json", {"seed": 3})
    files.write_json(tmp_path / "meta.json", {"precision": "bf16"})
    summary = {"val_accuracy": 0.51, "val_top5": 0.7, "images_per_second": 10.0}
    files.write_json(tmp_path / "summary.json", summary)
    found = speedrun.figures(runs.Fit(tmp_path))
    assert [found[f"minutes_to_{level}"] for level in ("0.30", "0.40", "0.50")] == [2, 2, 4]
    assert found["minutes_to_0.535"] is None
    assert (found["minutes"], found["val_accuracy"], found["images_seen"]) == (4, 0.51, 2400)


def test_the_plain_loop_has_the_right_labels(
    raced: tuple[Path, str], again: Callable[..., str]
) -> None:
    import _plain_loop

    data = open_data(raced[0] / "small")
    numbers = _plain_loop.train_images(data.root).class_to_idx
    assert tuple(numbers) == data.class_ids
    val = _plain_loop.ValImages(data.root, numbers)
    assert {p.name: k for p, k in val.samples} == dict(zip(data.val.files, data.val.labels))
    assert val[0][0].shape == (3, 64, 64)
