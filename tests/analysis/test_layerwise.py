"""Layer-wise pre-training: stages, chains of fits, their joined history."""

import itertools
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pandas as pd
import pytest
import torch

from tin_lib import networks, train
from tin_lib.analysis import layerwise
from tin_lib.analysis.arms import DivergedFit
from tin_lib.data import TinyImageNet
from tin_lib.recipes import Recipe
from tin_lib.train.step import make_network

LAYERS = [*(f"conv{number}" for number in range(1, 10)), "dense1", "dense2"]
SMALL = Recipe("convnet9", epochs=1, lr=0.01, width=0.1, batch_size=16, momentum=0.9)


def test_stages_grow_from_the_first_layer_to_all() -> None:
    assert [len(each) for each in layerwise.stages(LAYERS, 11)] == list(range(1, 12))
    six = layerwise.stages(LAYERS, 6)
    assert [each[-1] for each in six] == ["conv1", "conv3", "conv5", "conv7", "conv9", "dense2"]
    assert six[-1] == tuple(LAYERS)
    assert layerwise.stages(LAYERS, 1) == [tuple(LAYERS)]
    assert layerwise.added(six)[1:3] == [("conv2", "conv3"), ("conv4", "conv5")]


def test_with_the_output_layer_in_every_stage() -> None:
    three = layerwise.stages(LAYERS, 3, head=True)
    assert three[0] == ("conv1", "conv2", "conv3", "dense2")
    assert three[-1] == tuple(LAYERS)
    assert layerwise.added(three)[-1] == ("conv8", "conv9", "dense1")


@pytest.mark.parametrize("count", [0, 12, 2.5])
def test_numbers_of_stages_that_cannot_be_are_refused(count: Any) -> None:
    with pytest.raises(ValueError, match=f"stages={count}: must be from 1 to 11"):
        layerwise.stages(LAYERS, count)


def past(*losses: float) -> Any:
    """A fit of which only the history is read."""
    epochs = range(1, len(losses) + 1)
    return SimpleNamespace(history=lambda: pd.DataFrame({"epoch": epochs, "train_loss": losses}))


def test_histories_are_joined_with_epochs_counted_through() -> None:
    nothing = SimpleNamespace(history=pd.DataFrame)  # diverged in its first epoch
    joined = layerwise.chained_history([past(3.0, 2.0), past(1.5), past(1.0, 0.5), nothing])
    assert joined["epoch"].tolist() == [1, 2, 3, 4, 5]
    assert joined["stage"].tolist() == [1, 1, 2, 3, 3]
    assert joined["train_loss"].tolist() == [3.0, 2.0, 1.5, 1.0, 0.5]
    assert joined.index.tolist() == [0, 1, 2, 3, 4]
    assert layerwise.chained_history([nothing]).empty


@pytest.fixture(scope="module")
def start(tiny: TinyImageNet, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A starting network with measured statistics."""
    return layerwise.measured_start(SMALL, tiny, tmp_path_factory.mktemp("start"))


def test_measured_statistics_normalise_and_weights_stay(start: Path, tiny: TinyImageNet) -> None:
    network, fresh = networks.load(start), make_network(SMALL, tiny.num_classes)
    for (key, one), other in zip(network.named_parameters(), fresh.parameters(), strict=True):
        assert torch.equal(one, other), key
    images = torch.from_numpy(tiny.train.images).float()
    mean, std = (torch.as_tensor(v, dtype=torch.float32) for v in (tiny.mean, tiny.std))
    inputs = (images - mean[:, None, None]) / std[:, None, None]
    with torch.no_grad():
        for net, low, high in ((network, 0.5, 2.0), (fresh.eval(), 0.0, 0.2)):
            norm = net.features[:-1](inputs)  # of conv9, before its ReLU
            assert low < norm.std() < high


def test_a_start_is_written_once(start: Path, tiny: TinyImageNet) -> None:
    before = start.stat().st_mtime_ns
    assert layerwise.measured_start(SMALL, tiny, start.parent) == start
    assert start.stat().st_mtime_ns == before
    assert layerwise.measured_start(SMALL.replace(seed=1), tiny, start.parent) != start


def test_a_chain_of_fits(start: Path, tiny: TinyImageNet, tmp_path: Path) -> None:
    learning = layerwise.stages(LAYERS, 2)
    key, gone = ("layer-wise", 0), ("layer-wise", 1)
    first = {key: SMALL.replace(weights=str(start)), gone: SMALL.replace(seed=1)}
    chains: dict[Any, Any] = {}
    for stage, names in enumerate(learning):
        recipes = layerwise.next_recipes(first, chains, names)
        assert [each.trainable for each in recipes.values()] == [names] * len(recipes)
        out, recipe = tmp_path / str(stage), recipes[key]
        assert recipe.seed == stage * layerwise.SEED_STEP
        fits: dict[Any, Any] = {key: train.fit(recipe, tiny, out, device="cpu", progress=None)}
        if not stage:
            fits[gone] = DivergedFit(tmp_path / "gone")
        chains = layerwise.extended(chains, fits)
    assert list(recipes) == [key]  # the other has no next stage
    assert recipes[key].weights == str(tmp_path / "0")
    states = [networks.load(start)] + [fit.network() for fit in chains[key]]
    kept = [
        torch.equal(a.features[-2].running_mean, b.features[-2].running_mean)
        for a, b in itertools.pairwise(states)
    ]
    assert kept == [True, False]  # conv9 learns in the second stage only
    assert layerwise.last_fits(chains)[gone] is chains[gone][0]
    table = layerwise.stage_table(chains, learning)
    assert table["stage"].tolist() == [1, 2]
    assert table["seeds"].tolist() == [1, 1]
    assert table["adds"].iloc[0] == "conv1, conv2, conv3, conv4, conv5"
    assert table["val_accuracy"].iloc[-1] == chains[key][-1].summary["val_accuracy"]
    assert layerwise.stage_table({gone: chains[gone]}, learning).empty
