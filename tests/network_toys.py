"""Networks made of any modules."""

import torch
from torch import Tensor, nn

from tin_lib.networks.wrapped import WrappedNetwork


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
