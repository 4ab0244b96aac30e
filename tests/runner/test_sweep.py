"""Sweeps: every combination once, nothing trained twice, failures reported in the table."""

import contextlib
import os
import signal
import subprocess
import sys
import time
from concurrent.futures import Future, ThreadPoolExecutor
from pathlib import Path
from typing import Any

import pandas as pd
import psutil
import pytest

from tin_lib import recipes, runs
from tin_lib.__main__ import main
from tin_lib.data import TinyImageNet, open_data
from tin_lib.runner.jobs import sweep

SMALL = ["--recipe", "quick", "--classes", "2", "--per-class", "10", "--set", "epochs=1"]


def test_combinations_and_grid() -> None:
    grid = sweep.parse_grid(["lr=0.01,1e-1", "penalties=none,paper", 'augment={"mode": "none"}'])
    assert grid == {
        "lr": [0.01, 0.1],
        "penalties": ["none", "paper"],
        "augment": [{"mode": "none"}],
    }
    assert sweep.parse_grid(["lr=1e-3,.1", "weights=null,imagenet"]) == {
        "lr": [0.001, 0.1],
        "weights": [None, "imagenet"],
    }
    assert sweep.combinations({"a": [1, 2], "b": [3, 4]}) == [
        {"a": 1, "b": 3},
        {"a": 1, "b": 4},
        {"a": 2, "b": 3},
        {"a": 2, "b": 4},
    ]
    with pytest.raises(ValueError, match="grid: b has no values"):
        sweep.combinations({"a": [1], "b": []})
    with pytest.raises(ValueError, match="grid: it has no values"):
        sweep.combinations({})


@pytest.mark.parametrize("wrong", [["lr"], ["lr="], ["lr=1", "lr=2"]])
def test_a_grid_of_another_form_is_refused(wrong: list[str]) -> None:
    with pytest.raises(ValueError, match="write FIELD=VALUE,VALUE, each field once"):
        sweep.parse_grid(wrong)


def test_folders_are_named_by_the_fields_and_differ() -> None:
    assert sweep.folder_name({"lr": 0.01, "seed": 0}) == "lr=0.01,seed=0"
    names = [sweep.folder_name({"weights": path}) for path in ("a/b", "a_b", "a:b")]
    assert len(set(names)) == 3
    assert all("/" not in name for name in names)
    assert len(sweep.folder_name({"weights": "x" * 300})) < 100


def test_what_does_not_fit_is_refused_before_anything_is_trained(tmp_path: Path) -> None:
    data, recipe = open_data("sample", classes=2, per_class=10), recipes.get("quick", "vgg_like")
    with ThreadPoolExecutor(1) as pool, pytest.raises(ValueError, match="lr=-1: must lie between"):
        sweep.sweep(recipe, {"lr": [0.1, -1]}, data, tmp_path / "out", pool)
    assert not (tmp_path / "out").exists()


def test_data_in_memory_are_refused_once_and_at_once(tmp_path: Path, tiny: TinyImageNet) -> None:
    recipe = recipes.get("quick", "vgg_like")
    with ThreadPoolExecutor(1) as pool, pytest.raises(ValueError, match="pass data from open_data"):
        sweep.sweep(recipe, {"lr": [0.1, 0.2]}, tiny, tmp_path / "out", pool)
    assert not (tmp_path / "out").exists()


def test_sweep_on_processes_of_this_machine(tmp_path: Path, capsys: Any) -> None:
    call = ["sweep", "vgg_like", *SMALL, "--holdout", "0.2", "--out", str(tmp_path)]
    call += ["--grid", "lr=0.001,0.003", "--grid", "seed=0,1", "--jobs", "2"]
    assert main(call) == 0
    out = capsys.readouterr().out
    assert "[4/4]" in out
    assert str(tmp_path / "sweep.csv") in out
    table = pd.read_csv(tmp_path / "sweep.csv")
    assert sorted(zip(table.lr, table.seed)) == [(0.001, 0), (0.001, 1), (0.003, 0), (0.003, 1)]
    assert table.heldout_accuracy.is_monotonic_decreasing
    for row in table.itertuples():
        fit = runs.open_fit(tmp_path / str(row.fit))
        assert (fit.recipe["lr"], fit.recipe["seed"]) == (row.lr, row.seed)
        assert fit.summary["val_accuracy"] == pytest.approx(row.val_accuracy)
    written = {path: path.stat().st_mtime_ns for path in tmp_path.glob("*/weights.safetensors")}
    assert main(call) == 0  # nothing is trained again
    assert written == {p: p.stat().st_mtime_ns for p in tmp_path.glob("*/weights.safetensors")}


def test_a_fit_that_fails_leaves_the_others(tmp_path: Path, capsys: Any) -> None:
    call = ["sweep", "vgg_like", *SMALL, "--out", str(tmp_path)]
    call += ["--grid", "seed=0,1"]
    (tmp_path / "seed=1").write_text("a file in place of the fit's folder")
    assert main(call) == 1
    table = pd.read_csv(tmp_path / "sweep.csv").fillna({"error": ""})
    assert table.error[0] == ""
    assert "seed=1" in table.error[1]
    assert "seed=1" in capsys.readouterr().out


class Broken(ThreadPoolExecutor):
    """Loses every second task, as when a worker is killed."""

    def submit(self, function: Any, /, *given: Any, **named: Any) -> Future:
        self.count = getattr(self, "count", 0) + 1
        if self.count % 2:
            return super().submit(function, *given, **named)
        lost: Future = Future()
        lost.set_exception(RuntimeError("gone"))
        return lost


def test_a_lost_worker_and_a_failed_fit_are_rows(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(sweep, "run_fit", lambda job: {"error": "MemoryError"})
    data, recipe = open_data("sample", classes=2, per_class=10), recipes.get("quick", "vgg_like")
    with Broken(1) as pool:
        table = sweep.sweep(recipe, {"epochs": [1, 2]}, data, tmp_path, pool)
    assert set(table.error) == {"MemoryError", "its worker failed: RuntimeError: gone"}
    assert list(table.columns).count("epochs") == 1


def test_a_lack_of_memory_is_an_error_with_a_traceback(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: Any
) -> None:
    def full(*given: Any, **named: Any) -> None:
        raise MemoryError

    monkeypatch.setattr("tin_lib.train.fit", full)
    assert sweep.train_one(job(tmp_path)) == {"error": "MemoryError"}
    assert "raise MemoryError" in capsys.readouterr().err


def job(folder: Path, **fields: Any) -> sweep.FitJob:
    """A small fit in ``folder/fit``."""
    recipe = recipes.get("quick", "vgg_like").replace(epochs=1, width=0.1, **fields)
    return sweep.FitJob(
        output=str(folder / "fit"),
        log=str(folder / "fit.log"),
        stop=str(folder / "stop"),
        threads=1,
        recipe=recipe.to_dict(),
        request=open_data("sample", classes=2, per_class=10).request,
        device="cpu",
    )


@pytest.mark.slow
def test_a_fit_runs_in_its_own_process_with_its_number_of_threads(tmp_path: Path) -> None:
    done = sweep.run_fit(job(tmp_path))
    assert done["error"] == ""
    summary = runs.open_fit(tmp_path / "fit").summary
    assert done["seconds"] == summary["seconds"]  # of training, not of the process
    assert "1 threads" in summary["device"]


@pytest.mark.slow
def test_a_killed_fit_is_an_error_of_its_own(tmp_path: Path) -> None:
    with ThreadPoolExecutor(1) as pool:
        fit = pool.submit(sweep.run_fit, job(tmp_path) | {"output": str(tmp_path / "killed")})
        process = wait_for_child("killed")
        process.kill()
        assert "ended with status -9 (killed, or out of memory?)" in fit.result(60)["error"]


def wait_for_child(word: str, parent: int | None = None, seconds: float = 60) -> psutil.Process:
    """The process below ``parent``, or below this one, whose command has the word in it."""
    last = time.monotonic() + seconds
    while time.monotonic() < last:
        for child in psutil.Process(parent).children(recursive=True):
            with contextlib.suppress(psutil.Error):
                if any(word in part for part in child.cmdline()):
                    return child
        time.sleep(0.05)
    raise TimeoutError(f"no process has {word} in its command")


@pytest.mark.slow
def test_ctrl_c_ends_a_sweep_and_begins_no_other_fit(tmp_path: Path) -> None:
    long = ["--recipe", "quick", "--classes", "2", "--set", "epochs=5000", "--set", "width=0.1"]
    call = [sys.executable, "-m", "tin_lib", "sweep", "vgg_like", *long, "--out", str(tmp_path)]
    call += ["--grid", "seed=0,1,2,3"]
    # As a terminal's Ctrl-C: it reaches the whole group.
    process = subprocess.Popen(call, start_new_session=True, stderr=subprocess.PIPE, text=True)
    last = time.monotonic() + 120
    while not (tmp_path / "seed=0" / "history.jsonl").exists():
        assert process.poll() is None
        assert time.monotonic() < last
        time.sleep(0.1)
    fit = wait_for_child("tin_lib.runner.jobs.sweep", process.pid)
    os.killpg(process.pid, signal.SIGINT)
    _, said = process.communicate(timeout=60)
    assert process.returncode == 128 + signal.SIGINT
    assert "tin: interrupted" in said
    assert not fit.is_running()
    assert {path.name for path in tmp_path.iterdir() if path.is_dir()} == {"seed=0", "logs"}
    assert not list(tmp_path.glob(".stop*"))
