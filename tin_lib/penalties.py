"""Keras-style penalties on weights and activations (paper, section on networks).

λ·Σ|w| and λ·Σw² are added to the loss; λ is not halved. For activations, λ times the sum over a
layer's units of the batch mean of |output| and of output².
"""

from collections.abc import Mapping
from dataclasses import dataclass

import torch
from torch import Tensor

from tin_lib.networks.base import Network


@dataclass(frozen=True)
class Penalty:
    """Factors λ for one layer: on its weights (biases are free) and on its activation."""

    l1: float = 0.0
    l2: float = 0.0
    activity_l1: float = 0.0
    activity_l2: float = 0.0


def alike(factor: float, activity: float = 0.0) -> Penalty:
    """The same λ for L1 and L2."""
    return Penalty(factor, factor, activity, activity)


def _vgg16(dense1: Penalty, dense2: Penalty) -> dict[str, Penalty]:
    convs = {f"conv{11 + i}": alike(10.0 ** (i - 7), 10.0 ** (i - 7)) for i in range(3)}
    return convs | {"dense1": dense1, "dense2": dense2}


PENALTIES: dict[tuple[str, str], dict[str, Penalty]] = {
    ("paper", "convnet9"): {
        "conv1": alike(1e-7),
        "dense1": alike(1e-5),
        "dense2": alike(1e-5),
    },
    ("paper", "vgg_like"): {"dense1": alike(1e-6), "dense2": alike(1e-5)},
    ("paper", "vgg16"): _vgg16(
        Penalty(1e-4, 1e-5, 1e-4, 1e-5),
        alike(1e-4, 1e-4),
    ),
    # The author's code: weights 1e-4, activations 1e-5 on both dense layers.
    ("code", "vgg16"): _vgg16(alike(1e-4, 1e-5), alike(1e-4, 1e-5)),
}


def named(which: str, network: str) -> dict[str, Penalty]:
    """Penalties of a network: ``none``, the ``paper``'s or the author's ``code``'s.

    The code differs from the paper only for vgg16; networks the paper does not penalise have none.
    """
    if which == "none":
        return {}
    return PENALTIES.get((which, network), PENALTIES.get(("paper", network), {}))


def weight_penalty(network: Network, penalties: Mapping[str, Penalty]) -> Tensor:
    """Σ over layers of l1·Σ|w| + l2·Σw², a scalar with a gradient."""
    total = torch.zeros((), device=next(network.parameters()).device)
    for name, penalty in penalties.items():
        weight = network.get_submodule(network.layers[name].weight).weight.float()
        if penalty.l1:
            total = total + penalty.l1 * weight.abs().sum()
        if penalty.l2:
            total = total + penalty.l2 * weight.square().sum()
    return total


def activity_penalty(
    activations: Mapping[str, Tensor], penalties: Mapping[str, Penalty]
) -> Tensor | float:
    """Σ over layers of λ times the sum over units of the batch mean of |a| and a².

    ``activations``: (N, C, H, W) or (N, units) by layer name. 0.0 without any.
    """
    total: Tensor | float = 0.0
    for name, activation in activations.items():
        penalty, values = penalties[name], activation.float()
        if penalty.activity_l1:
            total = total + penalty.activity_l1 * values.abs().sum() / len(values)
        if penalty.activity_l2:
            total = total + penalty.activity_l2 * values.square().sum() / len(values)
    return total
