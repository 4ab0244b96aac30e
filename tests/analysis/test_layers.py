"""Looking into layers of several modules: separable and grouped convolutions."""

import torch
from torch import nn

from tin_lib.analysis import filters, layers
from tin_lib.analysis.layer_table import layer_table
from tin_lib.networks.base import Network, Stack


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
    assert layers.filter_count(network, "conv1") == 6
    assert layers.weight(network, "conv1").shape == (6, 3, 1, 1)
    assert layers.activation(network, "conv1", images).shape == (2, 6, 64, 64)
    assert filters.receptive_field(network, "conv1") == filters.Field(3, 1, -1)
    row = layer_table(network).loc["conv1"]
    assert row.parameters == 3 * 9 + 3 + 6 * 3 + 6
    assert row.multiply_adds == (3 * 9 + 6 * 3) * 64 * 64
