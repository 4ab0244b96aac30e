"""Many fits in parallel: trained once, resumed, refused, recorded when they diverge."""

import dataclasses
import json
import os
import signal
import subprocess
import sys
import threading
import time
from pathlib import Path
from typing import Any

import psutil
import pytest

from tin_lib import recipes, runs
from tin_lib.analysis.arms import DivergedFit
from tin_lib.data import TinyImageNet, open_data
from tin_lib.runner.jobs import fit_worker, fits
from tin_lib.runner.jobs.fits import train_all
from tin_lib.train import Diverged


@pytest.fixture(scope="module")
def data() -> TinyImageNet:
    return open_data("sample", classes=2, per_class=12)


@pytest.fixture(scope="module")
def base() -> recipes.Recipe:
    return recipes.get("quick", "convnet9", width=0.05, epochs=1)


def test_the_same_fit_is_trained_once(
    data: TinyImageNet, base: recipes.Recipe, tmp_path: Path
) -> None:
    asked = {("plain", seed): base.replace(seed=seed) for seed in range(3)}
    asked["again", 0] = base  # the same as ("plain", 0)
    first = train_all(asked, data, tmp_path, jobs=2)
    assert first["plain", 0].path == first["again", 0].path
    assert len({fit.path for fit in first.values()}) == 3
    written = {
        fit.path: (fit.path / "weights.safetensors").stat().st_mtime_ns for fit in first.values()
    }
    more = asked | {("plain", 3): base.replace(seed=3)}
    second = train_all(more, data, tmp_path, jobs=1)
    assert all((p / "weights.safetensors").stat().st_mtime_ns == t for p, t in written.items())
    assert all(isinstance(fit, runs.Fit) for fit in second.values())
    assert second["plain", 3].path.name == fits.fit_name(more["plain", 3], data)


def test_workers_give_the_numbers_of_this_process(
    data: TinyImageNet, base: recipes.Recipe, tmp_path: Path
) -> None:
    from tin_lib.train import fit

    (theirs,) = train_all({"one": base}, data, tmp_path / "theirs", jobs=1).values()
    own = fit(base, data, tmp_path / "own", progress=None)
    names = ("train_loss", "val_loss", "val_accuracy")
    assert isinstance(theirs, runs.Fit)
    for name in names:
        assert theirs.history()[name].tolist() == pytest.approx(
            own.history()[name].tolist(), rel=1e-4
        )


def test_a_divergence_is_recorded_and_not_repeated(
    data: TinyImageNet, base: recipes.Recipe, tmp_path: Path
) -> None:
    asked = {("fast", 0): base.replace(lr=1e6, network="vgg_like", epochs=4, warmup=0.0)}
    asked["fine", 0] = base
    found = train_all(asked, data, tmp_path, jobs=1)
    lost = found["fast", 0]
    assert isinstance(lost, DivergedFit)
    assert len(lost.history()) == lost.epoch - 1 < 4
    assert "the loss is" in lost.message
    assert isinstance(found["fine", 0], runs.Fit)
    before = (lost.path / "diverged.json").stat().st_mtime_ns
    train_all(asked, data, tmp_path, jobs=1)
    assert (lost.path / "diverged.json").stat().st_mtime_ns == before


def test_a_divergence_after_an_interruption_keeps_the_epochs_before(
    data: TinyImageNet, base: recipes.Recipe, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    rows = [{"epoch": number, "val_accuracy": 0.5} for number in (1, 2, 3)]
    fit = tmp_path / "fit"
    fit.mkdir()
    (fit / "history.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows[:2]))

    def lost(recipe: Any, data: Any, out: Path, device: str, progress: Any) -> None:
        progress.epoch(rows[2], 9)  # resumed after two epochs
        raise Diverged("epoch 4: the loss is nan")

    monkeypatch.setattr("tin_lib.train.fit", lost)
    request = {"output": str(fit), "recipe": base.to_dict(), "device": "cpu"}
    assert fit_worker.train_one(request | {"request": data.request}) == {"error": ""}
    found = DivergedFit(fit)
    assert (found.epoch, found.history()["epoch"].tolist()) == (4, [1, 2, 3])


def test_a_worker_that_is_stopped_while_it_starts_ends(
    data: TinyImageNet, base: recipes.Recipe, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    worker = fits.Worker(0, 1, tmp_path / "logs")
    start = worker.start

    def start_late() -> subprocess.Popen:
        worker.close()  # by another thread, which finds no process yet
        return start()

    monkeypatch.setattr(worker, "start", start_late)
    request = {"output": str(tmp_path / "fit"), "recipe": base.replace(epochs=9999).to_dict()}
    assert worker.train(request | {"request": data.request, "device": "cpu"}) == "stopped"
    assert worker.process is not None
    assert worker.process.poll() is not None


def test_a_stage_starts_from_the_fit_before(
    data: TinyImageNet, base: recipes.Recipe, tmp_path: Path
) -> None:
    (first,) = train_all({"one": base}, data, tmp_path, jobs=1).values()
    second = base.replace(weights=str(first.path), lr=1e-9)
    (then,) = train_all({"two": second}, data, tmp_path, jobs=1).values()
    assert isinstance(then, runs.Fit)
    assert then.path != first.path
    moved = tmp_path / "moved"
    first.path.rename(moved)  # what counts is the content of the starting weights
    assert fits.fit_name(second.replace(weights=str(moved)), data) == then.path.name


def test_bad_requests_are_refused_before_anything_starts(
    data: TinyImageNet, base: recipes.Recipe, tmp_path: Path
) -> None:
    bad: list[tuple[recipes.Recipe, str]] = [
        (base.replace(network="nope"), "nope"),
        (base.replace(network_options={"dropuot": 1.0}), "dropuot"),
        (base.replace(trainable=("conv99",)), "conv99"),
        (base.replace(weights=str(tmp_path / "none.pth")), "none.pth"),
    ]
    for recipe, word in bad:
        with pytest.raises((ValueError, FileNotFoundError), match=word):
            train_all({"good": base, "bad": recipe}, data, tmp_path / "fits")
    with pytest.raises(ValueError, match="jobs=0"):
        train_all({"good": base}, data, tmp_path / "fits", jobs=0)
    with pytest.raises(ValueError, match="device='tpu'"):
        train_all({"good": base}, data, tmp_path / "fits", device="tpu")
    with pytest.raises(ValueError, match="open_data"):
        train_all({"good": base}, dataclasses.replace(data, request={}), tmp_path / "fits")
    assert not (tmp_path / "fits").exists()


def test_a_failing_fit_is_named_after_the_others_finished(
    data: TinyImageNet, base: recipes.Recipe, tmp_path: Path
) -> None:
    bad = base.replace(batch_size=2, mixup=0.5, keep="best")  # there is no held-out part
    with pytest.raises(RuntimeError, match="a fit failed: patience and keep"):
        train_all({"bad": bad, "good": base}, data, tmp_path, jobs=1)
    assert (tmp_path / fits.fit_name(base, data) / "summary.json").is_file()


SCRIPT = """
import sys
from tin_lib import recipes
from tin_lib.data import open_data
from tin_lib.runner.jobs.fits import train_all
data = open_data("sample")
base = recipes.get("quick", "convnet9", width=0.05, epochs=1)
asked = {seed: base.replace(seed=seed, epochs=2 if seed < 2 else 10_000) for seed in range(5)}
train_all(asked, data, sys.argv[1], jobs=2)
"""


def start(folder: Path) -> subprocess.Popen:
    """Train in a child until two fits have finished and a long one runs."""
    command = [sys.executable, "-c", SCRIPT, str(folder)]
    process = subprocess.Popen(command, stderr=subprocess.PIPE, text=True)
    deadline = time.monotonic() + 120
    while len(list(folder.glob("*/summary.json"))) < 2 and time.monotonic() < deadline:
        assert process.poll() is None, process.stderr and process.stderr.read()
        time.sleep(0.1)
    return process


def ended(processes: list[psutil.Process]) -> bool:
    gone, _ = psutil.wait_procs(processes, timeout=20)
    return len(gone) == len(processes)


@pytest.mark.slow
@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGKILL], ids=["interrupted", "killed"])
def test_workers_end_with_their_parent(tmp_path: Path, number: signal.Signals) -> None:
    process = start(tmp_path)
    workers = psutil.Process(process.pid).children(recursive=True)
    assert len(workers) == 2
    os.kill(process.pid, number)
    _, text = process.communicate(timeout=60)
    assert ended(workers)
    assert len(list(tmp_path.glob("*/summary.json"))) == 2
    if number == signal.SIGINT:
        assert "Stopped after 2 of 5 fits; run the command again to resume" in text


def test_a_killed_worker_is_replaced(
    data: TinyImageNet, base: recipes.Recipe, tmp_path: Path
) -> None:
    worker = fits.Worker(0, 1, tmp_path / "logs")
    request: dict[str, Any] = {"output": str(tmp_path / "fit"), "device": "cpu"}
    request |= {"request": {"data": "nowhere"}, "recipe": {}}
    try:
        assert "nowhere" in worker.train(request)  # an error, and the process goes on
        process = worker.process
        assert process is not None
        process.kill()
        process.wait()
        assert worker.train(request)
        assert worker.process is not process
        threading.Timer(1.0, worker.process.kill).start()  # in the middle of a long fit
        long = {"recipe": base.replace(epochs=9999).to_dict(), "request": data.request}
        assert "its process was killed (status -9)" in worker.train(request | long)
        assert not list((tmp_path / "logs").glob("*.json"))
    finally:
        worker.close()
