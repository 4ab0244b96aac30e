"""Layers and scores of any module, and of torchvision's and timm's networks."""

import sys
from pathlib import Path

import pytest
import torch
import torch.nn.functional as F
from network_toys import build, images
from torch import Tensor, nn

from tin_lib import networks
from tin_lib.analysis import filters, layers
from tin_lib.analysis.saliency.relu_modules import has_relu_modules_only

pytestmark = pytest.mark.usefixtures("own_registry")

# --- layers of any module


class Residual(nn.Module):
    """Functional and shared activations, sums in place, a gate, modules that run twice."""

    def __init__(self, num_classes: int) -> None:
        super().__init__()
        self.conv1, self.norm1 = nn.Conv2d(3, 8, 3, 2, 1), nn.BatchNorm2d(8)
        self.conv2, self.norm2 = nn.Conv2d(8, 8, 3, padding=1), nn.BatchNorm2d(8)
        self.conv3, self.act3 = nn.Conv2d(8, 6, 3, padding=1), nn.SiLU(inplace=True)
        self.gate, self.twice = nn.Conv2d(6, 6, 1), nn.Conv2d(6, 6, 3, padding=1)
        self.relu, self.head = nn.ReLU(inplace=True), nn.Linear(6, num_classes)

    def forward(self, x: Tensor) -> Tensor:
        x = self.relu(self.norm1(self.conv1(x)))
        y = self.norm2(self.conv2(x))
        y += x
        x = self.act3(self.conv3(self.relu(y)))
        x = x * self.gate(x.mean((2, 3), keepdim=True)).sigmoid()
        return self.head(self.twice(self.twice(x)).mean((2, 3)))


def test_layers_are_what_runs_once_with_what_directly_follows() -> None:
    networks.register("mine", Residual)
    network = networks.create("mine", 5).eval()
    assert {name: layer.output for name, layer in network.layers.items()} == {
        "conv1": "module.norm1",  # its ReLU runs twice
        "conv2": "module.norm2",  # what follows is changed in place first
        "conv3": "module.act3",
        "head": "module.head",
    }
    x = network.module.norm1(network.module.conv1(images())).relu()
    expected = network.module.norm2(network.module.conv2(x))
    scores, found = network.forward_features(images(), ["conv1", "conv2"])
    assert torch.equal(scores, network(images()))
    assert torch.equal(found["conv2"], expected)  # without the sum in place
    assert torch.equal(layers.activation(network, "conv2", images()), expected)
    with pytest.raises(ValueError, match="mine has no layer 'relu'; layers: conv1, conv2, conv3"):
        network.forward_features(images(), ["relu"])


def test_finding_layers_changes_nothing_and_draws_nothing() -> None:
    module, state = Residual(5).train(), torch.get_rng_state()
    module.norm2.eval()
    before = {k: v.clone() for k, v in module.state_dict().items()}
    networks.register("mine", lambda n: module)
    networks.create("mine", 5)
    assert torch.equal(torch.get_rng_state(), state)
    assert (module.training, module.norm1.training, module.norm2.training) == (True, True, False)
    assert all(p.requires_grad for p in module.parameters())
    assert all(torch.equal(v, before[k]) for k, v in module.state_dict().items())
    assert not any(m._forward_hooks or m._forward_pre_hooks for m in module.modules())


def test_scores_in_a_tuple_while_training_are_refused() -> None:
    class Auxiliary(nn.Module):
        def __init__(self, num_classes: int) -> None:
            super().__init__()
            self.head = nn.Linear(3, num_classes)

        def forward(self, x: Tensor) -> object:
            scores = self.head(x.mean((2, 3)))
            return (scores, scores) if self.training else scores

    networks.register("mine", Auxiliary)
    network = networks.create("mine", 5)
    assert network.eval()(images()).shape == (3, 5)
    with pytest.raises(ValueError, match="mine returns tuple in training mode"):
        network.train()(images())


def test_tied_weights_are_saved_and_stay_tied(tmp_path: Path) -> None:
    def tied(num_classes: int) -> nn.Module:
        one, two = nn.Conv2d(3, 3, 3, 1, 1), nn.Conv2d(3, 3, 3, 1, 1)
        two.weight = one.weight
        return nn.Sequential(one, two, nn.Flatten(), nn.Linear(3 * 64 * 64, num_classes))

    networks.register("mine", tied)
    network = networks.create("mine", 5).eval()
    networks.save(network, tmp_path / "weights.safetensors")
    again = networks.load(tmp_path / "weights.safetensors")
    assert torch.equal(again(images()), network(images()))
    assert again.module[0].weight is again.module[1].weight


# --- libraries


def test_a_torchvision_network_is_the_librarys_own() -> None:
    import torchvision

    torch.manual_seed(0)
    network = networks.create("torchvision:mobilenet_v3_small", 7).eval()
    torch.manual_seed(0)
    theirs = torchvision.models.mobilenet_v3_small(num_classes=7).eval()
    assert torch.equal(network(images()), theirs(images()))
    assert filters.find_layer(network, "last") == "features.12.0"
    assert network.layers["features.12.0"].output == "module.features.12.2"  # Hardswish
    assert networks.create("torchvision:vit_b_32", 5).layers.keys() == {"conv_proj", "heads.head"}
    for name in ("torchvision:no_such", "torchvision:fcn_resnet50"):
        with pytest.raises(ValueError, match=f"'{name}': torchvision has no such class"):
            networks.create(name)
    with pytest.raises(ValueError, match="forward pass fails on images"):
        networks.create("torchvision:inception_v3", 5, aux_logits=False, init_weights=False)


def test_timm_is_optional(monkeypatch: pytest.MonkeyPatch) -> None:
    with monkeypatch.context() as patch:
        patch.setitem(sys.modules, "timm", None)
        with pytest.raises(ValueError, match="timm is not installed: pip install timm"):
            networks.create("timm:resnet18")
    pytest.importorskip("timm")
    network = networks.create("timm:resnet10t", 5)
    assert network.eval()(images()).shape == (3, 5)
    assert networks.create("timm:vit_tiny_patch16_224", 5).options == {}
    with pytest.raises(ValueError, match="'timm:no_such': timm has no such network"):
        networks.create("timm:no_such")


def test_starting_weights_of_others_fit_by_name_except_the_output(tmp_path: Path) -> None:
    import torchvision

    theirs = torchvision.models.resnet18(num_classes=9)
    torch.save({"state_dict": theirs.state_dict(), "epoch": 3}, tmp_path / "best.pth.tar")
    weights = str(tmp_path / "best.pth.tar")
    network = networks.create("torchvision:resnet18", 5, weights=weights)
    assert network.origin == f"{weights} (output layer random)"
    state = network.module.state_dict()
    expected = {k: v for k, v in theirs.state_dict().items() if not k.startswith("fc.")}
    assert all(torch.equal(state[k], v) for k, v in expected.items())
    assert networks.create("torchvision:resnet18", 9, weights=weights).origin == weights
    with pytest.raises(ValueError, match="does not fit torchvision:resnet34"):
        networks.create("torchvision:resnet34", 9, weights=weights)


def test_functional_relus_are_seen(tmp_path: Path) -> None:
    class Functional(nn.Sequential):
        def forward(self, x: Tensor) -> Tensor:
            return super().forward(F.relu(x))

    networks.register("mine", lambda n: Functional(*build(n)))
    assert not has_relu_modules_only(networks.create("mine", 5))
    networks.register("mine", build)
    assert has_relu_modules_only(networks.create("mine", 5))
