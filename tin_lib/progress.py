"""Progress of long work: a bar for a person, lines for a log."""

import os
import sys
import time
from typing import Any, Protocol


class Progress(Protocol):
    """What ``train.fit`` tells while it works."""

    def images(self, epoch: int, done: int, total: int, loss: float | None) -> None:
        """``done`` of the epoch's ``total`` images; ``loss`` so far, None where not known yet."""

    def epoch(self, row: dict[str, Any], epochs: int) -> None:
        """An epoch's history row is complete."""


class Silent:
    """Says nothing."""

    def images(self, epoch: int, done: int, total: int, loss: float | None) -> None:
        """Nothing."""

    def epoch(self, row: dict[str, Any], epochs: int) -> None:
        """Nothing."""


class Lines:
    """One line an epoch, and one every ``every`` seconds within a long epoch."""

    def __init__(self, every: float = 30.0) -> None:
        self.every = every
        self.started = self.last = time.monotonic()
        self.begun_at: int | None = None

    def images(self, epoch: int, done: int, total: int, loss: float | None) -> None:
        """A line when ``every`` seconds have passed since the last."""
        if time.monotonic() - self.last < self.every:
            return
        self.last = time.monotonic()
        told = "" if loss is None else f"  loss {loss:.4f}"
        print(f"epoch {epoch}  {done:,}/{total:,} images{told}", flush=True)

    def epoch(self, row: dict[str, Any], epochs: int) -> None:
        """The epoch's line."""
        self.last = time.monotonic()
        self.begun_at = row["epoch"] - 1 if self.begun_at is None else self.begun_at
        print(epoch_line(row, epochs, self.left(row, epochs)), flush=True)

    def left(self, row: dict[str, Any], epochs: int) -> float:
        """Seconds left, from the epochs done in this process."""
        done = row["epoch"] - (self.begun_at or 0)
        return (time.monotonic() - self.started) / max(done, 1) * (epochs - row["epoch"])


class Bars:
    """A tqdm bar for the running epoch and a line for each finished one."""

    def __init__(self) -> None:
        self.bar: Any = None
        self.lines = Lines()

    def images(self, epoch: int, done: int, total: int, loss: float | None) -> None:
        """Move the bar."""
        if self.bar is None:
            from tqdm.auto import tqdm

            self.bar = tqdm(total=total, desc=f"epoch {epoch}", unit="img", leave=False)
        self.bar.update(done - self.bar.n)
        if loss is not None:
            self.bar.set_postfix(loss=f"{loss:.4f}", refresh=False)

    def epoch(self, row: dict[str, Any], epochs: int) -> None:
        """Close the bar and print the epoch's line."""
        if self.bar is not None:
            self.bar.close()
            self.bar = None
        self.lines.epoch(row, epochs)


def choose(progress: "Progress | str | None" = "auto") -> Progress:
    """``auto``: bars for a person at a terminal or in a notebook, lines in a log; None: silent."""
    if progress is None:
        return Silent()
    if progress != "auto":
        return progress  # type: ignore[return-value]
    return Bars() if interactive() else Lines()


def batch_run() -> bool:
    """Whether a notebook runs unattended: under `tin run`, papermill or nbconvert.

    Those execute cells in a kernel without standard input; JupyterLab's kernels have one.
    """
    if os.environ.get("TIN_BATCH"):
        return True
    if "IPython" not in sys.modules:
        return False
    from IPython import get_ipython

    kernel = getattr(get_ipython(), "kernel", None)
    return kernel is not None and not getattr(kernel, "_allow_stdin", True)


def interactive() -> bool:
    """Whether a person looks on: a terminal or a live notebook, and not a batch run."""
    return not batch_run() and (sys.stderr.isatty() or "ipykernel" in sys.modules)


def epoch_line(row: dict[str, Any], epochs: int, left: float) -> str:
    """One history row as a line of text."""
    parts = [f"epoch {row['epoch']:>3}/{epochs}", f"loss {row['train_loss']:.4f}"]
    parts.append(f"train {row['train_accuracy']:.3f}")
    for key, label in (("heldout_accuracy", "held-out"), ("val_accuracy", "val")):
        if row.get(key) is not None:
            parts.append(f"{label} {row[key]:.3f}")
    parts += [f"{row['images_per_second']:,.0f} images/s", f"{clock(left)} left"]
    return "  ".join(parts)


def clock(seconds: float) -> str:
    """Seconds as h:mm:ss or m:ss."""
    minutes, second = divmod(int(seconds), 60)
    hours, minute = divmod(minutes, 60)
    return f"{hours}:{minute:02}:{second:02}" if hours else f"{minute}:{second:02}"


def percent_bar(title: str) -> Any:
    """A ``progress(done, total)`` callable: a tqdm bar for a person, a line each tenth in a log."""
    return _Counter(title)


class _Counter:
    def __init__(self, title: str) -> None:
        self.title, self.bar, self.tenth = title, None, 0

    def __call__(self, done: int, total: int) -> None:
        if interactive():
            self._move(done, total)
        elif total and done * 10 // total > self.tenth:
            self.tenth = done * 10 // total
            print(f"{self.title}: {done:,} of {total:,} ({self.tenth * 10} %)", flush=True)

    def _move(self, done: int, total: int) -> None:
        if self.bar is None:
            from tqdm.auto import tqdm

            self.bar = tqdm(total=total, desc=self.title, unit_scale=True)  # type: ignore[assignment]
        self.bar.update(done - self.bar.n)  # type: ignore[attr-defined]
        if done >= total:
            self.bar.close()  # type: ignore[attr-defined]
