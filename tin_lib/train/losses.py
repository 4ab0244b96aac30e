"""The loss of a batch as one module, and an epoch's sums of losses."""

import time
from typing import NamedTuple

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from tin_lib import networks, penalties
from tin_lib.recipes import Recipe

EVERY = 0.5  # seconds between readings of the mean loss


class Target(NamedTuple):
    """Labels int64 (N,) of a batch; ``other`` and ``share`` if it was mixed (mixup, CutMix)."""

    labels: Tensor
    other: Tensor | None = None
    # float32 (): weight of ``labels``; 1 - share is that of ``other``. A tensor, since
    # torch.compile makes a new graph for every new number.
    share: Tensor | None = None


class Losses(NamedTuple):
    """``total`` is differentiated, ``sums`` are recorded; both without the penalties on weights."""

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

        ``weight``: this process's share of the batch times the number of processes, so that the
        gradients averaged over processes are the whole batch's.
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


class Sums:
    """An epoch's sums on the device: cross-entropy, penalty, correct, images. Waits for nothing."""

    def __init__(self, device: torch.device) -> None:
        cuda = device.type == "cuda"
        self.totals = torch.zeros(4, dtype=torch.float64, device=device)
        self.copy = torch.zeros(4, dtype=torch.float64, pin_memory=cuda)
        self.arrived = torch.cuda.Event() if cuda else None
        self.read = time.monotonic()

    @torch.no_grad()
    def add(self, losses: Losses, penalty: Tensor | float, count: int) -> None:
        """Add a batch of ``count`` images; ``penalty`` is that on weights."""
        self.totals[:3].add_(losses.sums)  # += would copy the slice back over itself
        self.totals[1].add_(penalty, alpha=count)
        self.totals[3].add_(count)

    def due(self) -> bool:
        """Whether EVERY seconds have passed since this was last so."""
        now = time.monotonic()
        due = now - self.read >= EVERY
        self.read = now if due else self.read
        return due

    def mean_loss(self) -> float | None:
        """Mean cross-entropy so far; None before it is known.

        On a GPU that of a copy, which travels while the next batches are computed.
        """
        if self.arrived and not self.arrived.query():  # True before the first copy, which is zeros
            return None
        loss, _, _, count = (self.copy if self.arrived else self.totals).tolist()
        if self.arrived:
            self.copy.copy_(self.totals, non_blocking=True)
            self.arrived.record()
        return loss / count if count else None
