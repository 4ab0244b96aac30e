"""Learning rates, optimizers and averaged weights."""

import copy
import math
from collections.abc import Iterable

import torch
from torch import nn

from tin_lib.recipes import Recipe


def rate(recipe: Recipe, update: int, updates: int) -> float:
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
    """The recipe's optimizer, fused. Its weight decay is left to ``shrink``, decoupled for both."""
    parameters = [p for p in network.parameters() if p.requires_grad]
    if recipe.optimizer == "adamw":
        return torch.optim.AdamW(parameters, lr=recipe.lr, weight_decay=0.0, fused=True)
    return torch.optim.SGD(
        parameters, lr=recipe.lr, momentum=recipe.momentum, nesterov=recipe.nesterov, fused=True
    )


def shrink(parameters: Iterable[torch.Tensor], factor: float) -> None:
    """Multiply weights in place by 1 - factor (Loshchilov & Hutter, 2019: decoupled decay)."""
    with torch.no_grad():
        torch._foreach_mul_(list(parameters), 1.0 - factor)


Pairs = tuple[list[torch.Tensor], list[torch.Tensor]]  # sources and targets


def by_type(pairs: list[tuple[torch.Tensor, torch.Tensor]]) -> list[Pairs]:
    """Sources and targets in lists of one type each, which a GPU copies in one kernel."""
    kinds = dict.fromkeys(source.dtype for source, _ in pairs)
    groups = [[pair for pair in pairs if pair[0].dtype == kind] for kind in kinds]
    return [([s for s, _ in group], [t for _, t in group]) for group in groups]


class Averaged:
    """Exponential moving average of a network's weights; its buffers are copied.

    The decay starts low, min(decay, (1 + updates) / (10 + updates)), so that early weights fade.
    """

    def __init__(self, network: nn.Module, decay: float) -> None:
        self.decay, self.updates = decay, 0
        self.network = copy.deepcopy(network).requires_grad_(False)
        # Listed once, since looking through all modules at every update would take time.
        self.weights: Pairs = [*network.parameters()], [*self.network.parameters()]
        buffers = zip(network.buffers(), self.network.buffers(), strict=True)
        self.buffers = by_type(list(buffers))

    @torch.no_grad()
    def update(self) -> None:
        """Move the average towards the network."""
        weight = 1.0 - min(self.decay, (1 + self.updates) / (10 + self.updates))
        theirs, mine = self.weights
        torch._foreach_lerp_(mine, theirs, weight)
        for theirs, mine in self.buffers:
            torch._foreach_copy_(mine, theirs)
        self.updates += 1
