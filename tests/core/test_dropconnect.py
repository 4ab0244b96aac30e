"""DropConnect: rate, masks, gradients; identity where it has to be; in the networks."""

import copy
import itertools
from pathlib import Path

import pytest
import torch
import torch.nn.functional as F
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import Tensor, nn

from tin_lib import networks
from tin_lib.analysis import layers
from tin_lib.networks import DropConnectConv2d, DropConnectLinear
from tin_lib.networks.layers import DropConnect

KINDS = list(itertools.product(["linear", "conv"], ["example", "batch"]))
RATES = st.floats(0.02, 0.95)


def make(kind: str, p: float = 0.5, per: str = "example") -> tuple[DropConnect, Tensor]:
    """A layer and a batch of six inputs for it."""
    torch.manual_seed(0)
    if kind == "linear":
        return DropConnectLinear(20, 30, p=p, per=per), torch.randn(6, 20)
    return DropConnectConv2d(4, 8, 3, 2, 1, p=p, per=per), torch.randn(6, 4, 9, 9)


def plain(layer: DropConnect, x: Tensor) -> Tensor:
    """The output of torch's own layer with these weights."""
    if isinstance(layer, nn.Linear):
        return F.linear(x, layer.weight, layer.bias)
    return F.conv2d(x, layer.weight, layer.bias, 2, 1)


@settings(deadline=None, max_examples=10)
@given(rate=RATES)
def test_rate_of_weights_and_of_biases(rate: float) -> None:
    """Inputs 1, 0, 0, … show one column of the weights; the input 0 shows the biases."""
    layer = DropConnectLinear(2, 500, p=rate)
    nn.init.ones_(layer.weight)
    torch.manual_seed(0)
    for bias, x in ((0.0, torch.eye(2).repeat(20, 1)), (1.0, torch.zeros(40, 2))):
        nn.init.constant_(layer.bias, bias)
        y = layer(x)
        off = 5 * (rate * (1 - rate) / y.numel()) ** 0.5
        assert (y == 0).float().mean().item() == pytest.approx(rate, abs=off + 1e-4)
        assert y[y != 0].unique().tolist() == pytest.approx([1 / (1 - rate)])


@pytest.mark.parametrize(("kind", "per"), KINDS)
def test_without_a_rate_and_in_evaluation_it_is_the_plain_layer(kind: str, per: str) -> None:
    layer, x = make(kind, 0.0, per)
    assert torch.equal(layer(x), plain(layer, x))
    layer, x = make(kind, 0.5, per)
    assert not torch.allclose(layer(x), plain(layer, x))
    assert torch.equal(layer.eval()(x), plain(layer, x))


@pytest.mark.parametrize(("kind", "per"), KINDS)
def test_whose_masks_they_are(kind: str, per: str) -> None:
    layer, x = make(kind, 0.5, per)
    same = layer(x[:1].expand_as(x))
    alike = torch.allclose(same[0], same[1], atol=1e-6)
    assert alike == (per == "batch")
    again = layer(x[:1].expand_as(x))
    assert not torch.allclose(again[0], same[0])


@pytest.mark.parametrize(("kind", "per"), KINDS)
def test_gradients_reach_kept_weights_alone(kind: str, per: str) -> None:
    """One example: the output is the kept weights' doubled, and so is their gradient."""
    layer, x = make(kind, 0.5, per)
    layer(x[:1]).sum().backward()
    found = layer.weight.grad.clone(), layer.bias.grad.clone()
    layer.zero_grad()
    layer.eval()(x[:1]).sum().backward()
    for grad, whole in zip(found, (layer.weight.grad, layer.bias.grad)):
        kept = grad != 0
        assert 0.2 < kept.float().mean() < 0.8
        torch.testing.assert_close(grad[kept], 2 * whole[kept])


@pytest.mark.parametrize("shape", [(6, 20), (6, 5, 20), (6, 2, 3, 20)])
def test_a_dense_layer_takes_further_dimensions(shape: tuple[int, ...]) -> None:
    layer, _ = make("linear", 1e-9)  # drops nothing, by the path that copies the weights
    x = torch.randn(*shape)
    torch.testing.assert_close(layer(x), plain(layer, x))


def test_a_convolution_per_example_is_the_convolution() -> None:
    layer, x = make("conv", 1e-9)
    torch.testing.assert_close(layer(x), plain(layer, x))


@pytest.mark.parametrize(("kind", "per"), KINDS)
def test_seeds_copies_and_state_dicts(kind: str, per: str) -> None:
    layer, x = make(kind, 0.5, per)
    torch.manual_seed(3)
    first = layer(x)
    torch.manual_seed(3)
    assert torch.equal(copy.deepcopy(layer)(x), first)
    assert list(layer.state_dict()) == ["weight", "bias"]
    other = nn.Linear(20, 30) if kind == "linear" else nn.Conv2d(4, 8, 3, 2, 1)
    other.load_state_dict(layer.state_dict())
    assert torch.equal(other(x), layer.eval()(x))


@pytest.mark.parametrize(("kind", "per"), KINDS)
def test_bf16_autocast(kind: str, per: str) -> None:
    layer, x = make(kind, 0.5, per)
    with torch.autocast("cpu", torch.bfloat16):
        y = layer(x)
    assert y.dtype == torch.bfloat16
    y.float().sum().backward()
    assert layer.weight.grad.dtype == torch.float32


@pytest.mark.parametrize("kind", ["linear", "conv"])
@pytest.mark.parametrize("p", [-0.1, 1.0, 1.5, float("nan")])
def test_other_rates_are_refused(kind: str, p: float) -> None:
    with pytest.raises(ValueError, match=r"^p=.*: must lie in \[0, 1\)$"):
        make(kind, p)


def test_other_masks_are_refused() -> None:
    with pytest.raises(ValueError, match=r"^per='image': choose example or batch$"):
        DropConnectLinear(2, 2, per="image")  # type: ignore[arg-type]


@pytest.mark.parametrize("name", ["convnet9", "vgg_like"])
@pytest.mark.parametrize("rate", [-0.5, 1.0])
def test_the_networks_refuse_other_rates(name: str, rate: float) -> None:
    with pytest.raises(ValueError, match=rf"dropconnect={rate}: must lie in \[0, 1\)"):
        networks.create(name, 10, 0.1, dropconnect=rate)
    with pytest.raises(ValueError, match="dropconnect_per='image': choose example or batch"):
        networks.create(name, 10, 0.1, dropconnect_per="image")


@pytest.mark.parametrize("name", ["convnet9", "vgg_like"])
def test_in_the_networks_it_takes_the_place_of_dropout_after_dense_1(name: str) -> None:
    usual = networks.create(name, 10, 0.1)
    network = networks.create(name, 10, 0.1, dropconnect=0.3)
    network.load_state_dict(usual.state_dict())  # the same names
    rates = [m.p for m in network.classifier if isinstance(m, nn.Dropout)]
    before = [m.p for m in usual.classifier if isinstance(m, nn.Dropout)]
    assert (before[0], rates[0], rates[1:]) == (0.5, 0.0, before[1:])
    dense = network.get_submodule(network.layers["dense1"].weight)
    assert isinstance(dense, DropConnectLinear)
    assert dense.p == 0.3
    assert torch.equal(layers.weight(network, "dense1"), layers.weight(usual, "dense1"))


def test_variant_dense_drops_after_dense_1_alone() -> None:
    for name in ("convnet9", "vgg_like"):
        network = networks.create(name, 10, 0.1, variant="dense")
        assert [m.p for m in network.modules() if isinstance(m, nn.Dropout) and m.p] == [0.5]


def test_networks_saved_before_the_option_existed_still_load(tmp_path: Path) -> None:
    network = networks.create("vgg_like", 10, 0.1)
    network.options = {k: v for k, v in network.options.items() if "dropconnect" not in k}
    networks.save(network, tmp_path / "old.safetensors")
    loaded = networks.load(tmp_path / "old.safetensors")
    assert loaded.options["dropconnect"] == 0
    x = torch.randn(2, 3, 64, 64)
    assert torch.equal(loaded(x), network.eval()(x))
