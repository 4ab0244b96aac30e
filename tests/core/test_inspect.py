"""Looking into networks: receptive fields, ReLUs, evaluation mode, fresh weights."""

import contextlib

import pytest
import torch
import torch.nn.functional as F
from torch import Tensor, nn

from tin_lib import networks
from tin_lib.networks import inspect
from tin_lib.networks.base import Network, Stack, initialise
from tin_lib.networks.inspect import Field
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


# --- receptive fields


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
    found = {layer: inspect.receptive_field(network, layer) for layer in network.layers}
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
    assert inspect.receptive_field(network, "first") == expected
    assert inspect.receptive_field(network, list(network.layers)[-1]) is None


@pytest.mark.parametrize(
    "activation",
    [F.relu, F.gelu, F.silu, F.hardswish, F.relu6, lambda x: x.clamp(min=0), lambda x: x.abs()],
)
def test_fields_beyond_functions_and_zero_weights(activation: object) -> None:
    convs = [nn.Conv2d(3, 4, 3, 2, 1), nn.Conv2d(4, 4, 3, 1, 1)]
    network = wrapped(convs[0], Function(activation), nn.MaxPool2d(2), convs[1])
    for parameter in network.parameters():
        nn.init.zeros_(parameter)
    assert inspect.receptive_field(network, "last") == Field(13, 4, -5)
    assert not any(parameter.isnan().any() for parameter in network.parameters())


# --- ReLUs


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
def test_relu_modules_are_told_from_other_activations(modules: list, expected: bool) -> None:
    assert inspect.has_relu_modules_only(wrapped(nn.Conv2d(3, 4, 3), *modules)) is expected


@pytest.mark.parametrize("name", networks.names())
def test_built_in_networks_have_relu_modules_only(name: str) -> None:
    network = networks.create(name, 5, 0.1)
    assert inspect.has_relu_modules_only(network)
    assert network.training


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


# --- fresh weights


@pytest.mark.parametrize("name", ["resnet18", "torchvision:squeezenet1_1"])
def test_reinitialised_resets_the_last_layers_in_the_order_they_run(name: str) -> None:
    network = networks.create(name, 5, **({"zero_init": False} if name == "resnet18" else {}))
    names, weights = list(network.layers), {}
    for share in (0.0, 0.5, 1.0):
        other = inspect.reinitialised(network, share)
        same = [torch.equal(inspect.weight(other, n), inspect.weight(network, n)) for n in names]
        weights[share] = same.index(False)
        assert same == sorted(same, reverse=True)
    assert weights == {0.0: len(names) - 1, 0.5: round(len(names) / 2), 1.0: 0}


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
    assert inspect.receptive_field(network, "conv1") == Field(3, 1, -1)
    row = networks.table(network).loc["conv1"]
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
