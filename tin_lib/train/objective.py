"""Network and loss as one module, so that torch.compile and DDP see the whole of a step."""

from typing import NamedTuple

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from tin_lib import penalties
from tin_lib.networks import Network
from tin_lib.recipes import Recipe


class Target(NamedTuple):
    """Labels int64 (N,) of a batch; ``other`` and ``share`` when it was mixed (mixup, CutMix)."""

    labels: Tensor
    other: Tensor | None = None
    # float32 (): weight of ``labels``, the rest is ``other``'s. A tensor, since torch.compile makes
    # a new graph for every new number.
    share: Tensor | None = None


class Losses(NamedTuple):
    """``total`` is differentiated, ``sums`` are for the record.

    Both without the penalties on weights, which need no graph: ``penalties.add_gradient_``.
    """

    total: Tensor
    sums: Tensor  # float32 (3,) over the batch's images: cross-entropy, penalty, hits


class Objective(nn.Module):
    """Loss of a batch: cross-entropy plus Keras-style penalties on activations."""

    def __init__(self, network: Network, recipe: Recipe) -> None:
        super().__init__()
        self.network = network
        self.smoothing = recipe.label_smoothing
        self.penalties = penalties.named(recipe.penalties, recipe.network)
        self.watched = [k for k, p in self.penalties.items() if p.activity_l1 or p.activity_l2]

    def forward(self, images: Tensor, target: Target, weight: float = 1.0) -> Losses:
        """Losses of normalised ``images`` (N,3,64,64).

        ``weight`` scales what is a mean over the batch: with many processes, this one's share of
        the batch times their number, so that averaged gradients are the whole batch's.
        """
        logits, activations = self.network.forward_features(images, self.watched)
        logits = logits.float()
        entropy = self.cross_entropy(logits, target)
        activity = penalties.activity_penalty(activations, self.penalties)
        total = weight * (entropy + activity)
        # Detached as one new tensor: of two equal ones, torch.compile may give the same for both,
        # and then without its gradient (seen with torch 2.15).
        hits = (logits.argmax(1) == target.labels).sum()
        means = torch.stack([entropy, torch.zeros_like(entropy) + activity])
        return Losses(total, torch.cat([means * len(images), hits[None]]).detach())

    def cross_entropy(self, logits: Tensor, target: Target) -> Tensor:
        """Mean cross-entropy, of both labels by their shares when the batch was mixed."""
        loss = F.cross_entropy(logits, target.labels, label_smoothing=self.smoothing)
        if target.other is None or target.share is None:
            return loss
        other = F.cross_entropy(logits, target.other, label_smoothing=self.smoothing)
        return target.share * loss + (1 - target.share) * other
