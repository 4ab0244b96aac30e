"""Keras-style penalties on weights and activations (paper, section on networks).

λ·Σ|w| and λ·Σw² are added to the loss; λ is not halved, and biases are free. For activations, λ
times the sum over a layer's units of the batch mean of |output| and of output².
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

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


def alike(weights: float, activity: float = 0.0) -> Penalty:
    """The same λ for L1 and L2."""
    return Penalty(weights, weights, activity, activity)


_VGG16_CONVS = {
    "conv11": alike(1e-7, 1e-7),
    "conv12": alike(1e-6, 1e-6),
    "conv13": alike(1e-5, 1e-5),
}

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


def weight_penalty(network: Network, penalties: Mapping[str, Penalty]) -> Tensor:
    """Σ over layers of l1·Σ|w| + l2·Σw², a scalar without a gradient: see ``add_gradient_``.

    Raises ValueError when the network has no layer of a name.
    """
    total = torch.zeros((), device=next(network.parameters()).device)
    for name, penalty in penalties.items():
        total = total + _l1_l2(_weight(network, name).detach(), penalty.l1, penalty.l2)
    return total


@torch.no_grad()
def add_gradient_(network: Network, penalties: Mapping[str, Penalty]) -> None:
    """Add the gradient of ``weight_penalty``, l1·sign(w) + 2·l2·w, to the weights' gradients.

    In place, once a batch's own gradients are there: through autograd the same takes twice the
    passes over the weights, which are most of VGG-16.
    """
    for name, penalty in penalties.items():
        weight = _weight(network, name)
        if weight.grad is None:
            weight.grad = torch.zeros_like(weight)
        if penalty.l1:
            weight.grad.add_(weight.sign(), alpha=penalty.l1)
        if penalty.l2:
            weight.grad.add_(weight, alpha=2 * penalty.l2)


def _weight(network: Network, name: str) -> Tensor:
    """Weights of the layer of that name; ValueError where there is none."""
    return network.get_parameter(f"{network.check(name).weight}.weight")


def activity_penalty(
    activations: Mapping[str, Tensor], penalties: Mapping[str, Penalty]
) -> Tensor | float:
    """Σ over layers of λ times the sum over units of the batch mean of |a| and a².

    ``activations``: (N, C, H, W) or (N, units) by layer name; every position of a map is a unit.
    Those without a penalty count nothing; 0.0 when none has one.
    """
    total: Tensor | float = 0.0
    for name, penalty in penalties.items():
        if name in activations:
            values = activations[name]
            total = total + _l1_l2(values, penalty.activity_l1, penalty.activity_l2) / len(values)
    return total


def _l1_l2(values: Tensor, l1: float, l2: float) -> Tensor | float:
    """l1·Σ|v| + l2·Σv², added up in float32 or better."""
    return _Sums.apply(values, l1, l2) if l1 or l2 else 0.0


class _Sums(torch.autograd.Function):
    """The sums with their gradient, l1·sign(v) + 2·l2·v, without autograd's intermediate copies."""

    @staticmethod
    def forward(ctx: Any, values: Tensor, l1: float, l2: float) -> Tensor:
        rows = tuple(range(1, values.ndim))
        kind = torch.promote_types(values.dtype, torch.float32)
        absolute = values.abs().sum(dtype=kind)  # on a CPU twice as fast as vector_norm
        # Row by row (one a filter, unit or image): over all of 16 million values at once,
        # vector_norm adds in an order that loses 1.5 % in float32 on a CPU.
        squares = torch.linalg.vector_norm(values, 2, rows, dtype=kind).square().sum()
        ctx.save_for_backward(values)
        ctx.factors = l1, l2
        return l1 * absolute + l2 * squares

    @staticmethod
    def backward(ctx: Any, gradient: Tensor) -> tuple[Tensor, None, None]:
        (values,) = ctx.saved_tensors
        l1, l2 = ctx.factors
        gradient = gradient.to(values.dtype)
        return values.sign().mul_(l1 * gradient).addcmul_(values, 2 * l2 * gradient), None, None
