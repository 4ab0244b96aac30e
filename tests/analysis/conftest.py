"""Fixtures of the saliency tests, and a fit to publish; the filter tests have own images."""

import pytest
import torch
from publishing_toys import RECIPE
from torch import Tensor

from tin_lib import networks, train
from tin_lib.analysis import runs
from tin_lib.data import TinyImageNet


@pytest.fixture(scope="module")
def small() -> networks.Network:
    """A narrow VGG-like network with random weights, four classes."""
    torch.manual_seed(7)
    return networks.create("vgg_like", 4, 0.25).eval()


@pytest.fixture(scope="module")
def images() -> Tensor:
    """Three normalised images of noise, float32 (3, 3, 64, 64)."""
    return torch.randn(3, 3, 64, 64, generator=torch.Generator().manual_seed(1))


@pytest.fixture(scope="module")
def fit(tmp_path_factory: pytest.TempPathFactory, tiny: TinyImageNet) -> runs.Fit:
    """A fit of one epoch by publishing_toys.RECIPE."""
    return train.fit(RECIPE, tiny, tmp_path_factory.mktemp("fit") / "vgg_like", device="cpu")
