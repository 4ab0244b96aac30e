"""One update: augmented batch, forward, loss, backward, penalties, optimizer, averaged weights."""

from collections.abc import Iterable
from typing import Any

import numpy as np
import torch
import torch.distributed as dist
import torch.nn.functional as F
from torch import Tensor, nn
from torch.nn.parallel import DistributedDataParallel

from tin_lib import augment, networks, penalties, predict
from tin_lib.data import TinyImageNet
from tin_lib.data.types import to_device
from tin_lib.networks.base import SIZE
from tin_lib.networks.wrapped import check_scores
from tin_lib.recipes import Recipe
from tin_lib.train.device import Compiled, autocast, kernels_tried, renderer
from tin_lib.train.distributed import World, add_up, collective, together
from tin_lib.train.losses import Objective, Target
from tin_lib.train.optim import EMA, decay_weights_, make_optimizers


class Step:
    """What an update needs: network, objective, optimizer, averaged weights, data on the device."""

    def __init__(self, recipe: Recipe, data: TinyImageNet, world: World) -> None:
        size, images = recipe.batch_size, len(data.train)
        if min(size, images) < 2 * world.size:
            raise ValueError(
                f"batch_size={size} of {images} images is too small for {world.size} processes: "
                "each needs at least 2 images a batch"
            )
        if recipe.seconds and world.size > 1:
            raise ValueError("seconds: one process only; several would disagree about the time")
        self.recipe, self.world, self.device = recipe, world, world.device
        memory = torch.channels_last if recipe.channels_last else torch.preserve_format
        self.network = make_network(recipe, data.num_classes)
        self.in_evaluation = freeze_(self.network, recipe.trainable)
        self.network.to(self.device, memory_format=memory)  # type: ignore[call-overload]
        check_sizes(self.network, recipe)
        self.elapsed, self.size = 0.0, SIZE  # seconds trained; pixels of the images now
        self.objective: nn.Module = Objective(self.network, recipe)
        self.penalties = self.objective.penalties
        if world.size > 1:
            with collective(world):
                self.objective = shared = DistributedDataParallel(self.objective)
            shared.broadcast_buffers = False  # ``evaluate`` broadcasts; an argument warns
        if recipe.compile:
            self.objective = Compiled(self.objective, recipe.compile)
        self.optimizers = make_optimizers(recipe, self.network)
        self.weights = [p for p in self.network.parameters() if p.requires_grad and p.ndim >= 2]
        self.ema = EMA(self.network, recipe.ema) if recipe.ema else None
        self.best: dict[str, Any] = {"epoch": 0, "accuracy": -1.0}  # on the held-out part
        self.mean = torch.as_tensor(data.mean, dtype=torch.float32, device=self.device)
        self.std = torch.as_tensor(data.std, dtype=torch.float32, device=self.device)
        splits = filter(None, (data.train, data.heldout, data.val))
        self.resident = {s.name: to_device(s, self.device, recipe.channels_last) for s in splits}
        self.augmenter = augment.Augmenter(recipe.augment, images, recipe.seed, data.train.labels)
        self.renderer = renderer(recipe, self.resident["train"].images, self.mean, self.std)

    def step(
        self, plan: augment.EpochPlan, span: tuple[int, int], lr: float, rng: np.random.Generator
    ) -> tuple[Tensor, Tensor | float, int]:
        """One update on this process's share of the batch ``span``: what ``Sums.add`` takes."""
        size, count = self.world.size, span[1] - span[0]
        start, stop = (span[0] + r * count // size for r in (self.world.rank, self.world.rank + 1))
        images, target = self.render(plan[start:stop], rng)
        with kernels_tried(self.device, count == self.recipe.batch_size):
            with autocast(self.recipe, self.device):
                total, sums = self.objective(images, target, (stop - start) * size / count)
            self.differentiate(total)
        return sums, self.update(lr), stop - start

    def render(self, batch: augment.EpochPlan, rng: np.random.Generator) -> tuple[Tensor, Target]:
        """The batch's images, augmented, normalised and mixed on the device, and its labels."""
        recipe, images = self.recipe, self.renderer(batch, self.size)
        labels = self.resident["train"].labels[batch.image]
        if not (recipe.mixup or recipe.cutmix):
            return images, Target(labels)
        mixing = augment.Mixing()
        if rng.random() < recipe.mix_probability:
            mixing = augment.draw_mixing(rng, recipe.mixup, recipe.cutmix, self.size)
        images, partners = augment.mix(images, labels, mixing)
        share = torch.full((), mixing.share, device=self.device)  # filled there: no wait
        return images, Target(labels, partners, share)

    def differentiate(self, total: Tensor) -> None:
        """Backward; with several processes, gradients are averaged over them."""
        with collective(self.world):
            total.backward()

    def update(self, lr: float) -> Tensor | float:
        """Apply the gradients and the penalties on weights at rate ``lr``; returns the penalty."""
        for group in [group for each in self.optimizers for group in each.param_groups]:
            group["lr"] = lr
        penalty = penalties.add_gradient_(self.network, self.penalties)
        for weight in self.weights if self.recipe.keep_zeros else ():
            if weight.grad is not None:  # 0 in momentum and averages too; decay has no effect
                weight.grad.masked_fill_(weight == 0, 0.0)
        if self.recipe.clip:
            nn.utils.clip_grad_norm_(self.network.parameters(), self.recipe.clip)
        if self.recipe.weight_decay:
            decay_weights_(self.weights, lr * self.recipe.weight_decay)
        for optimizer in self.optimizers:
            optimizer.step()
        self.network.zero_grad(set_to_none=True)
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

    def scores(self, images: Tensor, size: int = SIZE) -> Tensor:
        """Scores float32 (N, classes) of uint8 images (N,3,64,64) at a size, in float32."""
        flip = self.recipe.flip_test
        return predict.scores(self.evaluated, images, self.mean, self.std, flip, size)

    def evaluate(self, split: str) -> dict[str, float]:
        """Loss, top-1 and top-5 accuracy (0..1) of a split at the size that is trained on now (the
        network is not yet used to another), over all processes."""
        for buffer in self.evaluated.buffers():  # the first process's batchnorm statistics for all
            together(self.world, dist.broadcast, buffer, 0)
        rank, size = self.world.rank, self.world.size
        resident = self.resident[split]
        labels = resident.labels[rank::size]
        logits = self.scores(resident.images[rank::size], self.size)
        loss = F.cross_entropy(logits, labels, reduction="sum")
        correct = predict.top(logits, 5) == labels[:, None]
        sums = torch.stack([v.double() for v in (loss, correct[:, 0].sum(), correct.sum())])
        means = add_up(sums, self.world) / len(resident.labels)
        return dict(zip(("loss", "accuracy", "top5"), means.tolist(), strict=True))

    def state(self, history: list[dict[str, Any]]) -> dict[str, Any]:
        """Everything that is needed to resume."""
        optimizers = [each.state_dict() for each in self.optimizers]
        averaged = self.ema and (self.ema.network.state_dict(), self.ema.updates)
        state = {"network": self.network.state_dict(), "optimizers": optimizers}
        return state | {"averaged": averaged, "best": self.best, "history": history}

    def load(self, state: dict[str, Any]) -> list[dict[str, Any]]:
        """Restore what ``state`` returned; returns the history. KeyError if anything is missing."""
        if self.recipe.keep == "best" and "weights" not in state["best"]:
            raise KeyError("weights")
        self.network.load_state_dict(state["network"])
        for optimizer, values in zip(self.optimizers, state["optimizers"], strict=True):
            optimizer.load_state_dict(values)
        if self.ema:
            weights, self.ema.updates = state["averaged"]
            self.ema.network.load_state_dict(weights)
        self.best, history = state["best"], state["history"]
        self.elapsed = sum(row["seconds"] for row in history)
        return history


def check_sizes(network: networks.Network, recipe: Recipe) -> None:
    """Raise ValueError if the network does not take images of the recipe's ``sizes``."""
    for _, size in recipe.sizes:
        try:
            check_scores(network, network.num_classes, size)
        except ValueError as error:
            raise ValueError(
                f"sizes: {recipe.network} takes no images of {size} x {size} pixels ({error}); "
                "choose a network that ends in a mean over the map, or leave sizes empty"
            ) from error


def freeze_(network: networks.Network, trainable: Iterable[str] | None) -> list[nn.Module]:
    """Let only the layers of the given names learn; None leaves the network as it is.

    Returns the frozen modules that have buffers, which are to stay in evaluation mode. Raises
    ValueError, listing the network's layers, for an unknown name.
    """
    if trainable is None:
        return []
    layers = [network.check(name) for name in trainable]
    paths = {path for layer in layers for path in (layer.weight, *layer.modules)}
    network.requires_grad_(False)
    parts = [network.get_submodule(path).requires_grad_() for path in paths]
    learning = {each for part in parts for each in part.modules()}
    # A frozen batchnorm in training mode would still change: its statistics would follow the
    # batches. It would also normalise by the batch, and in evaluation by other values, which the
    # layers that learn would not have been trained for.
    return [m for m in network.modules() if m not in learning and list(m.buffers(recurse=False))]


def make_network(recipe: Recipe, num_classes: int) -> networks.Network:
    """The recipe's network with seeded starting weights; the global generator is not changed."""
    options: dict[str, Any] = recipe.network_options | {"weights": recipe.weights}
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(recipe.seed)
        return networks.create(recipe.network, num_classes, recipe.width, **options)
