"""The gradient through silent ReLUs."""

import pytest
import torch
from network_toys import wrapped
from torch import nn

from tin_lib.analysis.filters.leak import leaky_relus
from tin_lib.analysis.layers import activation


@pytest.mark.parametrize(
    ("bias", "share", "expected"), [(-9, 0, 0), (-9, 0.25, 0.25), (9, 0.25, 1)]
)
def test_a_share_of_the_gradient_passes_the_layers_own_relu(
    bias: float, share: float, expected: float
) -> None:
    """Also where the forward pass ends at that ReLU, and in a network of any modules."""
    network = wrapped(nn.Conv2d(3, 4, 3), nn.ReLU())
    nn.init.constant_(network.module[0].bias, bias)
    images = torch.rand(2, 3, 64, 64, requires_grad=True)
    (linear,) = torch.autograd.grad(network.module[0](images).sum(), images)
    with leaky_relus(network) as leak:
        leak.share = share
        maps = activation(network, "0", images)
        (gradient,) = torch.autograd.grad(maps.sum(), images)
    assert torch.equal(maps, network.module[0](images).relu())
    torch.testing.assert_close(gradient, expected * linear)
