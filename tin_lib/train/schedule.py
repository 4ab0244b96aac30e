"""Learning rates, optimizers and averaged weights."""

import copy
import math
from collections.abc import Iterable

import torch
from torch import nn

from tin_lib.recipes import Recipe


def lr_at(recipe: Recipe, update: int, updates: int) -> float:
    """Learning rate of update ``update`` (from 0) of ``updates``.

    Keras's decay divides by 1 + decay × update; warm-up rises linearly; ``cosine`` and ``linear``
    fall to zero at the last update.
    """
    lr = recipe.lr / (1.0 + recipe.decay * update)
    start = recipe.warmup * updates
    if update < start:
        return lr * (update + 1) / (start + 1)
    if recipe.schedule == "constant":
        return lr
    gone = (update - start) / max(updates - start, 1)
    return (
        lr * (1 - gone) if recipe.schedule == "linear" else lr * (1 + math.cos(math.pi * gone)) / 2
    )


def decayed(network: nn.Module) -> list[nn.Parameter]:
    """Parameters that weight decay shrinks: matrices and kernels, not biases and norms."""
    return [p for p in network.parameters() if p.requires_grad and p.ndim >= 2]


def make_optimizer(recipe: Recipe, network: nn.Module) -> torch.optim.Optimizer:
    """The recipe's optimizer, fused. Weight decay is ``decay_weights_``, decoupled."""
    parameters = [p for p in network.parameters() if p.requires_grad]
    if recipe.optimizer == "adamw":
        return torch.optim.AdamW(parameters, lr=recipe.lr, weight_decay=0.0, fused=True)
    return torch.optim.SGD(
        parameters, lr=recipe.lr, momentum=recipe.momentum, nesterov=recipe.nesterov, fused=True
    )


def decay_weights_(parameters: Iterable[torch.Tensor], factor: float) -> None:
    """Multiply weights in place by 1 - factor (Loshchilov & Hutter, 2019: decoupled decay)."""
    with torch.no_grad():
        torch._foreach_mul_(list(parameters), 1.0 - factor)


class EMA:
    """Exponential moving average of a network's weights and of its batchnorm statistics.

    The statistics are averaged too: those of the network as it is now would not fit the averaged
    weights while the rate is high. Counts are copied. The decay starts low,
    min(decay, (1 + updates) / (10 + updates)), so that early weights fade.
    """

    def __init__(self, network: nn.Module, decay: float) -> None:
        self.decay, self.updates = decay, 0
        self.network = copy.deepcopy(network).requires_grad_(False)
        # Listed once, since looking through all modules at every update would take time.
        self.values = state(network, floats=True), state(self.network, floats=True)
        self.counts = state(network, floats=False), state(self.network, floats=False)

    @torch.no_grad()
    def update(self) -> None:
        """Move the average towards the network."""
        weight = 1.0 - min(self.decay, (1 + self.updates) / (10 + self.updates))
        theirs, mine = self.values
        torch._foreach_lerp_(mine, theirs, weight)
        theirs, mine = self.counts
        if mine:
            torch._foreach_copy_(mine, theirs)
        self.updates += 1


def state(network: nn.Module, floats: bool) -> list[torch.Tensor]:
    """What a network has learnt (``floats``), or what it has counted."""
    values = [*network.parameters(), *network.buffers()]
    return [value for value in values if value.is_floating_point() == floats]
