"""The training loop: one epoch over whole batches made on the device, and evaluation.

Nothing in an epoch waits for the device: losses are summed there and read once, at the end (and,
for progress, as a copy that has already arrived).
"""

import contextlib
import time
from collections.abc import Callable
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn
from torch.nn.parallel import DistributedDataParallel

from tin_lib import augment, networks, penalties
from tin_lib.data import TinyImageNet
from tin_lib.data.resident import to_device
from tin_lib.predict import evaluate
from tin_lib.recipes import Recipe
from tin_lib.train.compiled import Compiled
from tin_lib.train.distributed import World, add_up
from tin_lib.train.objective import Losses, Objective, Target
from tin_lib.train.precision import autocast
from tin_lib.train.rendering import rendering
from tin_lib.train.running import Running
from tin_lib.train.schedule import EMA, decay_weights_, decayed, lr_at, make_optimizer
from tin_lib.train.setup import kernels_tried

Tell = Callable[[int, int, float | None], None]  # done, total, loss


class Trainer:
    """All state of a fit: network, optimizer, averaged weights, and the data on the device."""

    def __init__(self, recipe: Recipe, data: TinyImageNet, world: World) -> None:
        self.recipe, self.world, self.device = recipe, world, world.device
        if min(recipe.batch_size, len(data.train)) < 2 * world.size:
            raise ValueError(
                f"batch_size={recipe.batch_size} of {len(data.train)} images is too small for "
                f"{world.size} processes: each needs at least 2 images a batch"
            )
        self.network = make_network(recipe, data.num_classes).to(self.device)
        if recipe.channels_last:
            self.network.to(memory_format=torch.channels_last)  # type: ignore[call-overload]
        objective = Objective(self.network, recipe)
        self.penalties = objective.penalties
        self.objective = wrap(objective, recipe, world)
        self.optimizer = make_optimizer(recipe, self.network)
        self.decayed = decayed(self.network)
        self.averaged = EMA(self.network, recipe.ema) if recipe.ema else None
        self.resident = {
            split.name: to_device(split, self.device, recipe.channels_last)
            for split in (data.train, data.heldout, data.val)
            if split is not None
        }
        self.mean = torch.as_tensor(data.mean, dtype=torch.float32, device=self.device)
        self.std = torch.as_tensor(data.std, dtype=torch.float32, device=self.device)
        images = self.resident["train"].images
        self.rendering = rendering(recipe, images, self.mean, self.std)
        self.augmenter = augment.Augmenter(recipe.augment, len(data.train), recipe.seed)
        self.best = {"epoch": 0, "accuracy": -1.0}  # on the held-out part

    @property
    def evaluated(self) -> networks.Network:
        """The network that predicts: the averaged one where the recipe averages."""
        return self.averaged.network if self.averaged else self.network  # type: ignore[return-value]

    @property
    def compiled(self) -> str:
        """The mode of torch.compile, "" where it is off, or why it was given up."""
        parts = (self.objective, self.rendering)
        reasons = [getattr(part, "reason", "") for part in parts]
        return next(filter(None, reasons), self.recipe.compile)

    def batches(self, items: int) -> list[tuple[int, int]]:
        """Ranges of an epoch's items; a last batch too small for batchnorm is left out."""
        size = self.recipe.batch_size
        ranges = [(start, min(start + size, items)) for start in range(0, items, size)]
        return [r for r in ranges if r[1] - r[0] >= 2 * self.world.size]

    def epoch(self, number: int, tell: Tell, steps: int | None = None) -> dict[str, Any]:
        """Train one epoch (``steps`` updates of it, if given) and return its history row."""
        started = time.perf_counter()
        self.network.train()
        seed_epoch(self.recipe.seed, number, self.world.rank)
        plan = self.augmenter.epoch(number)
        ranges = self.batches(len(plan))
        first, running = (number - 1) * len(ranges), Running(self.device)
        plan = plan.to(self.device)
        rng = np.random.default_rng((self.recipe.seed, number))  # of the mixing
        for update, (start, stop) in enumerate(ranges[:steps]):
            lr = lr_at(self.recipe, first + update, self.recipe.epochs * len(ranges))
            running.add(*self.step(plan, (start, stop), lr, rng))
            if running.due():
                tell(stop, len(plan), running.latest())
        totals = add_up(running.totals, self.world).tolist()  # the one wait for the device
        return history_row(number, lr, totals, time.perf_counter() - started)

    def step(
        self, plan: augment.EpochPlan, span: tuple[int, int], lr: float, rng: np.random.Generator
    ) -> tuple[Losses, Tensor | float, int]:
        """One update on this process's share of the batch ``span``.

        Returns its losses, the penalty on weights, and its count of images.
        """
        start, stop = self.share(span)
        images, target = self.render(plan[start:stop], rng)
        weight = (stop - start) * self.world.size / (span[1] - span[0])
        with kernels_tried(self.device, span[1] - span[0] == self.recipe.batch_size):
            losses = self.losses(images, target, weight)
            self.differentiate(losses)
        return losses, self.update(lr), stop - start

    def share(self, span: tuple[int, int]) -> tuple[int, int]:
        """This process's contiguous part of a batch."""
        start, count = span[0], span[1] - span[0]
        rank, size = self.world.rank, self.world.size
        return start + rank * count // size, start + (rank + 1) * count // size

    def render(self, batch: augment.EpochPlan, rng: np.random.Generator) -> tuple[Tensor, Target]:
        """The batch's images, augmented, normalised and mixed on the device, and its labels."""
        recipe, images = self.recipe, self.rendering(batch)
        labels = self.resident["train"].labels[batch.image]
        if not (recipe.mixup or recipe.cutmix):
            return images, Target(labels)
        mixing = augment.Mixing()
        if rng.random() < recipe.mix_probability:
            mixing = augment.draw_mixing(rng, recipe.mixup, recipe.cutmix)
        mixed = augment.mix(images, labels, mixing)
        share = torch.full((), mixing.share, device=self.device)  # filled there: no wait
        return mixed.images, Target(mixed.labels, mixed.partners, share)

    def losses(self, images: Tensor, target: Target, weight: float) -> Losses:
        """Forward, see ``Objective``."""
        with self.autocast():
            return self.objective(images, target, weight)

    def differentiate(self, losses: Losses) -> None:
        """Backward: the gradients of the total."""
        losses.total.backward()

    def update(self, lr: float) -> Tensor | float:
        """Apply the gradients at rate ``lr``, and the weights' penalties, which are returned."""
        for group in self.optimizer.param_groups:
            group["lr"] = lr
        penalty = penalties.add_gradient_(self.network, self.penalties)
        if self.recipe.clip:
            nn.utils.clip_grad_norm_(self.network.parameters(), self.recipe.clip)
        if self.recipe.weight_decay:
            decay_weights_(self.decayed, lr * self.recipe.weight_decay)
        self.optimizer.step()
        self.optimizer.zero_grad(set_to_none=True)
        if self.averaged:
            self.averaged.update()
        return penalty

    def autocast(self) -> contextlib.AbstractContextManager:
        """bf16 where the recipe and the device have it."""
        return autocast(self.recipe, self.device)

    def evaluate(self, split: str) -> dict[str, float]:
        """Loss, top-1 and top-5 accuracy (0..1) of a split, over all processes."""
        resident = self.resident[split]
        with self.autocast():
            totals = evaluate(self.evaluated, resident, self.mean, self.std, self.world)
        loss, correct, top5, count = add_up(totals, self.world).tolist()
        return {"loss": loss / count, "accuracy": correct / count, "top5": top5 / count}

    def state(self) -> dict[str, Any]:
        """All that an interrupted fit needs to go on."""
        averaged = self.averaged and (self.averaged.network.state_dict(), self.averaged.updates)
        return {
            "network": self.network.state_dict(),
            "optimizer": self.optimizer.state_dict(),
            "averaged": averaged,
            "best": self.best,
        }

    def load(self, state: dict[str, Any]) -> None:
        """Bring back what ``state`` gave."""
        self.network.load_state_dict(state["network"])
        self.optimizer.load_state_dict(state["optimizer"])
        self.best = state["best"]
        if self.averaged:
            weights, self.averaged.updates = state["averaged"]
            self.averaged.network.load_state_dict(weights)


def make_network(recipe: Recipe, num_classes: int) -> networks.Network:
    """The recipe's network with its seeded starting weights; the global generator is left alone."""
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(recipe.seed)
        return networks.create(
            recipe.network,
            num_classes,
            recipe.width,
            weights=recipe.weights,
            **recipe.network_options,
        )


def wrap(objective: Objective, recipe: Recipe, world: World) -> nn.Module:
    """The objective for many processes and compiled, as asked."""
    module: nn.Module = objective.to(world.device)
    if world.size > 1:
        module = DistributedDataParallel(module)
    return Compiled(module, recipe.compile) if recipe.compile else module


def hash_seed(seed: int, epoch: int) -> int:
    """One number from two, so that every epoch has its own generator and a resumed one the same."""
    return (seed * 1_000_003 + epoch) % 2**63


def seed_epoch(seed: int, epoch: int, rank: int) -> None:
    """Seed dropout for an epoch; ranks differ, so that they do not drop the same units."""
    torch.manual_seed(hash_seed(hash_seed(seed, epoch), rank))


def history_row(epoch: int, lr: float, totals: list[float], seconds: float) -> dict[str, Any]:
    """An epoch's figures from its sums."""
    entropy, penalty, correct, count = totals
    return {
        "epoch": epoch,
        "lr": lr,
        "train_loss": entropy / count,
        "penalty": penalty / count,
        "train_accuracy": correct / count,
        "seconds": seconds,
        "images_per_second": count / seconds,
    }
