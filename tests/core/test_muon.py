"""The Muon optimizer: which weights it moves, how far, and that a fit with it resumes."""

from pathlib import Path

import pytest
import torch
from cut_off import CutOff
from torch import Tensor

from tin_lib import networks
from tin_lib.augment import AugmentSpec
from tin_lib.data import TinyImageNet
from tin_lib.recipes import Recipe
from tin_lib.train import fit
from tin_lib.train.optim import as_matrix, make_optimizers

pytestmark = pytest.mark.skipif(not hasattr(torch.optim, "Muon"), reason="torch before 2.9")
SMALL = Recipe(
    "speednet",
    epochs=4,
    lr=0.003,
    width=0.125,
    batch_size=16,
    optimizer="muon",
    momentum=0.95,
    nesterov=True,
    weight_decay=0.01,
    ema=0.9,
    precision="float32",
    augment=AugmentSpec(mode="modern", shift=2),
)


def network_with_gradients(memory: torch.memory_format = torch.channels_last) -> networks.Network:
    torch.manual_seed(0)
    network = networks.create("speednet", 4, 0.125).to(memory_format=memory)
    images = torch.randn(8, 3, 32, 32).contiguous(memory_format=memory)
    network(images).square().sum().backward()
    return network


def moved(optimizers: list[torch.optim.Optimizer], network: networks.Network) -> dict[str, Tensor]:
    """Each parameter's change by one step."""
    before = {name: p.detach().clone() for name, p in network.named_parameters()}
    for optimizer in optimizers:
        optimizer.step()
    return {name: p.detach() - before[name] for name, p in network.named_parameters()}


def test_hidden_filters_move_in_all_directions_alike() -> None:
    network = network_with_gradients()
    weight = dict(network.named_parameters())["features.6.conv.weight"]
    left, _, right = torch.linalg.svd(as_matrix(weight.grad), full_matrices=False)
    spread = left @ torch.diag(torch.logspace(0, -1, len(left))) @ right
    weight.grad.copy_(spread.view(16, 3, 3, 16).permute(0, 3, 1, 2))
    changes = moved(make_optimizers(SMALL, network), network)
    values = torch.linalg.svdvals(as_matrix(changes["features.6.conv.weight"]))
    assert values.max() < 2 * values.min()  # of the gradient ten times


def test_steps_have_the_size_of_adamw() -> None:
    network = network_with_gradients()
    changes = moved(make_optimizers(SMALL, network), network)
    hidden = {k: v for k, v in changes.items() if v.ndim == 4 and k != "features.0.weight"}
    assert len(hidden) == 6
    for change in hidden.values():  # Newton-Schulz leaves singular values of 0.7 to 1.2
        assert 0.5 < change.square().mean().sqrt() / (0.2 * SMALL.lr) < 1.25
    for name in ("features.0.weight", "classifier.3.weight", "features.4.weight"):
        assert changes[name].abs().mean() == pytest.approx(SMALL.lr, rel=0.1)  # AdamW's first step


def test_memory_format_changes_no_step() -> None:
    formats = torch.contiguous_format, torch.channels_last
    networks_ = [network_with_gradients(each) for each in formats]
    one, other = (moved(make_optimizers(SMALL, each), each) for each in networks_)
    for name, change in one.items():  # Newton-Schulz computes in bf16
        assert (change - other[name]).norm() < 0.05 * change.norm()


def test_frozen_weights_stay() -> None:
    network = network_with_gradients()
    network.features[6].requires_grad_(False)
    changes = moved(make_optimizers(SMALL, network), network)
    assert not changes["features.6.conv.weight"].any()
    assert changes["features.11.conv.weight"].any()


def test_frozen_but_for_one_filter_bank() -> None:
    network = network_with_gradients().requires_grad_(False)
    network.features[6].conv.requires_grad_(True)
    optimizers = make_optimizers(SMALL, network)
    assert [type(each).__name__ for each in optimizers] == ["Muon"]
    assert moved(optimizers, network)["features.6.conv.weight"].any()


def test_pruned_weights_are_not_for_muon() -> None:
    with pytest.raises(ValueError, match="keep_zeros: muon moves every weight"):
        SMALL.replace(keep_zeros=True)


def test_interrupted_fit_ends_with_the_same_numbers(tiny: TinyImageNet, tmp_path: Path) -> None:
    whole = fit(SMALL, tiny, tmp_path / "whole", device="cpu", progress=None)
    with pytest.raises(KeyboardInterrupt):
        fit(SMALL, tiny, tmp_path / "cut", device="cpu", progress=CutOff(2))
    resumed = fit(SMALL, tiny, tmp_path / "cut", device="cpu", progress=None)
    columns = ["lr", "train_loss", "val_accuracy"]
    assert resumed.history()[columns].equals(whole.history()[columns])
    assert whole.summary["val_accuracy"] > 0.5  # four classes
