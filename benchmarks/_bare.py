"""The limit of ``train_step.py``: the training step alone, on one resident batch."""

from __future__ import annotations

from collections.abc import Callable

from _common import Work, timed  # isort: split

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from tin_lib.recipes import Recipe
from tin_lib.train.device import Compiled, autocast, kept_blocks, kernels_tried
from tin_lib.train.optim import make_optimizers, size_at
from tin_lib.train.step import make_network

WARM = 4  # updates that fill the kept memory; after one, later updates still cause page faults


class Bare:
    """The limit: the step alone, on one resident batch."""

    def __init__(self, recipe: Recipe, num_classes: int, device: str) -> None:
        self.recipe, self.device = recipe, torch.device(device)
        layout = torch.channels_last if recipe.channels_last else torch.contiguous_format
        self.network = make_network(recipe, num_classes).to(self.device)
        self.network.to(memory_format=layout)  # type: ignore[call-overload]
        self.network.train()
        self.optimizers = make_optimizers(recipe, self.network)
        loss: nn.Module = Loss(self.network)
        self.loss = Compiled(loss, recipe.compile) if recipe.compile else loss
        generator = torch.Generator().manual_seed(0)
        size = size_at(recipe, 0.0)
        images = torch.randn(recipe.batch_size, 3, size, size, generator=generator)
        self.images = images.to(self.device, memory_format=layout)
        labels = torch.randint(num_classes, (recipe.batch_size,), generator=generator)
        self.labels = labels.to(self.device)

    def step(self, images: Tensor, labels: Tensor) -> None:
        """One update."""
        with kernels_tried(self.device, wanted=True):
            with autocast(self.recipe, self.device):
                loss = self.loss(images, labels)
            loss.backward()
        for optimizer in self.optimizers:
            optimizer.step()
        self.network.zero_grad(set_to_none=True)

    def work(self, steps: int) -> Work:
        """``steps`` updates on the resident batch."""

        def run(steps: int = steps) -> int:
            for _ in range(steps):
                self.step(self.images, self.labels)
            return steps * len(self.images)

        return as_in_fit(run, lambda: run(WARM), self.device.type)

    def steps_within(self, seconds: float) -> int:
        """How many updates take about that long; at least two."""
        self.work(2)()  # warm-up: allocations, autotuning, compilation
        images, taken = self.work(2)()
        return max(2, round(seconds * images / taken / len(self.images)))


def as_in_fit(run: Callable[[], int], warm: Callable[[], object], device: str) -> Work:
    """``run`` timed with freed memory kept, as ``fit`` has it, after ``warm`` has filled it."""

    def work() -> tuple[int, float]:
        with kept_blocks(torch.device(device)):
            warm()
            return timed(run, device)()

    return work


class Loss(nn.Module):
    """Network and cross-entropy as one module."""

    def __init__(self, network: nn.Module) -> None:
        super().__init__()
        self.network = network

    def forward(self, images: Tensor, labels: Tensor) -> Tensor:
        """Mean loss of a batch."""
        return F.cross_entropy(self.network(images).float(), labels)
