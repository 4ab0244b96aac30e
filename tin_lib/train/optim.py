"""Learning rates, optimizers, weight decay and averaged weights."""

import copy
import math
from collections.abc import Iterable

import torch
from torch import nn

from tin_lib.networks.base import SIZE, Network
from tin_lib.recipes import Recipe


def lr_at(recipe: Recipe, update: float, updates: int) -> float:
    """Learning rate of update ``update`` (from 0) of ``updates``; it ends at 0 unless constant."""
    lr = recipe.lr / (1.0 + recipe.decay * update)
    warmup = recipe.warmup * updates
    if update < warmup:
        return lr * (update + 1) / (warmup + 1)
    if recipe.schedule == "constant":
        return lr
    peak = math.ceil(warmup)  # the first update after warm-up
    done = min((update - peak) / max(updates - 1 - peak, 1), 1.0)
    return lr * (1 - done if recipe.schedule == "linear" else (1 + math.cos(math.pi * done)) / 2)


def size_at(recipe: Recipe, share: float) -> int:
    """Height and width of the training images, in pixels, after a share (0..1) of the training."""
    return next((size for until, size in recipe.sizes if share < until), SIZE)


def make_optimizers(recipe: Recipe, network: Network) -> list[torch.optim.Optimizer]:
    """The recipe's optimizers, fused. Weight decay is decoupled: ``decay_weights_``.

    Muon (Jordan et al., 2024) orthogonalises a weight's momentum, so that all directions are learnt
    at the same speed: fewer and larger batches do. It moves filters and matrices but those of the
    first and the last layer, which are AdamW's with all else, as Jordan advises. Its steps have the
    root mean square of AdamW's (Liu et al., 2025), so that one learning rate serves both.
    """
    learning = [p for p in network.parameters() if p.requires_grad]
    if recipe.optimizer == "sgd":
        momentum, nesterov = recipe.momentum, recipe.nesterov
        return [torch.optim.SGD(learning, recipe.lr, momentum, nesterov=nesterov, fused=True)]
    hidden = hidden_weights(network) if recipe.optimizer == "muon" else set()
    muon = [p for p in learning if p in hidden]
    rest = [p for p in learning if p not in hidden]
    adamw = [torch.optim.AdamW(rest, recipe.lr, weight_decay=0.0, fused=True)] if rest else []
    return [*adamw, Muon(muon, recipe)] if muon else [*adamw]


def hidden_weights(network: Network) -> set[nn.Parameter]:
    """Filters and matrices but those of the first and the last layer."""
    layers = list(network.layers.values())
    ends = [network.get_submodule(each.weight).weight for each in layers[:1] + layers[-1:]]
    return {p for p in network.parameters() if p.ndim in (2, 4)}.difference(ends)


class Muon(getattr(torch.optim, "Muon", object)):  # type: ignore[misc]
    """torch's Muon, which takes matrices alone, for filters too: as matrices in the same memory."""

    def __init__(self, weights: list[nn.Parameter], recipe: Recipe) -> None:
        if not hasattr(torch.optim, "Muon"):
            raise ValueError(f"optimizer='muon' needs torch 2.9 or newer, not {torch.__version__}")
        self.weights = weights
        self.matrices = [nn.Parameter(as_matrix(p.detach())) for p in weights]
        options = {"momentum": recipe.momentum, "nesterov": recipe.nesterov, "weight_decay": 0.0}
        super().__init__(self.matrices, recipe.lr, adjust_lr_fn="match_rms_adamw", **options)

    def step(self, closure: None = None) -> None:
        """Change the weights by their gradients."""
        for weight, matrix in zip(self.weights, self.matrices, strict=True):
            matrix.grad = None if weight.grad is None else as_matrix(weight.grad)
        super().step()


def as_matrix(weight: torch.Tensor) -> torch.Tensor:
    """Filters (K, C, h, w) as (K, inputs), a view in either memory format: the order of a row's
    inputs does not matter to Muon."""
    if weight.ndim == 4 and not weight.is_contiguous():
        weight = weight.permute(0, 2, 3, 1)
    return weight.flatten(1)


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
