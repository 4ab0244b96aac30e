"""Which networks guided backpropagation applies to."""

import pytest
import torch
import torch.nn.functional as F
from network_toys import Function, wrapped
from torch import nn

from tin_lib import networks
from tin_lib.analysis.saliency.relu_modules import has_relu_modules_only


@pytest.mark.parametrize(
    ("modules", "expected"),
    [
        ([nn.ReLU()], True),
        ([nn.ReLU(inplace=True), nn.Conv2d(4, 4, 1), nn.ReLU()], True),
        ([nn.ReLU(), nn.Sigmoid()], True),
        ([nn.SiLU()], False),
        ([nn.GELU()], False),
        ([nn.LeakyReLU()], False),
        ([nn.ReLU(), nn.Hardswish()], False),
        ([nn.ReLU(), Function(F.relu)], False),
        ([nn.ReLU(), Function(lambda x: x.clamp(min=0))], False),
        ([Function(torch.relu)], False),
        ([nn.Identity()], False),
    ],
)
def test_relu_modules_are_distinguished_from_other_activations(
    modules: list, expected: bool
) -> None:
    assert has_relu_modules_only(wrapped(nn.Conv2d(3, 4, 3), *modules)) is expected


@pytest.mark.parametrize("name", networks.names())
def test_built_in_networks_have_relu_modules_only(name: str) -> None:
    network = networks.create(name, 5, 0.1)
    assert has_relu_modules_only(network)
    assert network.training
