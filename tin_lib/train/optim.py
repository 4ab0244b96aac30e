"""Learning rates, optimizers, weight decay and averaged weights."""

import copy
import math
from collections.abc import Iterable

import torch
from torch import nn

from tin_lib.recipes import Recipe


def lr_at(recipe: Recipe, update: int, updates: int) -> float:
    """Learning rate of update ``update`` (from 0) of ``updates``; it ends at 0 unless constant."""
    lr = recipe.lr / (1.0 + recipe.decay * update)
    warmup = recipe.warmup * updates
    if update < warmup:
        return lr * (update + 1) / (warmup + 1)
    if recipe.schedule == "constant":
        return lr
    peak = math.ceil(warmup)  # the first update after warm-up
    done = (update - peak) / max(updates - 1 - peak, 1)
    return lr * (1 - done if recipe.schedule == "linear" else (1 + math.cos(math.pi * done)) / 2)


def make_optimizer(recipe: Recipe, network: nn.Module) -> torch.optim.Optimizer:
    """The recipe's optimizer, fused. Weight decay is decoupled: ``decay_weights_``."""
    parameters = [p for p in network.parameters() if p.requires_grad]
    if recipe.optimizer == "adamw":
        return torch.optim.AdamW(parameters, lr=recipe.lr, weight_decay=0.0, fused=True)
    nesterov = recipe.nesterov
    return torch.optim.SGD(parameters, recipe.lr, recipe.momentum, nesterov=nesterov, fused=True)


def decay_weights_(parameters: Iterable[torch.Tensor], factor: float) -> None:
    """Multiply weights in place by 1 - factor (Loshchilov & Hutter, 2019: decoupled decay)."""
    with torch.no_grad():
        torch._foreach_mul_(list(parameters), 1.0 - factor)


class EMA:
    """Moving average of weights and batchnorm statistics: decay min(decay, (1 + n) / (10 + n))."""

    def __init__(self, network: nn.Module, decay: float) -> None:
        self.decay, self.updates = decay, 0
        self.network = copy.deepcopy(network).requires_grad_(False)
        pair = self.network, network  # listed once: searching modules at every update takes time
        self.values = [tensors(module, floats=True) for module in pair]
        self.counts = [tensors(module, floats=False) for module in pair]

    @torch.no_grad()
    def update(self) -> None:
        """Move the average towards the network."""
        weight = 1.0 - min(self.decay, (1 + self.updates) / (10 + self.updates))
        torch._foreach_lerp_(self.values[0], self.values[1], weight)
        if self.counts[0]:
            torch._foreach_copy_(self.counts[0], self.counts[1])
        self.updates += 1


def tensors(network: nn.Module, floats: bool) -> list[torch.Tensor]:
    """Parameters and buffers of floating-point type, or (``floats=False``) the others."""
    values = [*network.parameters(), *network.buffers()]
    return [value for value in values if value.is_floating_point() == floats]
