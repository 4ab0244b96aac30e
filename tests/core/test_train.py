"""The training loop: it learns, gives the same numbers twice, and refuses what cannot be."""

import dataclasses
import math
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from cut_off import CutOff
from train_toys import SMALL, figures

from tin_lib import runs
from tin_lib.data import TinyImageNet
from tin_lib.files import only_one
from tin_lib.train import Diverged, Trainer, fit
from tin_lib.train.distributed import join


def test_fit_learns_and_leaves_a_whole_folder(tiny: TinyImageNet, tmp_path: Path) -> None:
    done = fit(SMALL.replace(epochs=8), tiny, tmp_path / "net", device="cpu", progress=None)
    assert done.summary["val_accuracy"] > 0.9
    assert done.summary["epochs"] == len(done.history()) == 8
    table = done.predictions("val")
    assert list(table) == ["file", "label", "predicted", "probability", "top5"]
    assert (table.label == table.predicted).mean() == pytest.approx(done.summary["val_accuracy"])
    assert done.predictions("test").label.eq("").all()
    np.testing.assert_array_equal(done.codes(table.predicted), done.logits("val").argmax(1))
    assert not (done.path / "checkpoint.pt").exists()


def test_saved_network_gives_the_saved_scores(tiny: TinyImageNet, tmp_path: Path) -> None:
    from tin_lib import predict

    recipe = SMALL.replace(epochs=1, precision="float32")
    done = fit(recipe, tiny, tmp_path / "net", device="cpu", progress=None)
    images = torch.from_numpy(tiny.val.images)
    scores = predict.scores(done.network(), images, done.mean, done.std)
    np.testing.assert_allclose(scores.numpy(), done.logits("val"), atol=1e-4)


def test_same_command_twice_gives_the_same_numbers(tiny: TinyImageNet, tmp_path: Path) -> None:
    one = fit(SMALL, tiny, tmp_path / "one", device="cpu", progress=None)
    two = fit(SMALL, tiny, tmp_path / "two", device="cpu", progress=None)
    other = fit(SMALL.replace(seed=1), tiny, tmp_path / "other", device="cpu", progress=None)
    assert figures(one) == figures(two)
    assert figures(one) != figures(other)


def test_finished_fit_is_not_trained_again(tiny: TinyImageNet, tmp_path: Path) -> None:
    fit(SMALL.replace(epochs=1), tiny, tmp_path / "net", device="cpu", progress=None)
    before = (tmp_path / "net" / "weights.safetensors").stat().st_mtime_ns
    fit(SMALL.replace(epochs=1), tiny, tmp_path / "net", device="cpu", progress=CutOff(1))
    assert (tmp_path / "net" / "weights.safetensors").stat().st_mtime_ns == before


def test_removed_weights_are_trained_again(tiny: TinyImageNet, tmp_path: Path) -> None:
    recipe = SMALL.replace(epochs=1)
    fit(recipe, tiny, tmp_path / "net", device="cpu", progress=None)
    before = (tmp_path / "net" / "weights.safetensors").read_bytes()
    (tmp_path / "net" / "weights.safetensors").unlink()
    fit(recipe, tiny, tmp_path / "net", device="cpu", progress=None)
    assert (tmp_path / "net" / "weights.safetensors").read_bytes() == before


def test_other_recipes_move_old_fits_aside(tiny: TinyImageNet, tmp_path: Path) -> None:
    for lr in (0.003, 0.01, 0.02):  # within a second: each gets another name
        recipe = SMALL.replace(epochs=1, lr=lr)
        fit(recipe, tiny, tmp_path / "net", device="cpu", progress=None)
    old = [runs.open_fit(path).recipe["lr"] for path in (tmp_path / ".previous").iterdir()]
    assert sorted(old) == [0.003, 0.01]
    assert runs.open_fit(tmp_path / "net").recipe["lr"] == 0.02
    # What cannot be trained moves nothing.
    wrong = recipe.replace(weights=str(tmp_path / "none.safetensors"))
    with pytest.raises(FileNotFoundError, match="does not exist"):
        fit(wrong, tiny, tmp_path / "net", device="cpu", progress=None)
    assert runs.open_fit(tmp_path / "net").recipe["lr"] == 0.02


def test_other_starting_weights_under_the_same_name_are_noticed(
    tiny: TinyImageNet, tmp_path: Path
) -> None:
    starts = [tmp_path / "a", tmp_path / "b"]
    for seed, start in enumerate(starts):
        fit(SMALL.replace(epochs=1, seed=seed), tiny, start, device="cpu", progress=None)
    weights = tmp_path / "start.safetensors"
    recipe = SMALL.replace(epochs=1, weights=str(weights))
    digests = []
    for start in starts:
        weights.write_bytes((start / "weights.safetensors").read_bytes())
        digests.append(fit(recipe, tiny, tmp_path / "net", device="cpu", progress=None).digest)
    assert digests[0] != digests[1]
    weights.unlink()  # a finished fit does not need them any more
    again = fit(recipe, tiny, tmp_path / "net", device="cpu", progress=None)
    assert again.digest == digests[1]


def test_starting_weights_moved_or_removed_meanwhile(
    tiny: TinyImageNet, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    fit(SMALL.replace(epochs=1), tiny, tmp_path / "a", device="cpu", progress=None)
    weights = tmp_path / "start.safetensors"
    weights.write_bytes((tmp_path / "a" / "weights.safetensors").read_bytes())
    recipe = SMALL.replace(weights=str(weights))
    whole = fit(recipe, tiny, tmp_path / "whole", device="cpu", progress=None)
    monkeypatch.chdir(tmp_path)
    same = recipe.replace(weights="start.safetensors")
    assert fit(same, tiny, tmp_path / "whole", device="cpu", progress=CutOff(1)).digest
    assert not (tmp_path / ".previous").exists()
    with pytest.raises(KeyboardInterrupt):
        fit(recipe, tiny, tmp_path / "cut", device="cpu", progress=CutOff(2))
    weights.unlink()
    done = fit(recipe, tiny, tmp_path / "cut", device="cpu", progress=None)
    assert figures(done) == figures(whole)
    assert done.network().origin == str(weights)


def test_a_fit_does_not_start_from_itself(tiny: TinyImageNet, tmp_path: Path) -> None:
    fit(SMALL.replace(epochs=1), tiny, tmp_path / "a", device="cpu", progress=None)
    again = SMALL.replace(epochs=1, weights=str(tmp_path / "a"))
    with pytest.raises(ValueError, match="cannot start from its own folder"):
        fit(again, tiny, tmp_path / "a", device="cpu", progress=None)


def test_what_cannot_be_trained_on_is_named(tiny: TinyImageNet, tmp_path: Path) -> None:
    nothing = dataclasses.replace(tiny, val=tiny.val.select(np.arange(0)))
    with pytest.raises(ValueError, match="val has no image"):
        fit(SMALL, nothing, tmp_path / "net", device="cpu", progress=None)
    world = dataclasses.replace(join("cpu"), size=9)
    with pytest.raises(ValueError, match="batch_size=16 of 96 images is too small for 9 proc"):
        Trainer(SMALL, tiny, world)


def test_a_folder_is_trained_in_by_one_at_a_time(tiny: TinyImageNet, tmp_path: Path) -> None:
    with only_one(tmp_path / ".net.lock", "it"), pytest.raises(ValueError, match="being run by"):
        fit(SMALL, tiny, tmp_path / "net", device="cpu", progress=None)
    assert not (tmp_path / "net").exists()


def test_scores_that_are_not_finite_end_a_fit(tiny: TinyImageNet, tmp_path: Path) -> None:
    recipe = SMALL.replace(epochs=1, lr=9e5, momentum=0.0, nesterov=False, penalties="none")
    with pytest.raises(Diverged, match=r"epoch 1: the loss is (nan|inf)"):
        fit(recipe, tiny, tmp_path / "net", device="cpu", progress=None)
    assert not (tmp_path / "net" / "checkpoint.pt").exists()


def test_a_loss_that_is_not_finite_names_epoch_rate_and_advice(
    tiny: TinyImageNet, tmp_path: Path
) -> None:
    recipe = SMALL
    with pytest.raises(KeyboardInterrupt):
        fit(recipe, tiny, tmp_path / "net", device="cpu", progress=CutOff(1))
    checkpoint = (tmp_path / "net" / "checkpoint.pt").read_bytes()
    state = torch.load(tmp_path / "net" / "checkpoint.pt", weights_only=True)
    state["network"]["classifier.1.weight"].fill_(math.inf)
    torch.save(state, tmp_path / "net" / "checkpoint.pt")
    poisoned = (tmp_path / "net" / "checkpoint.pt").read_bytes()
    assert poisoned != checkpoint
    with pytest.raises(Diverged, match=r"epoch 2: the loss is (nan|inf).*Lower lr.*checkpoint\.pt"):
        fit(recipe, tiny, tmp_path / "net", device="cpu", progress=None)
    assert (tmp_path / "net" / "checkpoint.pt").read_bytes() == poisoned


def test_patience_stops_and_keeps_the_best(tiny: TinyImageNet, tmp_path: Path) -> None:
    recipe = SMALL.replace(epochs=30, patience=2, keep="best")
    done = fit(recipe, tiny, tmp_path / "net", device="cpu", progress=None)
    history = done.history()
    best = int(history.heldout_accuracy.idxmax()) + 1
    assert done.summary["best_epoch"] == best
    assert len(history) == best + 2 < 30


def test_choosing_needs_a_heldout_part(tiny: TinyImageNet, tmp_path: Path) -> None:
    import dataclasses

    data = dataclasses.replace(tiny, heldout=None)
    with pytest.raises(ValueError, match=r"holdout=0\.1"):
        fit(SMALL.replace(patience=2), data, tmp_path / "net")
    assert not (tmp_path / "net").exists()


def test_progress_reaches_the_end(tiny: TinyImageNet, tmp_path: Path, capsys: Any) -> None:
    from tin_lib.progress import Lines

    fit(SMALL.replace(epochs=2), tiny, tmp_path / "net", device="cpu", progress=Lines())
    lines = capsys.readouterr().out.splitlines()
    assert [line.split()[1] for line in lines] == ["1/2", "2/2"]
    assert all("images/s" in line and "left" in line and "loss" in line for line in lines)
