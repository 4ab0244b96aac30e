"""Sums of an epoch's losses, kept on the device, and its row of the history."""

import time
from typing import Any

import torch
from torch import Tensor

from tin_lib.train.step import Losses

EVERY = 0.5  # seconds between readings of the mean loss


class Sums:
    """Adds up losses without waiting for the device."""

    def __init__(self, device: torch.device) -> None:
        cuda = device.type == "cuda"
        # Sums of cross-entropy, penalty and correct; images.
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


def history_row(epoch: int, lr: float, totals: list[float], seconds: float) -> dict[str, Any]:
    """An epoch's figures from its sums."""
    names, count = ("train_loss", "penalty", "train_accuracy"), totals[-1]
    means = {name: total / count for name, total in zip(names, totals, strict=False)}
    rates = {"seconds": seconds, "images_per_second": count / seconds}
    return {"epoch": epoch, "lr": lr} | means | rates
