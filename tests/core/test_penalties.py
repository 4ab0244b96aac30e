"""Penalties: Keras's formulas against sums done by hand, gradients against finite differences."""

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays
from torch import nn

from tin_lib import networks, penalties
from tin_lib.networks.base import Network, Stack
from tin_lib.penalties import Penalty, activity_penalty, add_gradient_


@pytest.fixture
def tiny() -> Network:
    """One convolution with weights 1, -2, 3, 0 and one dense layer with -1, 4; biases of 100."""
    features = Stack("features").layer("conv1", nn.Conv2d(1, 1, 2), nn.ReLU())
    classifier = Stack("classifier").add(nn.Flatten()).layer("dense1", nn.Linear(2, 1))
    network = Network(features, classifier)
    values = {"features.0": [1.0, -2.0, 3.0, 0.0], "classifier.1": [-1.0, 4.0]}
    with torch.no_grad():
        for path, weights in values.items():
            module = network.get_submodule(path)
            module.weight.copy_(torch.tensor(weights).view_as(module.weight))
            module.bias.fill_(100.0)
    return network


def test_weight_penalty_by_hand(tiny: Network) -> None:
    table = {"conv1": Penalty(l1=0.1, l2=0.01), "dense1": Penalty(l1=0.5)}
    # 0.1 (1+2+3+0) + 0.01 (1+4+9+0) + 0.5 (1+4); λ is not halved, biases are free
    assert float(add_gradient_(tiny, table)) == pytest.approx(0.6 + 0.14 + 2.5)


def test_weight_penalty_gradient_by_hand(tiny: Network) -> None:
    conv = tiny.features[0]
    expected = np.array([0.1 + 0.02, -0.1 - 0.04, 0.1 + 0.06, 0.0])  # l1 sign(w) + 2 l2 w
    for times in (1, 2):  # to no gradient, then to one that is there
        add_gradient_(tiny, {"conv1": Penalty(l1=0.1, l2=0.01)})
        assert conv.weight.grad.flatten().tolist() == pytest.approx(times * expected)
    assert conv.bias.grad is None


@settings(deadline=None, max_examples=25)
@given(factors=st.tuples(*[st.floats(0, 2)] * 2))
def test_weight_penalty_and_its_gradient_in_any_memory_format(factors: tuple) -> None:
    network = networks.create("vgg_like", 2, width=0.05).double()
    network.to(memory_format=torch.channels_last)
    for name in ("conv2", "dense1"):
        weight = network.get_parameter(f"{network.check(name).weight}.weight")
        value = factors[0] * weight.abs().sum() + factors[1] * weight.square().sum()
        value.backward()
        expected, weight.grad = weight.grad, None
        found = add_gradient_(network, {name: Penalty(*factors)})
        torch.testing.assert_close(torch.as_tensor(found).double(), value.detach())
        if any(factors):
            torch.testing.assert_close(weight.grad, expected)


def test_frozen_weights_get_no_gradient(tiny: Network) -> None:
    """Nothing clears it: it would grow with every update, and count when gradients are clipped."""
    tiny.features[0].requires_grad_(False)
    table = {"conv1": Penalty(l1=0.1, l2=0.01), "dense1": Penalty(l1=0.5)}
    for _ in range(3):
        assert float(add_gradient_(tiny, table)) == pytest.approx(2.5)  # dense1's alone
        assert tiny.features[0].weight.grad is None
    assert tiny.classifier[1].weight.grad.abs().max() == pytest.approx(1.5)


def test_activity_penalty_by_hand() -> None:
    maps = torch.tensor([[[[1.0, -2.0]]], [[[3.0, 0.0]]]])  # 2 images, 1 channel, 1×2 positions
    units = torch.tensor([[5.0], [-1.0]])
    table = {"conv1": Penalty(activity_l1=0.1), "dense1": Penalty(7, 7, 0.01, 0.001)}
    # sums over units of batch means: |maps| 2 + 1, |units| 3, units² 13
    expected = 0.1 * 3 + 0.01 * 3 + 0.001 * 13
    found = activity_penalty({"conv1": maps, "dense1": units}, table)
    assert float(found) == pytest.approx(expected)


def test_activity_penalty_does_not_depend_on_the_batch_size() -> None:
    batch, table = torch.randn(3, 4, 5, 5), {"conv1": Penalty(0, 0, 0.1, 0.2)}
    once, twice = (activity_penalty({"conv1": torch.cat([batch] * n)}, table) for n in (1, 2))
    assert float(once) == pytest.approx(float(twice))


def test_no_penalty_is_zero(tiny: Network) -> None:
    assert add_gradient_(tiny, {}) == 0
    assert add_gradient_(tiny, {"conv1": Penalty()}) == 0
    assert tiny.features[0].weight.grad is None
    assert activity_penalty({}, {"conv1": Penalty(1, 1, 1, 1)}) == 0
    assert activity_penalty({"conv1": torch.ones(2, 2)}, {}) == 0
    assert activity_penalty({"conv1": torch.ones(2, 2)}, {"conv1": Penalty(1, 1)}) == 0


@settings(deadline=None, max_examples=25)
@given(
    values=arrays(
        np.float64,
        (3, 2, 2, 2),
        # Away from 0, where |v| has a kink and finite differences mean nothing.
        elements=st.floats(0.01, 3).flatmap(lambda v: st.sampled_from([v, -v])),
    ),
    factors=st.tuples(*[st.floats(0, 2)] * 2),
)
def test_gradients_agree_with_finite_differences(values: np.ndarray, factors: tuple) -> None:
    x = torch.from_numpy(values.copy()).requires_grad_()
    table = {"conv1": Penalty(0, 0, *factors)}
    expected = (factors[0] * np.abs(values) + factors[1] * values**2).sum() / len(values)
    assert float(activity_penalty({"conv1": x.detach()}, table)) == pytest.approx(expected)
    if any(factors):
        torch.autograd.gradcheck(lambda v: activity_penalty({"conv1": v}, table), (x,))


def test_silent_units_have_a_finite_gradient() -> None:
    silent = torch.zeros(2, 3, 2, 2, requires_grad=True)
    activity_penalty({"conv1": silent}, {"conv1": Penalty(0, 0, 1, 1)}).backward()
    assert not silent.grad.any()


def test_large_layers_are_summed_accurately() -> None:
    network = networks.create("vgg16", num_classes=2)
    weight = network.get_parameter("classifier.4.weight")  # dense2, 16.8 million
    exact = weight.detach().double()
    for table, value in (
        ({"dense2": Penalty(l1=1.0)}, exact.abs().sum()),
        ({"dense2": Penalty(l2=1.0)}, exact.square().sum()),
    ):
        assert float(add_gradient_(network, table)) == pytest.approx(value.item(), rel=1e-5)


def test_bfloat16_activations_are_summed_in_float32() -> None:
    values = torch.rand(4, 8192, generator=torch.Generator().manual_seed(0)).bfloat16()
    found = activity_penalty({"dense1": values}, {"dense1": Penalty(activity_l1=1.0)})
    assert float(found) == pytest.approx(values.double().sum().item() / 4, rel=1e-5)


def test_the_papers_factors() -> None:
    paper, code = (penalties.named(which, "vgg16") for which in ("paper", "code"))
    assert paper["conv11"] == Penalty(1e-7, 1e-7, 1e-7, 1e-7)
    assert paper["conv13"] == Penalty(1e-5, 1e-5, 1e-5, 1e-5)
    assert paper["dense1"] == Penalty(1e-4, 1e-5, 1e-4, 1e-5)
    assert paper["dense2"] == Penalty(1e-4, 1e-4, 1e-4, 1e-4)
    assert code["dense1"] == code["dense2"] == Penalty(1e-4, 1e-4, 1e-5, 1e-5)
    assert {k: code[k] for k in ("conv11", "conv12")} == {k: paper[k] for k in ("conv11", "conv12")}
    convnet9 = penalties.PAPER["convnet9"]
    assert convnet9 == {
        "conv1": Penalty(1e-7, 1e-7),
        "dense1": Penalty(1e-5, 1e-5),
        "dense2": Penalty(1e-5, 1e-5),
    }
    assert penalties.CODE["vgg_like"] == {
        "dense1": Penalty(1e-6, 1e-6),
        "dense2": Penalty(1e-5, 1e-5),
    }


@pytest.mark.parametrize("name", networks.names())
@pytest.mark.parametrize("which", ["none", "paper", "code"])
def test_penalised_layers_exist(name: str, which: str) -> None:
    table = penalties.named(which, name)
    assert table.keys() <= networks.create(name, width=0.05).layers.keys()
    assert bool(table) == (which != "none" and name in penalties.PAPER)


def test_unknown_names_are_refused(tiny: Network) -> None:
    with pytest.raises(ValueError, match="penalties='keras': choose one of none, paper, code"):
        penalties.named("keras", "vgg16")
    with pytest.raises(ValueError, match="no layer 'conv7'; layers: conv1, dense1"):
        add_gradient_(tiny, {"conv7": Penalty(1)})
