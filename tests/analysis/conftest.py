"""Fixtures of the saliency tests; the filter tests have images of their own."""

import pytest
import torch
from torch import Tensor

from tin_lib import networks


@pytest.fixture(scope="module")
def small() -> networks.Network:
    """A narrow VGG-like network with random weights, four classes."""
    torch.manual_seed(7)
    return networks.create("vgg_like", 4, 0.25).eval()


@pytest.fixture(scope="module")
def images() -> Tensor:
    """Three normalised images of noise, float32 (3, 3, 64, 64)."""
    return torch.randn(3, 3, 64, 64, generator=torch.Generator().manual_seed(1))
