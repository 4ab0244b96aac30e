"""Checkpoints: an interrupted or killed fit ends with the same numbers; when they are written."""

import time
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from cut_off import CutOff
from train_toys import SMALL, figures

from tin_lib import runs
from tin_lib.data import TinyImageNet
from tin_lib.train import fit
from tin_lib.train.checkpoint import Saving


@pytest.mark.parametrize("changes", [{}, {"ema": 0.9}, {"keep": "best"}, {"cutmix": 1.0}])
def test_interrupted_fit_ends_with_the_same_numbers(
    tiny: TinyImageNet, tmp_path: Path, changes: dict[str, Any]
) -> None:
    recipe = SMALL.replace(**changes)
    whole = fit(recipe, tiny, tmp_path / "whole", device="cpu", progress=None)
    for after in (1, 3):
        with pytest.raises(KeyboardInterrupt):
            fit(recipe, tiny, tmp_path / "cut", device="cpu", progress=CutOff(after))
    resumed = fit(recipe, tiny, tmp_path / "cut", device="cpu", progress=None)
    assert figures(resumed) == figures(whole)
    np.testing.assert_array_equal(resumed.logits("val"), whole.logits("val"))


def test_damaged_checkpoint_is_named(tiny: TinyImageNet, tmp_path: Path) -> None:
    with pytest.raises(KeyboardInterrupt):
        fit(SMALL, tiny, tmp_path / "net", device="cpu", progress=CutOff(1))
    path = tmp_path / "net" / "checkpoint.pt"
    cut = path.read_bytes()[:1000]
    for damage in (lambda: path.write_bytes(cut), lambda: torch.save({}, path)):
        damage()
        with pytest.raises(ValueError, match=r"checkpoint\.pt is not a usable checkpoint"):
            fit(SMALL, tiny, tmp_path / "net", device="cpu", progress=None)


def test_saving_takes_at_most_a_tenth_of_the_time(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    clock = [0.0]

    def save(state: Any, path: Path) -> None:
        clock[0] += 0.5

    monkeypatch.setattr(time, "monotonic", lambda: clock[0])
    monkeypatch.setattr(torch, "save", save)
    saving, saved = Saving(), []
    for epoch in range(10):  # of one second, and a saving takes half of one
        clock[0] += 1.0
        if saving.due():
            saving.save(tmp_path, {"history": []})
            saved.append(epoch)
    assert saved == [0, 5]


def test_skipped_checkpoints_change_no_number(
    tiny: TinyImageNet, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    whole = fit(SMALL, tiny, tmp_path / "whole", device="cpu", progress=None)
    saves = iter([True, False, False])
    with monkeypatch.context() as patched:
        patched.setattr(Saving, "due", lambda self: next(saves))
        with pytest.raises(KeyboardInterrupt):
            fit(SMALL, tiny, tmp_path / "cut", device="cpu", progress=CutOff(3))
    assert len(runs.Fit(tmp_path / "cut").history()) == 1
    again = fit(SMALL, tiny, tmp_path / "cut", device="cpu", progress=None)
    assert figures(again) == figures(whole)


PARTS = ["network", "optimizers", "averaged", "best", "history", "weights"]


@pytest.mark.parametrize("part", PARTS)
def test_a_checkpoint_without_a_part_is_refused(
    tiny: TinyImageNet, tmp_path: Path, part: str
) -> None:
    """Such as an older one with ``keep="best"``, which has no weights of the best epoch."""
    recipe, path = SMALL.replace(keep="best", ema=0.9), tmp_path / "net" / "checkpoint.pt"
    with pytest.raises(KeyboardInterrupt):
        fit(recipe, tiny, tmp_path / "net", device="cpu", progress=CutOff(1))
    state = torch.load(path, weights_only=True)
    del (state["best"] if part == "weights" else state)[part]
    torch.save(state, path)
    with pytest.raises(ValueError, match=r"checkpoint\.pt is not a usable checkpoint \(KeyError\)"):
        fit(recipe, tiny, tmp_path / "net", device="cpu", progress=None)


@pytest.mark.parametrize("keep", ["best", "last"])
def test_a_fit_that_stops_early_saves_its_whole_history(
    tiny: TinyImageNet, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, keep: str
) -> None:
    monkeypatch.setattr(Saving, "due", lambda self: False)
    recipe = SMALL.replace(epochs=30, patience=2, keep=keep)
    done = fit(recipe, tiny, tmp_path / "net", device="cpu", progress=None)
    best = int(done.history().heldout_accuracy.idxmax()) + 1
    assert len(done.history()) == done.summary["epochs"] == best + 2 < 30
