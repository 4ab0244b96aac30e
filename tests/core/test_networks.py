"""Networks: sizes, named layers, options and starting weights as documented."""

import importlib
import json
import math
import os
import re
import subprocess
import sys
from pathlib import Path

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import Tensor, nn
from torch.utils.flop_counter import FlopCounterMode

from tin_lib import networks
from tin_lib.analysis.layer_table import layer_table
from tin_lib.networks import registry

NAMES = networks.names()
PAPERS = {"convnet9": 11_615_240, "vgg_like": 2_886_120, "vgg16": 40_708_104}  # PAPER, 200 classes


def small(name: str, **options: object) -> networks.Network:
    torch.manual_seed(0)
    return networks.create(name, num_classes=7, width=0.1, **options)


def images(count: int = 3) -> Tensor:
    return torch.randn(count, 3, 64, 64, generator=torch.Generator().manual_seed(1))


def rates(network: nn.Module) -> list[float]:
    return [m.p for m in network.modules() if isinstance(m, nn.Dropout)]


def convolutions(network: nn.Module) -> list[nn.Conv2d]:
    return [m for m in network.modules() if isinstance(m, nn.Conv2d)]


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
    count = f"{networks.parameter_count(network):,} weights"
    assert count in text
    assert f"{count} at full width" in " ".join((module.__doc__ or "").split())
    assert real["parameters"].sum() == networks.parameter_count(network)


RESIDUAL = {"resnet18", "speednet"}  # blocks for layers, and no dropout by default
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


# --- options


def test_published_dropout_rates() -> None:
    assert rates(small("convnet9")) == [0.25, 0.25, 0.5, 0.5]
    assert rates(small("convnet9", variant="code")) == [0.25, 0.25, 0.25, 0.5]
    assert rates(small("vgg_like")) == [0.25, 0.25, 0.5]
    assert rates(small("vgg_like", variant="code")) == [0.25, 0.5, 0.5]
    assert rates(small("vgg16")) == [0.75, 0.75]
    assert rates(small("alexnet")) == [0.5, 0.5]


def test_convnet9_drops_after_conv_3_and_6_and_after_the_output() -> None:
    network = small("convnet9")
    kinds = [type(m).__name__ for m in network.features]
    assert [kinds[:i].count("Conv2d") for i, k in enumerate(kinds) if k == "Dropout"] == [3, 6]
    assert isinstance(network.classifier[-1], nn.Dropout)
    assert isinstance(small("convnet9", variant="code").classifier[-1], nn.Linear)


@pytest.mark.parametrize("name", NAMES)
def test_dropout_is_a_factor_and_zero_switches_it_off(name: str) -> None:
    assert set(rates(small(name, dropout=0))) == {0}
    full, half = rates(small(name, dropout=1.0)), rates(small(name, dropout=0.5))
    if name not in RESIDUAL:
        assert half == [rate / 2 for rate in full]
    assert max(rates(small(name, dropout=50))) == 0.95


def test_paper_batchnorm_and_optional_batchnorm() -> None:
    norms = [m for m in small("convnet9").modules() if isinstance(m, nn.BatchNorm2d)]
    norms += [m for m in small("convnet9").modules() if isinstance(m, nn.BatchNorm1d)]
    assert len(norms) == 10
    assert {(n.eps, n.momentum) for n in norms} == {(1e-6, 0.1)}
    for name, convs in (("vgg_like", 4), ("vgg16", 13), ("alexnet", 5)):
        for wanted in (False, True):
            modules = list(small(name, batchnorm=wanted).modules())
            found = sum(isinstance(m, nn.BatchNorm2d) for m in modules)
            assert found == convs * wanted


def test_residual_options_do_what_they_say() -> None:
    assert layer_table(small("resnet18", stem_stride=2)).loc["stage4", "output"] == "51×4×4"
    assert len(convolutions(small("resnet18", blocks=(3, 4, 6, 3)))) == 1 + 2 * 16 + 3
    plain, excited = small("resnet18"), small("resnet18", squeeze_excite=True)
    assert len(convolutions(excited)) == len(convolutions(plain)) + 2 * 8
    batch = images()
    block = plain.features[-1][-1].eval()
    x = torch.rand(2, block.conv1.in_channels, 4, 4)
    assert torch.equal(block(x), x)  # starts as the identity
    dropped = small("resnet18", drop_path=0.9, zero_init=False)
    dropped.features.apply(lambda m: m.eval() if isinstance(m, nn.BatchNorm2d) else None)
    torch.manual_seed(0)
    assert not torch.equal(dropped(batch), dropped(batch))
    dropped.eval()
    assert torch.equal(dropped(batch), dropped(batch))


@pytest.mark.parametrize("name", NAMES)
def test_options_survive_json(name: str) -> None:
    network = small(name)
    assert network.options == networks.options(name)
    again = networks.create(name, 7, 0.1, **json.loads(json.dumps(network.options)))
    assert again.options == network.options


@pytest.mark.parametrize(
    ("name", "options", "message"),
    [
        ("vgg19", {}, "no network 'vgg19'; networks: convnet9, vgg_like, vgg16, alexnet"),
        ("vgg16", {"variant": "code"}, "vgg16: .*'variant'; options: dropout, init, batch"),
        ("convnet9", {"variant": "keras"}, "variant='keras': choose paper or code"),
        ("vgg16", {"head": "none"}, "head='none'"),
        ("alexnet", {"init": "lecun"}, "init='lecun': choose glorot or he"),
        ("alexnet", {"batchnorm": "no"}, "batchnorm='no': must be of type bool"),
        ("vgg_like", {"dropout": -0.5}, "dropout=-0.5: must be 0 or more"),
        ("vgg_like", {"dropout": "x"}, "dropout='x': must be of type float"),
        ("resnet18", {"blocks": [2, 2]}, "must be four counts"),
        ("resnet18", {"stem_stride": 4}, "stem_stride=4"),
        ("resnet18", {"drop_path": 1.0}, r"drop_path=1.0: must lie in \[0, 1\)"),
    ],
)
def test_bad_choices_are_refused_by_name(name: str, options: dict, message: str) -> None:
    with pytest.raises(ValueError, match=message):
        networks.create(name, **options)


@pytest.mark.parametrize(("classes", "width"), [(1, 1.0), (10, 0.0), (10, -1.0), (10, 9.0)])
def test_bad_sizes_are_refused(classes: int, width: float) -> None:
    with pytest.raises(ValueError, match=r"at least 2 classes|width=.*: must lie above 0"):
        networks.create("vgg_like", classes, width)


# --- starting weights


@pytest.mark.parametrize("name", ["convnet9", "vgg_like", "vgg16", "alexnet"])
def test_weights_start_as_in_keras(name: str) -> None:
    network = small(name)
    for layer in network.layers.values():
        module = network.get_submodule(layer.weight)
        receptive = math.prod(module.weight.shape[2:])
        bound = math.sqrt(6 / (sum(module.weight.shape[:2]) * receptive))
        largest = module.weight.abs().max()
        assert 0.8 * bound < largest <= bound
        assert not module.bias.any()


def test_he_keeps_the_size_of_activations() -> None:
    @torch.no_grad()
    def shrinkage(init: str) -> float:
        network = small("vgg16", init=init).eval()
        _, found = network.forward_features(images(), ["conv1", "conv13"])
        return float(found["conv13"].std() / found["conv1"].std())

    assert shrinkage("he") > 5 * shrinkage("glorot")
    network = small("alexnet", init="he")
    conv, dense = network.features[3], network.classifier[2]
    assert conv.weight.detach().std().item() == pytest.approx(
        math.sqrt(2 / (25 * conv.out_channels)), rel=0.05
    )
    assert dense.weight.abs().max() <= math.sqrt(6 / sum(dense.weight.shape))  # dense: Glorot


def test_same_seed_same_weights() -> None:
    one, two = small("alexnet"), small("alexnet")
    assert all(torch.equal(a, b) for a, b in zip(one.parameters(), two.parameters(), strict=True))


# --- memory

STEPS = """
from tiny_data import make_tiny
from tin_lib import recipes
from tin_lib.train import Trainer
from tin_lib.train.distributed import join
recipe = recipes.get("paper", "alexnet", batch_size=128).replace(weights=None)
trainer = Trainer(recipe, make_tiny(classes=4, per_class=24), join("cpu"))
row = trainer.epoch(1, lambda done, total, loss: None)
status = dict(line.split(":", 1) for line in open("/proc/self/status"))
print(row["train_loss"], int(status["VmHWM"].split()[0]) / 2**20)
"""


@pytest.mark.skipif(not Path("/proc/self/status").exists(), reason="peak memory is read from /proc")
def test_alexnet_trains_at_batch_128_within_3_gib() -> None:
    environment = os.environ | {
        "CUDA_VISIBLE_DEVICES": "",
        "PYTHONPATH": str(Path(__file__).parents[1]),
    }
    command = [sys.executable, "-c", STEPS]
    done = subprocess.run(command, capture_output=True, text=True, env=environment, check=True)
    loss, peak = map(float, done.stdout.split())
    assert math.isfinite(loss)
    assert peak < 3  # GiB; data, optimizer and PyTorch itself included
