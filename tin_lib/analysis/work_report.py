"""Progress of work that is counted, such as images or fits."""

import time
from datetime import timedelta
from typing import Any

from tin_lib import progress


class Stopped(KeyboardInterrupt):
    """Work was interrupted and can resume: how much was done, of how much, in which unit."""

    def __str__(self) -> str:
        done, total, unit = self.args
        return f"Stopped after {done:,} of {total:,} {unit}; run the command again to resume"

    def _render_traceback_(self) -> list[str]:  # IPython shows this line alone
        return [str(self).replace("command", "cell")]


class WorkReport:
    """Count done, rate and time left: a bar for a person, lines in a log; a context manager.

    A line is printed at most every ``every`` seconds, and one at the end.
    """

    def __init__(self, title: str, total: int, unit: str, every: float = 30.0) -> None:
        self.title, self.total, self.unit, self.every, self.done = title, total, unit, every, 0
        self.started = self.last = time.monotonic()
        self.bar: Any = (
            progress.open_bar(total, title, unit=unit) if progress.interactive() else None
        )

    def __enter__(self) -> "WorkReport":
        return self

    def __exit__(self, *error: Any) -> None:
        if self.bar is not None and self.done >= self.total:
            progress.complete(self.bar)
        elif self.bar is not None:
            self.bar.close()

    def add(self, count: int = 1) -> None:
        """Count what is done."""
        self.done += count
        if self.bar is not None:
            self.bar.update(count)
        elif time.monotonic() - self.last >= self.every or self.done >= self.total:
            self.last = time.monotonic()
            rate = self.done / max(self.last - self.started, 1e-9)
            left = timedelta(seconds=int((self.total - self.done) / rate))
            counts = f"{self.done:,}/{self.total:,} {self.unit}"
            progress.say(f"{self.title}: {counts}  {rate:,.3g} {self.unit}/s  {left} left")
