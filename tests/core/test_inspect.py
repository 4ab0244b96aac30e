"""Looking into networks: evaluation mode, layers of several modules, initial weights."""

import contextlib

import pytest
import torch
from torch import nn

from tin_lib import networks
from tin_lib.analysis import filters
from tin_lib.analysis.layer_table import layer_table
from tin_lib.networks import inspect
from tin_lib.networks.base import Network, Stack, initialise

# --- evaluation mode


@pytest.mark.parametrize("gradients", [True, False])
def test_evaluation_mode_restores_every_mode_and_flag(gradients: bool) -> None:
    network = networks.create("convnet9", 5, 0.1).train()
    frozen = next(network.parameters()).requires_grad_(False)
    network.features[1].eval()
    with contextlib.suppress(KeyError), inspect.evaluation_mode(network, gradients) as device:
        assert device.type == "cpu"
        assert not any(module.training for module in network.modules())
        assert any(p.requires_grad for p in network.parameters()) is gradients
        raise KeyError
    assert [m for m in network.modules() if not m.training] == [network.features[1]]
    assert [p for p in network.parameters() if not p.requires_grad] == [frozen]


# --- separable and grouped convolutions


def separable() -> Network:
    """Depthwise, pointwise, ReLU as one layer of six filters."""
    depthwise, pointwise = nn.Conv2d(3, 3, 3, 1, 1, groups=3), nn.Conv2d(3, 6, 1)
    features = Stack("features").layer("conv1", depthwise, pointwise, nn.ReLU(), filters=1)
    classifier = Stack("classifier").add(nn.AdaptiveAvgPool2d(1), nn.Flatten())
    network = Network(features, classifier.layer("dense1", nn.Linear(6, 4)))
    network.name, network.num_classes = "separable", 4
    return network


def test_a_layer_of_several_modules_has_the_filters_of_the_one_named() -> None:
    network, images = separable(), torch.randn(2, 3, 64, 64)
    assert inspect.filter_count(network, "conv1") == 6
    assert inspect.weight(network, "conv1").shape == (6, 3, 1, 1)
    assert inspect.activation(network, "conv1", images).shape == (2, 6, 64, 64)
    assert filters.receptive_field(network, "conv1") == filters.Field(3, 1, -1)
    row = layer_table(network).loc["conv1"]
    assert row.parameters == 3 * 9 + 3 + 6 * 3 + 6
    assert row.multiply_adds == (3 * 9 + 6 * 3) * 64 * 64


@pytest.mark.parametrize("init", ["he", "glorot"])
@pytest.mark.parametrize("groups", [1, 4, 64])
def test_initial_weights_count_the_outputs_of_one_group(init: str, groups: int) -> None:
    torch.manual_seed(0)
    conv = nn.Conv2d(64, 256, 3, groups=groups)
    initialise(conv, init)
    fan_in, fan_out = 9 * 64 / groups, 9 * 256 / groups
    variance = 2 / fan_out if init == "he" else 2 / (fan_in + fan_out)
    assert conv.weight.var().item() == pytest.approx(variance, rel=0.1)
