"""A network small enough to compute by hand, and images for it."""

import numpy as np
import torch
from torch import nn

from tin_lib.analysis import filters
from tin_lib.networks.base import Network, Stack

MEAN, STD = torch.tensor([120.0, 115.0, 100.0]), torch.tensor([70.0, 69.0, 72.0])


def make_tiny(seed: int = 0) -> Network:
    """Two conv layers, a pool and a dense layer, small enough to compute by hand."""
    torch.manual_seed(seed)
    features, classifier = Stack("features"), Stack("classifier")
    features.layer("conv1", nn.Conv2d(3, 6, 5, stride=2, padding=2), nn.ReLU())
    features.add(nn.MaxPool2d(2))
    features.layer("conv2", nn.Conv2d(6, 4, 3, padding=1), nn.ReLU())
    classifier.add(nn.Flatten()).layer("dense1", nn.Linear(4 * 16 * 16, 3))
    network = Network(features, classifier)
    network.name, network.num_classes = "tiny", 3
    return network.eval()


def make_images() -> filters.Images:
    """Thirty images of noise in three classes."""
    generator = np.random.default_rng(0)
    pixels = generator.integers(0, 256, (30, 3, 64, 64), dtype=np.uint8)
    return filters.Images(pixels, np.arange(30) % 3, MEAN, STD)
