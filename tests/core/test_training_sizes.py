"""Sizes by share of the training, and training by a budget of seconds."""

import importlib
import itertools
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from cut_off import CutOff

from tin_lib import augment, predict, runs
from tin_lib.augment import AugmentSpec
from tin_lib.data import TinyImageNet
from tin_lib.recipes import Recipe
from tin_lib.train import Trainer, fit, step
from tin_lib.train.distributed import World, join
from tin_lib.train.optim import lr_at, size_at

training = importlib.import_module("tin_lib.train.fit")  # of that name there is a function
SIZES = ((0.25, 16), (0.75, 32), (1, 64))
SMALL = Recipe(
    "speednet",
    epochs=4,
    lr=0.05,
    width=0.125,
    batch_size=16,
    momentum=0.9,
    nesterov=True,
    schedule="linear",
    warmup=0.2,
    sizes=SIZES,
    precision="float32",
    augment=AugmentSpec(mode="modern", shift=2),
)


class Clock:
    """Stands for time.perf_counter: each reading is ``tick`` seconds later than the last."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch, tick: float = 1.0) -> None:
        ticks = itertools.count()
        monkeypatch.setattr(training.time, "perf_counter", lambda: tick * next(ticks))


def train(recipe: Recipe, data: TinyImageNet, out: Path, progress: Any = None) -> runs.Fit:
    return fit(recipe, data, out, device="cpu", progress=progress)


def test_sizes_follow_the_share_of_the_training() -> None:
    shares = 0.0, 0.2499, 0.25, 0.7499, 0.75, 0.9999, 1.0, 1.2
    assert [size_at(SMALL, share) for share in shares] == [16, 16, 32, 32, 64, 64, 64, 64]
    assert size_at(SMALL.replace(sizes=()), 0.0) == 64


def test_network_sees_the_images_of_each_size(
    tiny: TinyImageNet, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    seen, render = [], augment.render

    def watched(*inputs: Any, **named: Any) -> torch.Tensor:
        images = render(*inputs, **named)
        seen.append(tuple(images.shape[1:]))
        return images

    monkeypatch.setattr(augment, "render", watched)
    done = train(SMALL, tiny, tmp_path / "net")
    updates = len(seen) // 4
    expected = [16] * updates + [32] * 2 * updates + [64] * updates
    assert seen == [(3, size, size) for size in expected]
    assert done.history()["size"].tolist() == [16, 32, 32, 64]
    assert done.summary["val_accuracy"] > 0.5  # four classes


def test_evaluation_is_at_the_size_trained_on_and_results_at_64(
    tiny: TinyImageNet, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    seen, scores = [], predict.scores

    def watched(*inputs: Any) -> torch.Tensor:
        seen.append(inputs[5])
        return scores(*inputs)

    monkeypatch.setattr(predict, "scores", watched)
    train(SMALL, tiny, tmp_path / "net")
    splits = sum(len(split) > 0 for split in tiny.splits.values())
    epochs = [size for size in (16, 32, 32, 64) for _ in ("heldout", "val")]
    assert seen == [*epochs, *[64] * splits]


def test_scores_at_another_size_are_those_of_resized_images(tiny: TinyImageNet) -> None:
    trainer = Trainer(SMALL, tiny, join("cpu"))
    images = torch.from_numpy(tiny.val.images[:4])
    resized = augment.normalise(images, trainer.mean, trainer.std, 32)
    with torch.inference_mode():
        expected = trainer.network.eval()(resized)
    torch.testing.assert_close(trainer.scores(images, 32), expected)
    assert not torch.allclose(trainer.scores(images), expected)


def test_cutmix_boxes_lie_in_the_smaller_images(tiny: TinyImageNet) -> None:
    trainer = Trainer(SMALL.replace(cutmix=1.0), tiny, join("cpu"))
    trainer.size, rng = 16, np.random.default_rng(0)
    plan = trainer.augmenter.epoch(1)
    mixed = [trainer.render(plan[:16], rng)[1] for _ in range(30)]
    shares = torch.stack([target.share for target in mixed if target.share is not None])
    # Boxes of a 64 x 64 image would lie outside most of the time, and nothing would be mixed.
    assert (shares < 1).float().mean() > 0.9


def test_interrupted_between_sizes_ends_with_the_same_numbers(
    tiny: TinyImageNet, tmp_path: Path
) -> None:
    whole = train(SMALL, tiny, tmp_path / "whole")
    with pytest.raises(KeyboardInterrupt):
        train(SMALL, tiny, tmp_path / "cut", CutOff(2))
    resumed = train(SMALL, tiny, tmp_path / "cut")
    columns = ["lr", "size", "train_loss", "val_accuracy"]
    assert resumed.history()[columns].equals(whole.history()[columns])


@pytest.mark.parametrize(
    ("value", "reason"),
    [
        (((0.5, 32), (1, 32)), "last pair must be"),
        (((0.5, 32),), "last pair must be"),
        (((0.5, 4), (1, 64)), "pixels, 8..64"),
        (((0.5, 32, 1), (1, 64)), "must be pairs"),
        (((0.5, 32), (0.5, 48), (1, 64)), "ascending"),
        (((0.0, 32), (1, 64)), "ascending"),
        ((("a", 32), (1, 64)), "sizes"),
        (32, "sizes=32"),
    ],
)
def test_other_sizes_are_refused(value: Any, reason: str) -> None:
    with pytest.raises(ValueError, match=reason):
        SMALL.replace(sizes=value)


def test_sizes_survive_json() -> None:
    assert Recipe.from_dict(SMALL.to_dict()) == SMALL
    assert SMALL.replace(sizes=[[0.5, 32], [1, 64]]).sizes == ((0.5, 32), (1.0, 64))


def test_network_that_needs_64_pixels_is_refused_before_training(
    tiny: TinyImageNet, tmp_path: Path
) -> None:
    recipe = SMALL.replace(network="vgg_like", network_options={})
    with pytest.raises(ValueError, match="sizes: vgg_like takes no images of 16 x 16 pixels"):
        train(recipe, tiny, tmp_path / "net")
    assert not (tmp_path / "net").exists()


# --- a budget in seconds


def test_budget_ends_the_training_in_the_middle_of_an_epoch(
    tiny: TinyImageNet, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    Clock(monkeypatch)
    updates = len(Trainer(SMALL, tiny, join("cpu")).batches(len(tiny.train)))
    done = train(SMALL.replace(epochs=1000, seconds=2.5 * updates), tiny, tmp_path / "net")
    history = done.history()
    assert len(history) == 3
    images = (history["seconds"] * history["images_per_second"]).round()
    assert images.iloc[0] == images.iloc[1] == len(tiny.train) > images.iloc[2] > 0
    assert history["size"].tolist()[-1] == 64
    assert history["seconds"].sum() == pytest.approx(2.5 * updates, abs=3)


def test_rate_and_sizes_follow_the_time(
    tiny: TinyImageNet, monkeypatch: pytest.MonkeyPatch
) -> None:
    trainer = Trainer(SMALL.replace(epochs=1000, seconds=100.0), tiny, join("cpu"))
    rates, update = [], step.Step.update
    monkeypatch.setattr(step.Step, "update", lambda self, lr: rates.append(lr) or update(self, lr))
    Clock(monkeypatch, 1e-6)
    updates = 1000 * len(trainer.batches(len(tiny.train)))
    for elapsed, size in ((10, 16), (50, 32), (90, 64)):
        trainer.elapsed = float(elapsed)
        row = trainer.epoch(1, lambda *_: None, steps=1)
        assert row["size"] == size
        assert rates[-1] == pytest.approx(lr_at(SMALL, elapsed / 100 * updates, updates), rel=1e-4)
    trainer.elapsed = 1000.0  # a slow machine: one update all the same, at rate 0
    row = trainer.epoch(1, lambda *_: None)
    assert (row["lr"], row["size"]) == (0.0, 64)


def test_resumed_fit_counts_the_seconds_before(
    tiny: TinyImageNet, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    Clock(monkeypatch)
    updates = len(Trainer(SMALL, tiny, join("cpu")).batches(len(tiny.train)))
    recipe = SMALL.replace(epochs=1000, seconds=3.5 * updates)
    with pytest.raises(KeyboardInterrupt):
        train(recipe, tiny, tmp_path / "net", CutOff(2))
    before = (tmp_path / "net" / "history.jsonl").read_text()
    history = train(recipe, tiny, tmp_path / "net").history()
    assert 0 < len(before.splitlines()) <= 2
    assert history["seconds"].sum() == pytest.approx(3.5 * updates, abs=3)
    assert history["size"].tolist()[0] < history["size"].tolist()[-1] == 64


def test_progress_estimates_the_epochs(tiny: TinyImageNet) -> None:
    trainer = Trainer(SMALL.replace(epochs=100, seconds=100.0), tiny, join("cpu"))
    trainer.elapsed = 30.0
    assert training.expected_epochs(trainer, 3) == 10
    trainer.elapsed = 101.0
    assert training.expected_epochs(trainer, 9) == 9
    assert training.expected_epochs(Trainer(SMALL, tiny, join("cpu")), 2) == 4


def test_budget_is_for_one_process(tiny: TinyImageNet) -> None:
    world = World(rank=0, size=2, device=torch.device("cpu"))
    with pytest.raises(ValueError, match="seconds: one process only"):
        Trainer(SMALL.replace(seconds=10.0), tiny, world)
