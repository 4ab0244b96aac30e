"""The training loop: it learns, resumes, stops when it should, and gives the same numbers twice."""

import dataclasses
import math
import time
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from cut_off import CutOff

from tin_lib import networks, runs
from tin_lib.augment import AugmentSpec
from tin_lib.data import TinyImageNet
from tin_lib.files import only_one
from tin_lib.recipes import Recipe
from tin_lib.train import Diverged, Trainer, fit, step
from tin_lib.train.checkpoint import Saving
from tin_lib.train.device import Compiled, kernels_tried
from tin_lib.train.distributed import choose_device, join
from tin_lib.train.optim import EMA, decay_weights_, make_optimizers

SMALL = Recipe(
    "vgg_like",
    epochs=4,
    lr=0.003,
    width=0.25,
    batch_size=16,
    momentum=0.9,
    nesterov=True,
    augment=AugmentSpec(mode="paper_copies"),
    penalties="paper",
)


def figures(done: runs.Fit) -> list[tuple[float, ...]]:
    """What must be the same twice: all of the history but times."""
    table = done.history().drop(columns=["seconds", "images_per_second"])
    return list(table.itertuples(index=False, name=None))


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


def test_damaged_checkpoint_is_named(tiny: TinyImageNet, tmp_path: Path) -> None:
    with pytest.raises(KeyboardInterrupt):
        fit(SMALL, tiny, tmp_path / "net", device="cpu", progress=CutOff(1))
    path = tmp_path / "net" / "checkpoint.pt"
    cut = path.read_bytes()[:1000]
    for damage in (lambda: path.write_bytes(cut), lambda: torch.save({}, path)):
        damage()
        with pytest.raises(ValueError, match=r"checkpoint\.pt is not a usable checkpoint"):
            fit(SMALL, tiny, tmp_path / "net", device="cpu", progress=None)


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


def test_sgd_follows_keras(tiny: TinyImageNet) -> None:
    """Keras's SGD: v = m v - lr g; w += v, or with Nesterov w += m v - lr g."""
    for nesterov in (False, True):
        recipe = Recipe("vgg_like", 1, lr=0.1, momentum=0.9, nesterov=nesterov)
        layer = torch.nn.Linear(1, 1, bias=False)
        layer.weight.data.fill_(2.0)
        optimizer = make_optimizers(recipe, layer)[0]
        w, v = 2.0, 0.0
        for _ in range(5):
            optimizer.zero_grad()
            (layer.weight**2).sum().backward()
            optimizer.step()
            g = 2 * w
            v = 0.9 * v - 0.1 * g
            w += 0.9 * v - 0.1 * g if nesterov else v
        assert layer.weight.item() == pytest.approx(w, rel=1e-5)


@pytest.mark.parametrize("clip", [0.0, 1e-6])
def test_penalties_reach_the_weights_before_clipping(tiny: TinyImageNet, clip: float) -> None:
    """One update at rate 1 without momentum: by how much penalties move the weights."""
    recipe = SMALL.replace(
        momentum=0.0,
        nesterov=False,
        network_options={"dropout": 0.0},
        precision="float32",
        clip=clip,
    )
    moved = []
    for which in ("none", "paper"):
        trainer = Trainer(recipe.replace(penalties=which), tiny, join("cpu"))
        weight = trainer.network.get_parameter("classifier.4.weight")  # dense2
        before = weight.detach().clone()
        trainer.step(trainer.augmenter.epoch(1)[:16], (0, 16), 1.0, np.random.default_rng(0))
        moved.append(weight.detach() - before)
    if clip:
        assert moved[1].norm() <= clip * 1.01
    else:
        expected = -1e-5 * (before.sign() + 2 * before)  # L1 and L2 of 1e-5 (paper)
        torch.testing.assert_close(moved[1] - moved[0], expected, rtol=0, atol=1e-7)


def test_frozen_layers_stay_as_they_are(
    tiny: TinyImageNet, monkeypatch: pytest.MonkeyPatch
) -> None:
    """With all that touches weights: penalties, clipping, weight decay, averaged weights."""
    make = step.make_network

    def half_frozen(recipe: Recipe, num_classes: int) -> networks.Network:
        network = make(recipe, num_classes)
        network.get_submodule("classifier.4").requires_grad_(False)  # dense2, which is penalised
        return network

    monkeypatch.setattr(step, "make_network", half_frozen)
    trainer = Trainer(SMALL.replace(clip=1.0, weight_decay=0.1, ema=0.9), tiny, join("cpu"))
    frozen = [trainer.network, trainer.evaluated]
    before = [
        v.detach().clone() for n in frozen for v in n.get_submodule("classifier.4").parameters()
    ]
    learning = trainer.network.get_parameter("classifier.1.weight").detach().clone()
    plan, rng = trainer.augmenter.epoch(1), np.random.default_rng(0)
    for start in range(0, 64, 16):
        trainer.step(plan, (start, start + 16), 0.01, rng)
        for parameter in trainer.network.get_submodule("classifier.4").parameters():
            assert parameter.grad is None
    after = [v.detach() for n in frozen for v in n.get_submodule("classifier.4").parameters()]
    assert all(torch.equal(a, b) for a, b in zip(before, after, strict=True))
    assert not torch.equal(learning, trainer.network.get_parameter("classifier.1.weight"))


def test_weight_decay_is_decoupled() -> None:
    weights = [torch.ones(3, requires_grad=True), torch.full((2, 2), 4.0)]
    decay_weights_(weights, 0.25)
    assert weights[0].tolist() == [0.75] * 3
    assert weights[1].flatten().tolist() == [3.0] * 4


def test_average_follows_its_formula() -> None:
    layer = torch.nn.Linear(2, 1, bias=False)
    averaged, expected = EMA(layer, 0.5), layer.weight.detach().clone()
    for update in range(6):
        layer.weight.data += 1.0
        averaged.update()
        decay = min(0.5, (1 + update) / (10 + update))
        expected = decay * expected + (1 - decay) * layer.weight.detach()
    torch.testing.assert_close(averaged.network.weight.data, expected)


def test_average_follows_batchnorm_statistics() -> None:
    network = torch.nn.Sequential(torch.nn.Linear(2, 3), torch.nn.BatchNorm1d(3))
    averaged, norm = EMA(network, 0.05), network[1]
    before = norm.running_mean.clone()
    network(torch.randn(8, 2))
    averaged.update()
    mine = averaged.network[1]
    torch.testing.assert_close(mine.running_mean, 0.05 * before + 0.95 * norm.running_mean)
    assert mine.num_batches_tracked == 1


def test_a_failed_compiler_is_reported_and_training_continues(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    def broken(module: Any, **options: Any) -> Any:
        def call(*inputs: Any) -> Any:
            raise RuntimeError("no compiler here")

        return call

    monkeypatch.setattr(torch, "compile", broken)
    layer = torch.nn.Linear(2, 1)
    compiled = Compiled(layer, "default")
    with pytest.warns(RuntimeWarning, match="continues without it: RuntimeError: no compiler here"):
        out = compiled(torch.ones(1, 2))
    torch.testing.assert_close(out, layer(torch.ones(1, 2)))
    assert compiled(torch.ones(1, 2)).shape == (1, 1)


def test_only_the_first_batch_size_is_compiled(monkeypatch: pytest.MonkeyPatch) -> None:
    sizes = []

    def spy(module: Any, **options: Any) -> Any:
        return lambda batch: sizes.append(len(batch)) or module(batch)

    monkeypatch.setattr(torch, "compile", spy)
    compiled = Compiled(torch.nn.Linear(2, 1), "default")
    shapes = [compiled(torch.ones(count, 2)).shape for count in (4, 3, 4)]
    assert sizes == [4, 4]
    assert shapes == [(4, 1), (3, 1), (4, 1)]


def test_cudnn_tries_kernels_for_full_batches_and_stays_on(
    tiny: TinyImageNet, monkeypatch: pytest.MonkeyPatch
) -> None:
    """``torch.backends.cudnn.flags`` would switch cuDNN off; here a GPU is only pretended."""
    seen: list[tuple[bool, bool]] = []
    cudnn = torch.backends.cudnn
    with kernels_tried(torch.device("cuda"), wanted=True):
        assert (cudnn.enabled, cudnn.benchmark) == (True, True)
    assert (cudnn.enabled, cudnn.benchmark) == (True, False)
    trainer = Trainer(SMALL.replace(batch_size=70, augment=AugmentSpec()), tiny, join("cpu"))
    on_gpu = lambda device, wanted: kernels_tried(torch.device("cuda"), wanted)
    monkeypatch.setattr(step, "kernels_tried", on_gpu)
    backward = trainer.differentiate
    look = lambda losses: seen.append((cudnn.enabled, cudnn.benchmark)) or backward(losses)
    monkeypatch.setattr(trainer, "differentiate", look)
    trainer.epoch(1, lambda done, total, loss: None)
    assert seen == [(True, True), (True, False)]  # 70 images, and the last 26


def test_unknown_devices_are_refused() -> None:
    with pytest.raises(ValueError, match="use auto, cpu or cuda"):
        choose_device("gpu0")
    if not torch.cuda.is_available():
        with pytest.raises(ValueError, match="no CUDA device is available"):
            choose_device("cuda")


def test_epoch_of_one_leftover_image_is_not_a_batch(tiny: TinyImageNet) -> None:
    trainer = Trainer(SMALL.replace(batch_size=19), tiny, join("cpu"))
    assert trainer.batches(96) == [(0, 19), (19, 38), (38, 57), (57, 76), (76, 95)]
    assert trainer.batches(97)[-1] == (95, 97)


def test_progress_reaches_the_end(tiny: TinyImageNet, tmp_path: Path, capsys: Any) -> None:
    from tin_lib.progress import Lines

    fit(SMALL.replace(epochs=2), tiny, tmp_path / "net", device="cpu", progress=Lines())
    lines = capsys.readouterr().out.splitlines()
    assert [line.split()[1] for line in lines] == ["1/2", "2/2"]
    assert all("images/s" in line and "left" in line and "loss" in line for line in lines)


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


@pytest.mark.slow
@pytest.mark.filterwarnings("ignore:.*:DeprecationWarning")
def test_compiled_training_gives_the_same_losses(tiny: TinyImageNet) -> None:
    """With CutMix, whose share changes every batch, and penalties on the weights."""
    recipe = SMALL.replace(
        cutmix=1.0, network_options={"dropout": 0.0}, batch_size=32, precision="float32"
    )
    losses = []
    for mode in ("", "default"):
        trainer = Trainer(recipe.replace(compile=mode), tiny, join("cpu"))
        row = trainer.epoch(1, lambda done, total, loss: None)
        losses.append((row["train_loss"], row["penalty"]))
        assert getattr(trainer.objective, "reason", "") == ""
    assert losses[0] == pytest.approx(losses[1], rel=1e-3)
