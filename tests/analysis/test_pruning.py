"""Pruning: which weights go, what a narrower network computes, files, speed, experiments."""

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pandas as pd
import pytest
import torch
from safetensors.torch import save_file
from torch import nn

from tin_lib import networks, runs, train
from tin_lib.analysis import pruning
from tin_lib.analysis.pruning import experiment, filters, magnitude, speed, storage
from tin_lib.networks import Network
from tin_lib.recipes import Recipe

PLAIN = (("convnet9", 0.125), ("vgg_like", 0.25), ("vgg16", 0.125), ("alexnet", 0.125))


def make(name: str = "convnet9", width: float = 0.125, seed: int = 0) -> Network:
    """A network with random weights."""
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        return networks.create(name, 4, width).eval()


@pytest.fixture(scope="module")
def fit(tmp_path_factory: pytest.TempPathFactory, tiny: Any) -> runs.Fit:
    """A narrow network, trained for one epoch."""
    recipe = Recipe("convnet9", epochs=1, lr=0.05, width=0.07, batch_size=32)
    return train.fit(recipe, tiny, tmp_path_factory.mktemp("fits") / "dense", device="cpu")


@pytest.mark.parametrize("keep", [1.0, 0.5, 0.1, 0.0123])
def test_the_largest_weights_of_the_network_stay(keep: float) -> None:
    before, after = make(), make()
    table = pruning.prune_(after, keep)
    weights = magnitude.prunable(before)
    expected = round(keep * sum(w.numel() for w in weights.values()))
    assert table.loc["all layers", "kept"] == table["kept"].iloc[:-1].sum() == expected
    magnitudes = torch.cat([w.detach().abs().flatten() for w in weights.values()])
    kept = torch.cat([w.detach().flatten() != 0 for w in magnitude.prunable(after).values()])
    assert magnitudes[kept].min() >= magnitudes[~kept].max() if keep < 1 else kept.all()


def test_every_layer_keeps_its_share_and_nothing_else_changes() -> None:
    before, after = make().state_dict(), make()
    table = pruning.prune_(after, 0.3, "layer")
    assert (table["kept"].iloc[:-1] == (0.3 * table["weights"].iloc[:-1]).round()).all()
    assert list(table.index) == [*after.layers, "all layers"]
    weights = set(magnitude.prunable(after))
    for name, value in after.state_dict().items():
        kept = value != 0 if name in weights else torch.ones_like(value, dtype=torch.bool)
        assert torch.equal(value[kept], before[name][kept]), name


def test_of_equal_weights_the_first_stay() -> None:
    mask = magnitude.largest(torch.tensor([1.0, 2.0, 1.0, 0.0, 1.0]), 3)
    assert mask.tolist() == [True, True, True, False, False]


def test_pruning_again_keeps_a_share_of_all_weights() -> None:
    network = make()
    first = pruning.prune_(network, 0.5).loc["all layers", "kept"]
    assert pruning.prune_(network, 0.1).loc["all layers", "kept"] == pytest.approx(first / 5, abs=1)


@pytest.mark.parametrize("keep", [0, 2, -0.1, float("nan"), True, "0.1"])
def test_a_share_out_of_range_is_refused(keep: Any) -> None:
    for call in (
        lambda: pruning.prune_(make(), keep),
        lambda: pruning.prune_filters(make(), keep),
        lambda: pruning.Pruning(keep),
        lambda: pruning.check_shares([keep, 0.01]),
    ):
        with pytest.raises(ValueError, match=r"keep=.*above 0 and at most 1"):
            call()


def test_other_bad_values_are_refused() -> None:
    cases: list[tuple[Callable[[], Any], str]] = [
        (lambda: pruning.prune_(make(), 0.1, "local"), "scope='local': choose global or layer"),
        (lambda: pruning.Pruning(0.1, "units"), "scope='units'"),
        (lambda: pruning.prune_filters(make("resnet18"), 0.5), "plain stacks"),
        (lambda: pruning.prune_filters(make(), 0.01), "leaves width"),
        (lambda: pruning.check_shares([0.1, 0.5]), "smaller than the last"),
        (lambda: pruning.check_shares([1.0, 0.5]), "below 1"),
        (lambda: pruning.check_shares([0.5], layer_keeps=[0.2]), "layer_keeps: 0.2 is not among"),
        (lambda: pruning.check_shares([0.5], layer_keeps=[]), "layer_keeps"),
    ]
    for call, message in cases:
        with pytest.raises(ValueError, match=message):
            call()
    broken = make()
    broken.state_dict()["features.0.weight"][0] = float("nan")
    with pytest.raises(ValueError, match="not finite"):
        pruning.prune_(broken, 0.1)


@pytest.mark.parametrize(("name", "width"), PLAIN)
def test_removed_filters_are_those_that_do_nothing(name: str, width: float) -> None:
    """If half of the filters are silent, the half as wide network computes the same scores."""
    network = make(name, width)
    for module in filters.modules(network)[:-1]:
        if isinstance(module, nn.Conv2d | nn.Linear) and module.weight.shape[0] > 4:
            with torch.no_grad():
                module.weight[::2] = 0
                module.bias[::2] = 0  # type: ignore[index]
    small = pruning.prune_filters(network, 0.5)
    assert small.width == width / 2
    images = torch.randn(2, 3, 64, 64, generator=torch.Generator().manual_seed(0))
    with torch.no_grad():
        assert torch.allclose(small(images), network(images), atol=1e-5)


def test_removing_no_filter_changes_nothing() -> None:
    network = make()
    for name, value in pruning.prune_filters(network, 1.0).state_dict().items():
        assert torch.equal(value, network.state_dict()[name]), name


@pytest.mark.parametrize("keep", [1.0, 0.3, 0.001])
def test_a_sparse_file_gives_the_same_network(tmp_path: Path, keep: float) -> None:
    network, path = make(), tmp_path / "sparse.safetensors"
    pruning.prune_(network, keep)
    pruning.save_sparse(network, path, class_ids=["a"])
    loaded = pruning.load_sparse(path)
    assert (loaded.name, loaded.width, loaded.options) == (
        network.name,
        network.width,
        network.options,
    )
    for name, value in network.state_dict().items():
        assert torch.equal(value, loaded.state_dict()[name]), name
    networks.save(network, dense := tmp_path / "dense.safetensors")
    kept = int(pruning.weight_table(network).loc["all layers", "kept"])
    size = path.stat().st_size
    assert size < dense.stat().st_size if keep < 1 else size == pytest.approx(4 * kept, rel=0.1)
    assert pruning.sizes(dense)["sparse"] == pytest.approx(size, abs=100)


@pytest.mark.parametrize("positions", [[], [0], [255], [256], [257, 700], [0, 1, 1023]])
def test_gaps_of_any_length_are_bridged(positions: list[int]) -> None:
    flat = torch.zeros(1024)
    flat[positions] = torch.arange(1.0, len(positions) + 1)
    assert torch.equal(storage.decode(*storage.encode(flat), [32, 32]), flat.view(32, 32))


def test_damaged_sparse_files_are_refused_by_name(tmp_path: Path) -> None:
    network, path = make(), tmp_path / "s.safetensors"
    pruning.prune_(network, 0.1)
    content = storage.sparse_bytes(network)
    for damaged in (content[:-5], b"", content.replace(b'"convnet9\\"', b'"convnetX\\"')):
        path.write_bytes(damaged)
        with pytest.raises(ValueError, match=r"s\.safetensors is not a sparse network file"):
            pruning.load_sparse(path)
    header = {"shapes": {"w": [2]}, "network": "convnet9", "num_classes": 4, "width": 0.125}
    far = {"w|values": torch.ones(1), "w|gaps": torch.full((1,), 200, dtype=torch.uint8)}
    save_file(far, path, {storage.HEADER: json.dumps(header | {"options": {}})})
    with pytest.raises(ValueError, match="do not fit the shape"):
        pruning.load_sparse(path)
    with pytest.raises(FileNotFoundError):
        pruning.load_sparse(tmp_path / "absent.safetensors")


def test_pruned_weights_are_the_same_bytes_again(fit: runs.Fit, tmp_path: Path) -> None:
    for folder in ("a", "b"):
        pruning.write_pruned(fit, pruning.Pruning(0.2), tmp_path / folder / "w.safetensors")
    first, second = (tmp_path / folder / "w.safetensors" for folder in ("a", "b"))
    assert first.read_bytes() == second.read_bytes()
    assert str(fit.path).encode() not in first.read_bytes()
    with pytest.raises(ValueError, match="own file of weights"):
        pruning.write_pruned(fit, pruning.Pruning(0.2), fit.path / "weights.safetensors")
    with pytest.raises(ValueError, match=r"must end in \.safetensors"):
        pruning.write_pruned(fit, pruning.Pruning(0.2), tmp_path / "w.pt")


def test_retraining_holds_the_mask(fit: runs.Fit, tmp_path: Path, tiny: Any) -> None:
    dense, recipe = {("dense", 0): fit}, Recipe("convnet9", 1, 0.05, momentum=0.9, batch_size=32)
    plan = pruning.at_once(dense, pruning.METHODS, 0.25, recipe, tmp_path)
    assert list(plan) == [("one-shot, 25 %", 0), ("per layer, 25 %", 0), ("filters, 25 %", 0)]
    trained = {
        key: train.fit(each, tiny, tmp_path / key[0], device="cpu") for key, each in plan.items()
    }
    start, after = (
        magnitude.prunable(networks.load(path))
        for path in (
            str(plan["one-shot, 25 %", 0].weights),
            trained["one-shot, 25 %", 0].path / "weights.safetensors",
        )
    )
    assert all(torch.equal(start[name] == 0, after[name] == 0) for name in start)
    assert any(not torch.equal(start[name], after[name]) for name in start)
    narrow = trained["filters, 25 %", 0].network()
    assert narrow.width == pytest.approx(0.035)
    table = pruning.stored(dense | trained).set_index("arm")
    assert table.loc["one-shot, 25 %", "share"] == pytest.approx(0.25, abs=1e-4)
    assert table.loc["one-shot, 25 %", "sparse"] < table.loc["one-shot, 25 %", "dense"]
    assert table.loc["filters, 25 %", "dense"] < table.loc["dense", "dense"]
    assert table.loc["dense", "emptied"] == ""
    reached = pruning.epochs_to_reach(trained, dense)
    target = fit.summary["val_accuracy"]
    for row in reached.itertuples():
        accuracy = trained[row.arm, 0].summary["val_accuracy"]
        assert pd.notna(row.epoch) == (accuracy >= target)


def test_a_step_prunes_further_and_trains_the_dense_network_on(
    fit: runs.Fit, tmp_path: Path
) -> None:
    recipe = Recipe("convnet9", 1, 0.05, seed=1000)
    first = pruning.next_step({("dense", 3): fit}, 0.5, recipe, tmp_path)
    assert list(first) == [("dense trained on, 50 %", 3), ("iterative, 50 %", 3)]
    dense, pruned = first.values()
    assert (dense.keep_zeros, pruned.keep_zeros) == (False, True)
    assert dense.weights == str(fit.path)
    assert dense.seed == pruned.seed == 1003
    share = pruning.weight_table(networks.load(str(pruned.weights))).loc["all layers", "share"]
    assert share == pytest.approx(0.5, abs=1e-3)
    second = pruning.next_step(dict.fromkeys(first, fit), 0.2, recipe, tmp_path)
    assert list(second) == [("dense trained on, 20 %", 3), ("iterative, 20 %", 3)]


def test_arms_are_read_and_matched() -> None:
    fits: Any = dict.fromkeys([("dense", 0), ("a, 50 %", 0), ("b, 0.5 %", 0), ("a, 1 %", 0)])
    table = pruning.split_arms(pd.DataFrame({"arm": [arm for arm, _ in fits]}))
    assert table["method"].tolist() == ["dense", "a", "b", "a"]
    assert table["keep"].tolist() == [1.0, 0.5, 0.005, 0.01]
    assert pruning.same_share(fits, "b", ["a"]) == {"a, 50 %": "b, 50 %", "a, 1 %": "b, 1 %"}
    assert [arm for arm, _ in pruning.by_method(fits)] == ["dense", "a, 50 %", "a, 1 %", "b, 0.5 %"]
    assert experiment.pruning_of("filters", 0.25) == pruning.Pruning(0.5, "filters")


def test_speed_is_a_ratio_within_each_round() -> None:
    rates = pd.DataFrame({"dense": [100.0, 10.0, 50.0], "pruned": [200.0, 20.0, 150.0]})
    row = speed.speed_table(rates).iloc[1]
    assert (row["ratio"], row["low"], row["high"], row["rounds"]) == (2.0, 2.0, 3.0, 3)


def test_training_and_inference_are_measured(tiny: Any) -> None:
    recipes = {w: Recipe("convnet9", 1, 0.05, width=w, batch_size=16) for w in (0.25, 0.0625)}
    named = {"wide": recipes[0.25], "narrow": recipes[0.0625]}
    state, threads = torch.get_rng_state(), torch.get_num_threads()
    table = pruning.training_speed(named, tiny, device="cpu", updates=2, rounds=2)
    assert torch.equal(state, torch.get_rng_state())
    assert torch.get_num_threads() == threads
    assert table["arm"].tolist() == ["wide", "narrow"]
    assert (table["images_per_second"] > 0).all()
    layer = pruning.dense_layer_speed(64, [0.1], batch=2, calls=2, rounds=2)
    assert layer["arm"].tolist() == ["dense", "zeros, 10 %", "sparse matrix, 10 %"]


def test_sparse_layers_compute_the_same() -> None:
    network = make("vgg_like", 0.25)
    pruning.prune_(network, 0.1)
    images = torch.randn(3, 3, 64, 64, generator=torch.Generator().manual_seed(0))
    sparse = pruning.with_sparse_layers(network)
    assert sum(isinstance(m, speed.SparseLinear) for m in sparse.modules()) == 2
    with torch.inference_mode():
        assert torch.allclose(sparse(images), network(images), atol=1e-5)
    table = pruning.inference_speed(
        {"dense": network, "sparse": sparse}, device="cpu", batches=1, rounds=1
    )
    assert table["rounds"].tolist() == [1, 1]
