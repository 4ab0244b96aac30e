"""Networks: options, starting weights and memory as documented."""

import json
import math
import os
import subprocess
import sys
from pathlib import Path

import pytest
import torch
from network_toys import NAMES, RESIDUAL, convolutions, images, small
from torch import nn

from tin_lib import networks
from tin_lib.analysis.layer_table import layer_table


def rates(network: nn.Module) -> list[float]:
    return [m.p for m in network.modules() if isinstance(m, nn.Dropout)]


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
