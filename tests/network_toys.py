"""Networks made of any modules, narrow built-in ones, and images for them."""

import torch
from torch import Tensor, nn

from tin_lib import networks
from tin_lib.networks.wrapped import WrappedNetwork

NAMES = networks.names()
RESIDUAL = {"resnet18", "speednet"}  # blocks for layers, and no dropout by default


def wrapped(*modules: nn.Module, classes: int = 4) -> WrappedNetwork:
    """The modules, a mean over the map, and a dense layer."""
    torch.manual_seed(0)
    head = [nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.LazyLinear(classes)]
    return WrappedNetwork(nn.Sequential(*modules, *head), classes).eval()


class Function(nn.Module):
    """A function as a module."""

    def __init__(self, function: object) -> None:
        super().__init__()
        self.function = function

    def forward(self, x: Tensor) -> Tensor:
        return self.function(x)  # type: ignore[operator]


def build(num_classes: int, width: float = 1.0, depth: int = 2) -> nn.Module:
    """A plain network, as from a notebook's cell."""
    count = round(8 * width)
    convs = [nn.Conv2d(3 if i == 0 else count, count, 3, 2, 1) for i in range(depth)]
    layers = [layer for conv in convs for layer in (conv, nn.ReLU(inplace=True))]
    return nn.Sequential(*layers, nn.Flatten(), nn.LazyLinear(num_classes))


def images(count: int = 3) -> Tensor:
    """Noise in place of normalised images, (count, 3, 64, 64)."""
    return torch.randn(count, 3, 64, 64, generator=torch.Generator().manual_seed(1))


def small(name: str, **options: object) -> networks.Network:
    """A narrow built-in network, seven classes."""
    torch.manual_seed(0)
    return networks.create(name, num_classes=7, width=0.1, **options)


def convolutions(network: nn.Module) -> list[nn.Conv2d]:
    """All convolutions of a network."""
    return [m for m in network.modules() if isinstance(m, nn.Conv2d)]
