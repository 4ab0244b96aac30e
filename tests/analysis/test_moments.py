"""Evaluation of DropConnect by moments, against samples of masks."""

from pathlib import Path

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import Tensor, nn

from tin_lib import networks, runs, train
from tin_lib.analysis import arms, moments
from tin_lib.analysis.layers import activation
from tin_lib.data import open_data
from tin_lib.networks import DropConnectConv2d, DropConnectLinear
from tin_lib.networks.layers import DropConnect
from tin_lib.recipes import Recipe


def make(kind: str) -> tuple[DropConnect, Tensor]:
    """A layer with biases and a batch of two inputs for it."""
    torch.manual_seed(0)
    linear = kind == "linear"
    layer = DropConnectLinear(20, 10, p=0.4) if linear else DropConnectConv2d(2, 3, 3, 2, 1, p=0.4)
    nn.init.uniform_(layer.bias, 1, 2)
    return layer, torch.randn(2, 20) if linear else torch.randn(2, 2, 5, 5)


@pytest.mark.parametrize("kind", ["linear", "conv"])
def test_moments_are_those_of_samples(kind: str) -> None:
    layer, x = make(kind)
    count = 3000
    with torch.no_grad():
        samples = layer(x.repeat_interleave(count, 0)).unflatten(0, (2, count))
        mean, variance = layer.eval()(x), moments.variance(layer, x)
    error = (samples.mean(1) - mean) / (variance / count).sqrt()
    assert error.abs().max() < 5  # deviations of the mean
    assert (samples.var(1) / variance - 1).abs().max() < 0.25
    assert (samples.var(1) / variance).mean().item() == pytest.approx(1, abs=0.03)


@settings(deadline=None, max_examples=20)
@given(mean=st.floats(-4, 4), deviation=st.floats(0.01, 3))
def test_expected_relu_is_that_of_samples(mean: float, deviation: float) -> None:
    torch.manual_seed(0)
    samples = (mean + deviation * torch.randn(100_000)).relu()
    found = moments.expected_relu(torch.tensor(mean), torch.tensor(deviation**2)).item()
    assert found == pytest.approx(samples.mean().item(), abs=0.02 * deviation)


def test_expected_relu_of_no_variance_is_relu() -> None:
    means = torch.tensor([-3.0, 0.0, 2.0])
    assert moments.expected_relu(means, torch.zeros(3)).tolist() == pytest.approx([0, 0, 2])


@pytest.mark.parametrize("name", ["convnet9", "vgg_like"])
def test_gaussian_inference_is_the_mean_over_masks(name: str) -> None:
    """Dense 1's activation, through its batchnorm if it has one, against the mean of samples."""
    torch.manual_seed(0)
    network = networks.create(name, 10, 0.05, dropconnect=0.5, variant="dense")
    network(torch.randn(16, 3, 64, 64))  # statistics of batchnorm
    images, found = torch.randn(1, 3, 64, 64), {}
    with torch.no_grad():
        network.eval()
        found["mean"] = activation(network, "dense1", images)
        with moments.gaussian_inference(network):
            found["gaussian"] = activation(network, "dense1", images)
            assert torch.equal(found["gaussian"], activation(network, "dense1", images))
        assert torch.equal(found["mean"], activation(network, "dense1", images))  # hooks are gone
        flat = network.features(images).flatten(1).expand(2000, -1)
        _, first, *rest = network.classifier[: 4 if name == "convnet9" else 3]
        sampled = nn.Sequential(*rest)(first.train()(flat)).mean(0)
    error = {key: (value[0] - sampled).abs().mean() for key, value in found.items()}
    assert error["gaussian"] < 0.05 * sampled.mean()
    assert error["gaussian"] < 0.4 * error["mean"]


def test_it_leaves_training_and_networks_without_dropconnect_alone() -> None:
    images = torch.randn(2, 3, 64, 64)
    for rate, training in ((0.0, False), (0.5, True)):
        network = networks.create("vgg_like", 10, 0.05, dropconnect=rate).train(training)
        torch.manual_seed(1)
        outside = network(images)
        torch.manual_seed(1)
        with moments.gaussian_inference(network):
            assert torch.equal(network(images), outside)


def test_correct_by_both_inferences(tmp_path: Path) -> None:
    data = open_data("sample", classes=3, per_class=10)
    options = {"dropconnect": 0.5, "variant": "dense"}
    recipe = Recipe("vgg_like", epochs=1, lr=0.01, width=0.05, network_options=options)
    train.fit(recipe, data, tmp_path / "fit", device="cpu", progress=None)
    fit = runs.open_fit(tmp_path / "fit")
    mean, gaussian = (moments.correct(fit, data.val, name) for name in ("mean", "gaussian"))
    np.testing.assert_array_equal(mean, arms.correct(fit))
    assert gaussian.shape == mean.shape
    with pytest.raises(ValueError, match="inference='median': choose mean or gaussian"):
        moments.correct(fit, data.val, "median")
