"""Keras-style penalties on weights and activations (paper, section on networks).

λ·Σ|w| and λ·Σw² are added to the loss; λ is not halved, and biases are free. For activations, λ
times the sum over a layer's units of the batch mean of |output| and of output².
"""

from collections.abc import Mapping
from dataclasses import dataclass

import torch
from torch import Tensor

from tin_lib.networks.base import Network


@dataclass(frozen=True)
class Penalty:
    """Factors λ (0 or more) for one layer: on its weights, and on its activation after ReLU."""

    l1: float = 0.0
    l2: float = 0.0
    activity_l1: float = 0.0
    activity_l2: float = 0.0

    def __post_init__(self) -> None:
        if not all(0 <= factor < float("inf") for factor in vars(self).values()):
            raise ValueError(f"{self}: each factor must be 0 or more")


def alike(weights: float, activity: float = 0.0) -> Penalty:
    """The same λ for L1 and L2."""
    return Penalty(weights, weights, activity, activity)


_FACTORS = {"conv11": 1e-7, "conv12": 1e-6, "conv13": 1e-5}
_VGG16_CONVS = {name: alike(factor, factor) for name, factor in _FACTORS.items()}

PAPER: dict[str, dict[str, Penalty]] = {
    "convnet9": {"conv1": alike(1e-7), "dense1": alike(1e-5), "dense2": alike(1e-5)},
    "vgg_like": {"dense1": alike(1e-6), "dense2": alike(1e-5)},
    "vgg16": _VGG16_CONVS
    | {"dense1": Penalty(1e-4, 1e-5, 1e-4, 1e-5), "dense2": alike(1e-4, 1e-4)},
}

# The author's code, where it differs.
CODE = PAPER | {"vgg16": _VGG16_CONVS | {"dense1": alike(1e-4, 1e-5), "dense2": alike(1e-4, 1e-5)}}


def named(which: str, network: str) -> dict[str, Penalty]:
    """Penalties by layer: ``none``, the ``paper``'s or the author's ``code``'s.

    A network that the paper does not penalise has none. Raises ValueError for another name.
    """
    tables: dict[str, dict[str, dict[str, Penalty]]] = {"none": {}, "paper": PAPER, "code": CODE}
    if which not in tables:
        raise ValueError(f"penalties={which!r}: choose one of {', '.join(tables)}")
    return tables[which].get(network, {})


@torch.no_grad()
def add_gradient_(network: Network, penalties: Mapping[str, Penalty]) -> Tensor | float:
    """The weights' penalty Σ over layers of l1·Σ|w| + l2·Σw², a scalar; adds its gradient.

    The gradient l1·sign(w) + 2·l2·w is added in place, after the batch's own backward: autograd
    would need twice as many passes over the weights, which are most of VGG-16.
    Frozen weights are not penalised. Raises ValueError when the network has no layer of a name.
    """
    total: Tensor | float = 0.0
    for name, penalty in penalties.items():
        weight = network.get_parameter(f"{network.check(name).weight}.weight")
        if weight.requires_grad and (penalty.l1 or penalty.l2):
            sign = weight.sign()
            weight.grad = torch.zeros_like(weight) if weight.grad is None else weight.grad
            weight.grad.add_(sign, alpha=penalty.l1).add_(weight, alpha=2 * penalty.l2)
            total = total + penalty.l1 * sign.mul_(weight).sum() + penalty.l2 * _squares(weight)
    return total


def _squares(values: Tensor, kind: torch.dtype | None = None) -> Tensor:
    """Σv², row by row (one a filter, unit or image).

    Over all of 16 million values at once it loses up to 1.5 % in float32 on a CPU.
    """
    rows = tuple(range(1, values.ndim))
    return torch.linalg.vector_norm(values, 2, rows, dtype=kind).square().sum()


def activity_penalty(
    activations: Mapping[str, Tensor], penalties: Mapping[str, Penalty]
) -> Tensor | float:
    """Σ over layers of λ times the sum over units of the batch mean of |a| and a².

    ``activations``: (N, C, H, W) or (N, units) by layer name; every position of a map is a unit.
    Those without a penalty count nothing; 0.0 when none has one.
    """
    total: Tensor | float = 0.0
    for name, penalty in penalties.items():
        l1, l2 = penalty.activity_l1, penalty.activity_l2
        if name in activations and (l1 or l2):
            values = activations[name]
            kind = torch.promote_types(values.dtype, torch.float32)
            absolute = values.abs().sum(dtype=kind)  # on a CPU twice as fast as vector_norm
            total = total + (l1 * absolute + l2 * _squares(values, kind)) / len(values)
    return total
