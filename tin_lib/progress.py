"""Progress of long work: a bar for a person, lines for a log."""

import os
import sys
import time
from datetime import timedelta
from typing import Any


def say(text: str, end: str = "\n") -> None:
    """Print at once; characters outside standard output's encoding become question marks."""
    encoding = getattr(sys.stdout, "encoding", None) or "utf-8"
    print(text.encode(encoding, "replace").decode(encoding), end=end, flush=True)


class Progress:
    """What ``train.fit`` reports while it works; this one prints nothing."""

    def images(self, epoch: int, done: int, total: int, loss: float | None) -> None:
        """``done`` of the epoch's ``total`` images; mean ``loss`` so far, None if not yet known."""

    def epoch(self, row: dict[str, Any], epochs: int) -> None:
        """An epoch's history row is complete."""


class Lines(Progress):
    """One line per epoch, and within a long epoch one every ``every`` seconds."""

    def __init__(self, every: float = 30.0) -> None:
        self.every, self.first = every, 0  # first: the epoch that this process began with
        self.started = self.last = time.monotonic()

    def images(self, epoch: int, done: int, total: int, loss: float | None) -> None:
        """Print a line if ``every`` seconds have passed since the last."""
        if time.monotonic() - self.last >= self.every:
            self.last = time.monotonic()
            known = f"  loss {loss:.4f}" if loss is not None else ""
            say(f"epoch {epoch}  {done:,}/{total:,} images{known}")

    def epoch(self, row: dict[str, Any], epochs: int) -> None:
        """Print the epoch's line, with the time left, from the epochs done in this process."""
        self.last, number = time.monotonic(), row["epoch"]
        self.first = self.first or number
        seconds = (self.last - self.started) / (number - self.first + 1) * (epochs - number)
        split = {"train": "train_accuracy", "held-out": "heldout_accuracy", "val": "val_accuracy"}
        shown = [f"{label} {row[name]:.3f}" for label, name in split.items() if name in row]
        begun = f"epoch {number:>3}/{epochs}", f"loss {row['train_loss']:.4f}"
        rate, left = f"{row['images_per_second']:,.0f} images/s", timedelta(seconds=int(seconds))
        say("  ".join([*begun, *shown, rate, f"{left} left"]))


class Bars(Lines):
    """A tqdm bar for the running epoch and a line for each finished one."""

    bar: Any = None

    def images(self, epoch: int, done: int, total: int, loss: float | None) -> None:
        """Move the bar."""
        if self.bar is None:
            self.bar = open_bar(total, f"epoch {epoch}", unit="img", leave=False)
        if loss is not None:
            self.bar.set_postfix(loss=f"{loss:.4f}", refresh=False)
        self.bar.update(done - self.bar.n)

    def epoch(self, row: dict[str, Any], epochs: int) -> None:
        """Close the bar and print the epoch's line."""
        if self.bar is not None:
            complete(self.bar)
        self.bar = None
        super().epoch(row, epochs)


def open_bar(total: int, title: str, **options: Any) -> Any:
    """A tqdm bar, of the notebook's kind in a notebook."""
    from tqdm.auto import tqdm

    return tqdm(total=total, desc=title, **options)


def complete(bar: Any) -> None:
    """Close a bar at its total: below it, tqdm's notebook bar would turn red."""
    bar.n = bar.total or bar.n
    bar.refresh()
    bar.close()


def choose(progress: Progress | str | None = "auto") -> Progress:
    """``auto``: bars for a person at a terminal or in a notebook, lines in a log; None: silent."""
    if progress == "auto":
        return Bars() if interactive() else Lines()
    return Progress() if progress is None else progress  # type: ignore[return-value]


def batch_run() -> bool:
    """Whether a notebook runs unattended: by `tin run`, or in a kernel without standard input."""
    ipython = sys.modules.get("IPython")
    kernel = getattr(ipython and ipython.get_ipython(), "kernel", None)
    return bool(os.environ.get("TIN_BATCH")) or not getattr(kernel, "_allow_stdin", True)


def interactive() -> bool:
    """Whether a person watches: at a terminal or in a live notebook, and not a batch run."""
    return not batch_run() and (sys.stderr.isatty() or "ipykernel" in sys.modules)
