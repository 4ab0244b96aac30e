"""One update of the weights: optimizers, penalties, frozen layers, averages."""

import numpy as np
import pytest
import torch
from train_toys import SMALL

from tin_lib import networks
from tin_lib.data import TinyImageNet
from tin_lib.recipes import Recipe
from tin_lib.train import Trainer, step
from tin_lib.train.distributed import join
from tin_lib.train.optim import EMA, decay_weights_, make_optimizers


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


def test_epoch_of_one_leftover_image_is_not_a_batch(tiny: TinyImageNet) -> None:
    trainer = Trainer(SMALL.replace(batch_size=19), tiny, join("cpu"))
    assert trainer.batches(96) == [(0, 19), (19, 38), (38, 57), (57, 76), (76, 95)]
    assert trainer.batches(97)[-1] == (95, 97)
