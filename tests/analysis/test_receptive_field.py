"""Receptive fields of built-in networks and of any module."""

import pytest
import torch.nn.functional as F
from network_toys import Function, wrapped
from torch import nn

from tin_lib import networks
from tin_lib.analysis.filters import Field, receptive_field
from tin_lib.networks import Network


def geometry(network: Network, layer: str) -> Field | None:
    """The field from kernel sizes, strides and paddings (Araujo et al., 2019).

    Of a residual block the main path, which sees the most.
    """
    output = network.layers[layer].output
    size, stride, start, inside = 1, 1, 0, False
    for path, module in network.features.named_modules(prefix="features"):
        if inside and not path.startswith(f"{output}."):
            break
        inside = inside or path == output
        if isinstance(module, nn.Conv2d | nn.MaxPool2d) and "around" not in path:
            pairs = (module.kernel_size, module.stride, module.padding)
            kernel, step, padding = (v[0] if isinstance(v, tuple) else v for v in pairs)
            size, start = size + (kernel - 1) * stride, start - padding * stride
            stride *= step
    return Field(size, stride, start) if inside and size < 64 else None


@pytest.mark.parametrize("name", networks.names())
def test_measured_fields_are_those_of_the_geometry(name: str) -> None:
    network = networks.create(name, 5, 0.1)
    found = {layer: receptive_field(network, layer) for layer in network.layers}
    assert found == {layer: geometry(network, layer) for layer in network.layers}
    assert sum(field is not None for field in found.values()) >= 2


@pytest.mark.parametrize(
    ("module", "expected"),
    [
        (nn.Conv2d(3, 4, 5, 2, 2), Field(5, 2, -2)),
        (nn.Conv2d(3, 4, 3, 1, 3, dilation=3), Field(7, 1, -3)),
        (nn.Conv2d(3, 4, (3, 5), 1, (1, 2)), None),  # no square
        (nn.Conv2d(3, 4, 40, 8, 0), Field(40, 8, 0)),
        (nn.Conv2d(3, 4, 64), None),
        (nn.Conv2d(3, 4, 1), Field(1, 1, 0)),
        (nn.Sequential(nn.UpsamplingNearest2d(128), nn.Conv2d(3, 4, 1)), None),  # not even
        (nn.Sequential(nn.Softmax(2), nn.Conv2d(3, 4, 1)), None),
        (nn.Sequential(nn.InstanceNorm2d(3), nn.Conv2d(3, 4, 1)), None),
    ],
)
def test_fields_of_any_module(module: nn.Module, expected: Field | None) -> None:
    network = wrapped(module, nn.GELU())
    assert receptive_field(network, "first") == expected
    assert receptive_field(network, list(network.layers)[-1]) is None


@pytest.mark.parametrize(
    "activation",
    [F.relu, F.gelu, F.silu, F.hardswish, F.relu6, lambda x: x.clamp(min=0), lambda x: x.abs()],
)
def test_fields_beyond_functions_and_zero_weights(activation: object) -> None:
    convs = [nn.Conv2d(3, 4, 3, 2, 1), nn.Conv2d(4, 4, 3, 1, 1)]
    network = wrapped(convs[0], Function(activation), nn.MaxPool2d(2), convs[1])
    for parameter in network.parameters():
        nn.init.zeros_(parameter)
    assert receptive_field(network, "last") == Field(13, 4, -5)
    assert not any(parameter.isnan().any() for parameter in network.parameters())
