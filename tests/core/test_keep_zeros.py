"""``Recipe.keep_zeros``: the zeros of a pruned network stay zeros while the rest is retrained."""

from pathlib import Path
from typing import Any

import pytest
import torch
from cut_off import CutOff

from tin_lib import networks
from tin_lib.augment import AugmentSpec
from tin_lib.data import TinyImageNet
from tin_lib.recipes import Recipe
from tin_lib.train import Trainer, checkpoint, fit
from tin_lib.train.distributed import join

RECIPE = Recipe(
    "convnet9",
    epochs=2,
    lr=0.02,
    width=0.1,
    batch_size=16,
    penalties="paper",
    weight_decay=0.1,
    clip=1.0,
    keep_zeros=True,
    augment=AugmentSpec(mode="paper_fresh"),
)
SGD = {"momentum": 0.9, "nesterov": True}
ADAM = {"optimizer": "adamw", "lr": 0.001}


@pytest.fixture(autouse=True)
def _save_every_epoch(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(checkpoint.Saving, "due", lambda self: True)


@pytest.fixture
def pruned(tiny: TinyImageNet, tmp_path: Path) -> Path:
    """File of a network half of whose matrix and filter weights are 0, and all of its biases."""
    torch.manual_seed(0)
    network = networks.create("convnet9", tiny.num_classes, 0.1)
    with torch.no_grad():
        for parameter in network.parameters():
            if parameter.ndim >= 2:
                parameter.mul_(torch.rand_like(parameter) < 0.5)
    networks.save(network, tmp_path / "pruned.safetensors")
    return tmp_path / "pruned.safetensors"


def zeros(network: networks.Network) -> dict[str, torch.Tensor]:
    """Where the weights of matrices and filters are 0."""
    return {k: v.detach() == 0 for k, v in network.named_parameters() if v.ndim >= 2}


def assert_same_zeros(one: networks.Network, other: networks.Network) -> None:
    """Zeros at the same places, about half of all."""
    found = zeros(other)
    for key, places in zeros(one).items():
        assert torch.equal(places, found[key]), key
        assert 0.2 < places.float().mean() < 0.8


@pytest.mark.parametrize("changes", [SGD, SGD | {"ema": 0.9}, ADAM])
def test_zeros_stay_exactly_and_the_rest_learns(
    tiny: TinyImageNet, tmp_path: Path, pruned: Path, changes: dict[str, Any]
) -> None:
    recipe = RECIPE.replace(weights=str(pruned), **changes)
    done = fit(recipe, tiny, tmp_path / "net", device="cpu", progress=None)
    start, after = networks.load(pruned), done.network()
    assert_same_zeros(start, after)
    for (key, one), other in zip(start.named_parameters(), after.parameters(), strict=True):
        assert not torch.equal(one, other), key
    assert after.get_parameter("features.0.bias").detach().abs().min() > 0  # biases are not held


def test_without_it_zeros_move(tiny: TinyImageNet, tmp_path: Path, pruned: Path) -> None:
    recipe = RECIPE.replace(weights=str(pruned), keep_zeros=False, epochs=1, **SGD)
    done = fit(recipe, tiny, tmp_path / "net", device="cpu", progress=None)
    left = zeros(done.network())["features.0.weight"].float().mean()
    assert left < 0.01


def test_clipping_does_not_count_the_gradients_of_zeros(tiny: TinyImageNet, pruned: Path) -> None:
    """One update at rate 1: what is clipped has the norm ``clip``, all of it outside the zeros."""
    recipe = RECIPE.replace(
        weights=str(pruned), clip=1e-3, weight_decay=0.0, network_options={"dropout": 0.0}
    )
    recipe = recipe.replace(precision="float32")
    trainer = Trainer(recipe, tiny, join("cpu"))
    before = [p.detach().clone() for p in trainer.network.parameters()]
    norms = []
    step = trainer.optimizers[0].step

    def look() -> None:
        norms.extend(p.grad.norm() for p in trainer.network.parameters())
        step()

    trainer.optimizers[0].step = look  # type: ignore[method-assign]
    trainer.epoch(1, lambda done, total, loss: None, steps=1)
    assert torch.stack(norms).norm() == pytest.approx(1e-3, rel=1e-3)
    for one, other in zip(before, trainer.network.parameters(), strict=True):
        assert one.ndim < 2 or torch.equal(one == 0, other == 0)


@pytest.mark.parametrize("changes", [SGD, ADAM | {"ema": 0.9}])
def test_resuming_without_the_file_of_starting_weights(
    tiny: TinyImageNet, tmp_path: Path, pruned: Path, changes: dict[str, Any]
) -> None:
    recipe = RECIPE.replace(weights=str(pruned), epochs=3, **changes)
    whole = fit(recipe, tiny, tmp_path / "whole", device="cpu", progress=None)
    with pytest.raises(KeyboardInterrupt):
        fit(recipe, tiny, tmp_path / "cut", device="cpu", progress=CutOff(1))
    start = networks.load(pruned)
    pruned.unlink()
    resumed = fit(recipe, tiny, tmp_path / "cut", device="cpu", progress=None)
    assert_same_zeros(start, resumed.network())
    files = ("logits_val.npy", "predictions_val.csv")
    assert all((whole.path / f).read_bytes() == (resumed.path / f).read_bytes() for f in files)
    assert resumed.digest == whole.digest


def test_with_frozen_layers(tiny: TinyImageNet, tmp_path: Path, pruned: Path) -> None:
    recipe = RECIPE.replace(weights=str(pruned), epochs=1, trainable=["conv2"], **SGD)
    done = fit(recipe, tiny, tmp_path / "net", device="cpu", progress=None)
    start, after = networks.load(pruned), done.network()
    assert_same_zeros(start, after)
    moved = [
        key
        for (key, one), other in zip(start.named_parameters(), after.parameters(), strict=True)
        if not torch.equal(one, other)
    ]
    assert {key.rpartition(".")[0] for key in moved} == {"features.3", "features.4"}


@pytest.mark.parametrize("value", [1, "yes", None])
def test_only_true_and_false_are_accepted(value: Any) -> None:
    with pytest.raises(ValueError, match=r"keep_zeros=.*: must be true or false"):
        RECIPE.replace(keep_zeros=value)
