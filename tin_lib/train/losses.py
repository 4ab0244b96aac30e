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
    share: Tensor | None = None  # float32 (), of ``labels``: of a number torch.compile makes graphs


class Objective(nn.Module):
    """Network and loss as one module, so that torch.compile and DDP see the whole of a step."""

    def __init__(self, network: networks.Network, recipe: Recipe) -> None:
        super().__init__()
        self.network = network
        self.smoothing = recipe.label_smoothing
        table = penalties.named(recipe.penalties, recipe.network)
        self.penalties = {k: p for k, p in table.items() if k in (recipe.trainable or table)}
        self.watched = [k for k, p in self.penalties.items() if p.activity_l1 or p.activity_l2]

    def forward(self, images: Tensor, target: Target, weight: float = 1.0) -> tuple[Tensor, Tensor]:
        """Losses of normalised ``images`` (N,3,64,64), without the penalties on weights.

        Returns what is differentiated, and what is recorded: float32 (3,), sums over the images of
        cross-entropy, penalty, correct.
        ``weight``: this process's share of the batch × processes, which average their gradients.
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
        return total, torch.cat([means * len(images), correct[None]]).detach()

    def cross_entropy(self, logits: Tensor, target: Target) -> Tensor:
        """Mean cross-entropy; of a mixed batch, with both labels, weighted by their shares."""
        loss = lambda labels: F.cross_entropy(logits, labels, label_smoothing=self.smoothing)
        if target.share is None:
            return loss(target.labels)
        return target.share * loss(target.labels) + (1 - target.share) * loss(target.other)


class Sums:
    """An epoch's sums on the device: cross-entropy, penalty, correct, images. Waits for nothing."""

    def __init__(self, device: torch.device) -> None:
        self.totals = torch.zeros(4, dtype=torch.float64, device=device)
        self.copy = torch.zeros(4, dtype=torch.float64, pin_memory=device.type == "cuda")
        self.read = time.monotonic()

    @torch.no_grad()
    def add(self, sums: Tensor, penalty: Tensor | float, count: int) -> None:
        """Add a batch of ``count`` images; ``penalty`` is that on weights."""
        self.totals[:3].add_(sums)  # += would copy the slice back over itself
        self.totals[1].add_(penalty, alpha=count)
        self.totals[3].add_(count)

    def due(self) -> bool:
        """Whether EVERY seconds have passed since this was last so."""
        now = time.monotonic()
        due = now - self.read >= EVERY
        self.read = now if due else self.read
        return due

    def mean_loss(self) -> float | None:
        """Mean cross-entropy at the last reading, None at the first; the next copy is requested."""
        loss, _, _, count = self.copy.tolist()
        self.copy.copy_(self.totals, non_blocking=True)  # arrives while batches are computed
        return loss / count if count else None
