"""Interrupting a fit."""

from typing import Any

from tin_lib.progress import Progress


class CutOff(Progress):
    """Interrupts after an epoch, as Ctrl-C would."""

    def __init__(self, after: int) -> None:
        self.after = after

    def epoch(self, row: dict[str, Any], epochs: int) -> None:
        if row["epoch"] == self.after:
            raise KeyboardInterrupt
