"""One update: augmented batch, forward, loss, backward, penalties, optimizer, averaged weights.

Nothing here waits for the device.
"""

import contextlib
from typing import Any, NamedTuple

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor, nn
from torch.nn.parallel import DistributedDataParallel

from tin_lib import augment, networks, penalties
from tin_lib.data import TinyImageNet
from tin_lib.data.resident import to_device
from tin_lib.recipes import Recipe
from tin_lib.train.device import Compiled, autocast, kernels_tried, renderer
from tin_lib.train.distributed import World, collective
from tin_lib.train.optim import EMA, decay_weights_, decayed, make_optimizer


class Target(NamedTuple):
    """Labels int64 (N,) of a batch; ``other`` and ``share`` if it was mixed (mixup, CutMix)."""

    labels: Tensor
    other: Tensor | None = None
    # float32 (): weight of ``labels``; 1 - share is that of ``other``. A tensor, since
    # torch.compile makes a new graph for every new number.
    share: Tensor | None = None


class Losses(NamedTuple):
    """``total`` is differentiated, ``sums`` are recorded.

    Both without the penalties on weights, which need no graph: ``penalties.add_gradient_``.
    """

    total: Tensor
    sums: Tensor  # float32 (3,) over the batch's images: cross-entropy, penalty, correct


class Objective(nn.Module):
    """Network and loss as one module, so that torch.compile and DDP see the whole of a step."""

    def __init__(self, network: networks.Network, recipe: Recipe) -> None:
        super().__init__()
        self.network = network
        self.smoothing = recipe.label_smoothing
        self.penalties = penalties.named(recipe.penalties, recipe.network)
        self.watched = [k for k, p in self.penalties.items() if p.activity_l1 or p.activity_l2]

    def forward(self, images: Tensor, target: Target, weight: float = 1.0) -> Losses:
        """Cross-entropy and penalties on activations of normalised ``images`` (N,3,64,64).

        ``weight`` scales the mean over the batch: this process's share of the batch times their
        number, so that the gradients averaged over processes are the whole batch's.
        """
        logits, activations = self.network.forward_features(images, self.watched)
        logits = logits.float()
        entropy = self.cross_entropy(logits, target)
        activity = penalties.activity_penalty(activations, self.penalties)
        total = weight * (entropy + activity)
        # Detached as one new tensor: of two equal ones, torch.compile may return the same for both,
        # and then without its gradient (seen with torch 2.15).
        correct = (logits.argmax(1) == target.labels).sum()
        means = torch.stack([entropy, torch.zeros_like(entropy) + activity])
        return Losses(total, torch.cat([means * len(images), correct[None]]).detach())

    def cross_entropy(self, logits: Tensor, target: Target) -> Tensor:
        """Mean cross-entropy; of a mixed batch, with both labels, weighted by their shares."""
        loss = F.cross_entropy(logits, target.labels, label_smoothing=self.smoothing)
        if target.other is None or target.share is None:
            return loss
        other = F.cross_entropy(logits, target.other, label_smoothing=self.smoothing)
        return target.share * loss + (1 - target.share) * other


class Step:
    """What an update needs: network, objective, optimizer, averaged weights, training images."""

    def __init__(self, recipe: Recipe, data: TinyImageNet, world: World) -> None:
        self.recipe, self.world, self.device = recipe, world, world.device
        self.network = make_network(recipe, data.num_classes).to(self.device)
        if recipe.channels_last:
            self.network.to(memory_format=torch.channels_last)  # type: ignore[call-overload]
        objective = Objective(self.network, recipe)
        self.penalties = objective.penalties
        self.objective = wrap(objective, recipe, world)
        self.optimizer = make_optimizer(recipe, self.network)
        self.decayed = decayed(self.network)
        self.ema = EMA(self.network, recipe.ema) if recipe.ema else None
        self.best = {"epoch": 0, "accuracy": -1.0}  # on the held-out part
        self.mean = torch.as_tensor(data.mean, dtype=torch.float32, device=self.device)
        self.std = torch.as_tensor(data.std, dtype=torch.float32, device=self.device)
        self.resident = {"train": to_device(data.train, self.device, recipe.channels_last)}
        self.renderer = renderer(recipe, self.resident["train"].images, self.mean, self.std)

    def step(
        self, plan: augment.EpochPlan, span: tuple[int, int], lr: float, rng: np.random.Generator
    ) -> tuple[Losses, Tensor | float, int]:
        """One update on this process's share of the batch ``span``.

        Returns its losses, the penalty on weights, and its number of images.
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
        recipe, images = self.recipe, self.renderer(batch)
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
        with autocast(self.recipe, self.device):
            return self.objective(images, target, weight)

    def differentiate(self, losses: Losses) -> None:
        """Backward; with several processes, gradients are averaged over them."""
        with collective() if self.world.size > 1 else contextlib.nullcontext():
            losses.total.backward()

    def update(self, lr: float) -> Tensor | float:
        """Apply the gradients and the penalties on weights at rate ``lr``; returns the penalty."""
        for group in self.optimizer.param_groups:
            group["lr"] = lr
        penalty = penalties.add_gradient_(self.network, self.penalties)
        if self.recipe.clip:
            nn.utils.clip_grad_norm_(self.network.parameters(), self.recipe.clip)
        if self.recipe.weight_decay:
            decay_weights_(self.decayed, lr * self.recipe.weight_decay)
        self.optimizer.step()
        self.optimizer.zero_grad(set_to_none=True)
        if self.ema:
            self.ema.update()
        return penalty

    @property
    def evaluated(self) -> networks.Network:
        """The network that predicts: the averaged one if the recipe averages."""
        return self.ema.network if self.ema else self.network  # type: ignore[return-value]

    @property
    def compiled(self) -> str:
        """The mode of torch.compile; "" if it is off, or the reason why it failed."""
        reasons = [getattr(part, "reason", "") for part in (self.objective, self.renderer)]
        return next(filter(None, reasons), self.recipe.compile)

    def state(self, history: list[dict[str, Any]]) -> dict[str, Any]:
        """Everything that is needed to resume."""
        return {
            "network": self.network.state_dict(),
            "optimizer": self.optimizer.state_dict(),
            "averaged": self.ema and (self.ema.network.state_dict(), self.ema.updates),
            "best": self.best,
            "history": history,
        }

    def load(self, state: dict[str, Any]) -> list[dict[str, Any]]:
        """Restore what ``state`` returned; returns the history."""
        self.network.load_state_dict(state["network"])
        self.optimizer.load_state_dict(state["optimizer"])
        if self.ema:
            weights, self.ema.updates = state["averaged"]
            self.ema.network.load_state_dict(weights)
        self.best = state["best"]
        return state["history"]


def make_network(recipe: Recipe, num_classes: int) -> networks.Network:
    """The recipe's network with seeded starting weights; the global generator is not changed."""
    options: dict[str, Any] = recipe.network_options | {"weights": recipe.weights}
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(recipe.seed)
        return networks.create(recipe.network, num_classes, recipe.width, **options)


def wrap(objective: Objective, recipe: Recipe, world: World) -> nn.Module:
    """The objective for several processes and compiled, if asked."""
    module: nn.Module = objective.to(world.device)
    if world.size > 1:
        with collective():  # buffers are only needed by evaluation, see ``broadcast_buffers``
            module = DistributedDataParallel(module, broadcast_buffers=False)
    return Compiled(module, recipe.compile) if recipe.compile else module
