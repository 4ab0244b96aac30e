"""Progress of long work: a bar for a person, lines for a log."""

import os
import sys
import time
from datetime import timedelta
from typing import Any, Protocol


def say(text: str, end: str = "\n") -> None:
    """Print at once; characters outside standard output's encoding become question marks."""
    encoding = getattr(sys.stdout, "encoding", None) or "utf-8"
    print(text.encode(encoding, "replace").decode(encoding), end=end, flush=True)


class Progress(Protocol):
    """What ``train.fit`` reports while it works."""

    def images(self, epoch: int, done: int, total: int, loss: float | None) -> None:
        """``done`` of the epoch's ``total`` images; mean ``loss`` so far, None if not yet known."""

    def epoch(self, row: dict[str, Any], epochs: int) -> None:
        """An epoch's history row is complete."""


class Silent:
    """Prints nothing."""

    def images(self, *args: Any, **named: Any) -> None:
        """Nothing."""

    epoch = images


class Lines:
    """One line per epoch, and within a long epoch one every ``every`` seconds."""

    def __init__(self, every: float = 30.0) -> None:
        self.every, self.first = every, 0  # first: the epoch that this process began with
        self.started = self.last = time.monotonic()

    def images(self, epoch: int, done: int, total: int, loss: float | None) -> None:
        """Print a line if ``every`` seconds have passed since the last."""
        if time.monotonic() - self.last >= self.every:
            self.last = time.monotonic()
            suffix = "" if loss is None else f"  loss {loss:.4f}"
            say(f"epoch {epoch}  {done:,}/{total:,} images{suffix}")

    def epoch(self, row: dict[str, Any], epochs: int) -> None:
        """Print the epoch's line, with the time left, from the epochs done in this process."""
        self.last = time.monotonic()
        self.first = self.first or row["epoch"]
        seconds = (self.last - self.started) / (row["epoch"] - self.first + 1)
        say(epoch_line(row, epochs, seconds * (epochs - row["epoch"])))


class Bars:
    """A tqdm bar for the running epoch and a line for each finished one."""

    def __init__(self) -> None:
        self.bar: Any = None
        self.lines = Lines()

    def images(self, epoch: int, done: int, total: int, loss: float | None) -> None:
        """Move the bar."""
        if self.bar is None:
            self.bar = open_bar(total, f"epoch {epoch}", unit="img", leave=False)
        self.bar.update(done - self.bar.n)
        if loss is not None:
            self.bar.set_postfix(loss=f"{loss:.4f}", refresh=False)

    def epoch(self, row: dict[str, Any], epochs: int) -> None:
        """Close the bar and print the epoch's line."""
        if self.bar is not None:
            complete(self.bar)
            self.bar = None
        self.lines.epoch(row, epochs)


def percent_bar(title: str) -> Any:
    """A ``progress(done, total)`` callable: a tqdm bar for a person, a line each tenth in a log."""
    bar: Any = None
    tenth = 0

    def report(done: int, total: int) -> None:
        nonlocal bar, tenth
        if interactive():
            bar = open_bar(total, title, unit_scale=True) if bar is None else bar
            bar.update(done - bar.n)
            if done >= total > 0:
                complete(bar)
        elif total and done * 10 // total > tenth:
            tenth = done * 10 // total
            say(f"{title}: {done:,} of {total:,} ({tenth * 10} %)")

    return report


def open_bar(total: int, title: str, **options: Any) -> Any:
    """A tqdm bar, of the notebook's kind in a notebook."""
    from tqdm.auto import tqdm

    return tqdm(total=total, desc=title, **options)


def complete(bar: Any) -> None:
    """Close a bar as successful: tqdm's notebook bar turns red if it is closed below its total."""
    bar.n = bar.total or bar.n
    bar.refresh()
    bar.close()


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
    """Whether a person watches: at a terminal or in a live notebook, and not a batch run."""
    return not batch_run() and (sys.stderr.isatty() or "ipykernel" in sys.modules)


def epoch_line(row: dict[str, Any], epochs: int, left: float) -> str:
    """A history row as a line of text; ``left`` in seconds."""
    parts = [f"epoch {row['epoch']:>3}/{epochs}", f"loss {row['train_loss']:.4f}"]
    for label, split in (("train", "train"), ("held-out", "heldout"), ("val", "val")):
        if f"{split}_accuracy" in row:
            parts.append(f"{label} {row[f'{split}_accuracy']:.3f}")
    parts.append(f"{row['images_per_second']:,.0f} images/s")
    return "  ".join([*parts, f"{timedelta(seconds=int(left))} left"])
