"""What all networks share: evaluation mode and initial weights."""

import contextlib

import pytest
import torch
from torch import nn

from tin_lib import networks
from tin_lib.networks.base import evaluation_mode, initialise


@pytest.mark.parametrize("gradients", [True, False])
def test_evaluation_mode_restores_every_mode_and_flag(gradients: bool) -> None:
    network = networks.create("convnet9", 5, 0.1).train()
    frozen = next(network.parameters()).requires_grad_(False)
    network.features[1].eval()
    with contextlib.suppress(KeyError), evaluation_mode(network, gradients) as device:
        assert device.type == "cpu"
        assert not any(module.training for module in network.modules())
        assert any(p.requires_grad for p in network.parameters()) is gradients
        raise KeyError
    assert [m for m in network.modules() if not m.training] == [network.features[1]]
    assert [p for p in network.parameters() if not p.requires_grad] == [frozen]


@pytest.mark.parametrize("init", ["he", "glorot"])
@pytest.mark.parametrize("groups", [1, 4, 64])
def test_initial_weights_count_the_outputs_of_one_group(init: str, groups: int) -> None:
    torch.manual_seed(0)
    conv = nn.Conv2d(64, 256, 3, groups=groups)
    initialise(conv, init)
    fan_in, fan_out = 9 * 64 / groups, 9 * 256 / groups
    variance = 2 / fan_out if init == "he" else 2 / (fan_in + fan_out)
    assert conv.weight.var().item() == pytest.approx(variance, rel=0.1)
