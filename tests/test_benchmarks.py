"""Every benchmark runs in its smallest form and ends with its line; the long study resumes.

No speed is tested. Scripts run in separate processes, as from the command line; only what is
resumed runs in this one.
"""

import tarfile
from collections.abc import Callable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
from benchmark_toys import BARE, last_line, run
from data_folder import write_folder

from tin_lib import files, runs

pytestmark = pytest.mark.slow

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
        "--networks alexnet --browsed alexnet --width 0.1 --selections 1 --images 2 --drawings 2",
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
