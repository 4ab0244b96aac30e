"""Networks with fresh weights in their last layers."""

import pytest
import torch

from tin_lib import networks
from tin_lib.analysis.layers import weight
from tin_lib.analysis.reinitialised import reinitialised


@pytest.mark.parametrize("name", ["resnet18", "torchvision:squeezenet1_1"])
def test_reinitialised_resets_the_last_layers_in_the_order_they_run(name: str) -> None:
    torch.manual_seed(1)  # not the seed of the fresh weights
    network = networks.create(name, 5, **({"zero_init": False} if name == "resnet18" else {}))
    names, weights = list(network.layers), {}
    for share in (0.0, 0.5, 1.0):
        other = reinitialised(network, share)
        same = [torch.equal(weight(other, n), weight(network, n)) for n in names]
        weights[share] = same.index(False)
        assert same == sorted(same, reverse=True)
    assert weights == {0.0: len(names) - 1, 0.5: round(len(names) / 2), 1.0: 0}
