"""Networks: sizes, named layers, gradients."""

import importlib
import re
from pathlib import Path

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from network_toys import NAMES, RESIDUAL, convolutions, images, small
from torch import nn
from torch.utils.flop_counter import FlopCounterMode

from tin_lib import networks
from tin_lib.analysis.layer_table import layer_table
from tin_lib.networks import registry

PAPERS = {"convnet9": 11_615_240, "vgg_like": 2_886_120, "vgg16": 40_708_104}  # PAPER, 200 classes


# --- sizes and tables


@pytest.mark.parametrize(("name", "count"), PAPERS.items())
def test_parameters_of_the_paper(name: str, count: int) -> None:
    with torch.device("meta"):
        assert networks.parameter_count(networks.create(name)) == count


@pytest.mark.parametrize("name", NAMES)
def test_table_of_layers_is_the_network(name: str) -> None:
    page = Path(__file__).parents[2] / "docs/NETWORKS.md"
    pages = page.read_text(encoding="utf-8").split("\n## ")
    (text,) = [page for page in pages if f"(`{name}`)" in page.splitlines()[0]]
    module = importlib.import_module(f"tin_lib.networks.{registry.BUILT_IN[name]}")
    told = re.findall(r"\| (\w+) +\| ([\d×]+) +\| ([\d,]+) +\|", text)
    with torch.device("meta"):
        network = networks.create(name)
    real = layer_table(network)
    columns = real["output"], real["parameters"].map("{:,}".format)
    assert told == list(zip(real.index, *columns, strict=True))
    count = f"{networks.parameter_count(network):,} parameters"
    assert count in text
    assert f"{count} at full width" in " ".join((module.__doc__ or "").split())
    assert real["parameters"].sum() == networks.parameter_count(network)


VARIANTS = [(name, {}) for name in NAMES] + [
    ("vgg16", {"batchnorm": True, "head": "gap"}),
    ("resnet18", {"stem_stride": 2, "squeeze_excite": True, "blocks": [1, 2, 1, 1]}),
]


@pytest.mark.parametrize(("name", "options"), VARIANTS)
def test_multiply_adds_are_half_of_torchs_flops(name: str, options: dict) -> None:
    network = small(name, **options).eval()
    with FlopCounterMode(display=False) as counter:
        network(images(1))
    assert 2 * layer_table(network)["multiply_adds"].sum() == counter.get_total_flops()


def test_table_leaves_the_network_as_it_was() -> None:
    network = small("convnet9").train()
    before = {k: v.clone() for k, v in network.state_dict().items()}
    layer_table(network)
    assert network.training
    assert not any(m._forward_hooks for m in network.modules())
    assert all(torch.equal(v, before[k]) for k, v in network.state_dict().items())


@settings(deadline=None, max_examples=12)
@given(
    name=st.sampled_from(NAMES),
    classes=st.integers(2, 30),
    width=st.sampled_from([0.01, 0.07, 0.13, 0.2]),
)
def test_any_number_of_classes_and_width(name: str, classes: int, width: float) -> None:
    network = networks.create(name, classes, width).eval()
    assert network(images(2)).shape == (2, classes)
    assert (network.name, network.num_classes, network.width) == (name, classes, width)


@pytest.mark.parametrize("name", NAMES)
def test_width_scales_hidden_layers_and_not_the_output(name: str) -> None:
    with torch.device("meta"):
        full, half = networks.create(name), networks.create(name, width=0.5)
    last = list(full.layers)[-1]
    for key, layer in full.layers.items():
        ours, theirs = (n.get_submodule(layer.weight).weight.shape[0] for n in (half, full))
        assert ours == (theirs if key == last else theirs // 2), key


# --- named layers


@pytest.mark.parametrize(("name", "options"), VARIANTS)
def test_named_activations_are_the_modules_outputs(name: str, options: dict) -> None:
    network, batch, seen = small(name, **options).eval(), images(), {}
    for key, layer in network.layers.items():
        module = network.get_submodule(layer.output)
        module.register_forward_hook(lambda _, __, out, key=key: seen.update({key: out}))
    logits, found = network.forward_features(batch, list(network.layers))
    assert found.keys() == seen.keys() == network.layers.keys()
    assert all(torch.equal(found[key], seen[key]) for key in seen)
    assert torch.equal(logits, network(batch))
    *hidden, last = network.layers
    assert all((found[key] >= 0).all() for key in hidden)  # after its ReLU
    assert torch.equal(found[last], logits)


@pytest.mark.parametrize("name", NAMES)
def test_layers_are_numbered_in_order(name: str) -> None:
    table = layer_table(small(name))
    convs = [key for key in table.index if not key.startswith("dense")]
    dense = [key for key in table.index if key.startswith("dense")]
    assert list(table.index) == convs + dense
    if name not in RESIDUAL:
        assert convs == [f"conv{i + 1}" for i in range(len(convs))]
    assert dense == [f"dense{i + 1}" for i in range(len(dense))]


def test_unknown_layer_is_refused_with_the_known() -> None:
    with pytest.raises(ValueError, match=r"no layer 'conv5'; layers: conv1, .*dense2"):
        small("vgg_like").forward_features(images(1), ["conv5"])


@pytest.mark.parametrize(("name", "options"), VARIANTS)
def test_every_relu_is_a_module_of_its_own(name: str, options: dict) -> None:
    network, calls = small(name, **options).eval(), []
    relus = [m for m in network.modules() if isinstance(m, nn.ReLU)]
    for relu in relus:
        relu.register_forward_hook(lambda module, _, __: calls.append(module))
    network(images(1))
    assert len(calls) == len(set(calls)) == len(relus)
    assert not any(relu.inplace for relu in relus)


@pytest.mark.parametrize(("name", "options"), [*VARIANTS, ("resnet18", {"zero_init": False})])
def test_gradients_reach_every_weight(name: str, options: dict) -> None:
    network = small(name, dropout=0, **options)
    network(images(8)).square().sum().backward()
    silent = {k for k, p in network.named_parameters() if p.grad is None or not p.grad.any()}
    if name == "resnet18" and network.options["zero_init"]:
        silent = {k for k in silent if not re.search(r"conv\d|norm1|excite", k)}  # behind the zeros
    assert not silent


def test_memory_order_changes_no_gradient() -> None:
    """At this width oneDNN writes out of bounds for a 1×1 convolution with a stride."""
    gradients = []
    for order in (torch.contiguous_format, torch.channels_last):
        network = small("resnet18", zero_init=False).to(memory_format=order)
        network(images(8).contiguous(memory_format=order)).square().sum().backward()
        gradients.append([conv.weight.grad.contiguous() for conv in convolutions(network)])
    for one, other in zip(*gradients, strict=True):
        assert (one - other).norm() < 0.05 * one.norm()  # rounding: 0.005
