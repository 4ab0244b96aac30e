"""Sums of an epoch's losses, kept on the device."""

import time

import torch
from torch import Tensor

from tin_lib.train.objective import Losses

EVERY = 0.5  # seconds between looks at the sums


class Running:
    """Adds up losses without waiting for the device.

    ``latest`` gives the mean loss as of a copy asked for earlier: on a GPU the copy travels while
    the next batches are computed, so that looking costs nothing.
    """

    def __init__(self, device: torch.device) -> None:
        cuda = device.type == "cuda"
        # Sums of cross-entropy, penalty and hits; images.
        self.totals = torch.zeros(4, dtype=torch.float64, device=device)
        self.copy = torch.zeros(4, dtype=torch.float64, pin_memory=cuda)
        self.arrived = torch.cuda.Event() if cuda else None
        self.asked = False
        self.looked = time.monotonic()

    @torch.no_grad()
    def add(self, losses: Losses, penalty: Tensor | float, count: int) -> None:
        """Add a batch of ``count`` images; ``penalty`` is that on weights."""
        self.totals[:3].add_(losses.sums)  # += would copy the slice back over itself
        self.totals[1].add_(penalty, alpha=count)
        self.totals[3].add_(count)

    def due(self) -> bool:
        """Whether it is time to look again."""
        now = time.monotonic()
        if now - self.looked < EVERY:
            return False
        self.looked = now
        return True

    def latest(self) -> float | None:
        """Mean loss as of the last copy that has arrived, None before the first."""
        if self.arrived is None:
            return self._mean(self.totals)
        value = self._mean(self.copy) if self.asked and self.arrived.query() else None
        if value is not None or not self.asked:
            self.copy.copy_(self.totals, non_blocking=True)
            self.arrived.record()
            self.asked = True
        return value

    @staticmethod
    def _mean(totals: Tensor) -> float:
        loss, _, _, count = totals.tolist()
        return loss / max(count, 1)
