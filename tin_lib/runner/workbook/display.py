"""What ``tin run`` prints: each step's start and end, and the progress of those that run."""

import re
import shutil
import sys
import time
from collections.abc import Iterable, Sequence
from pathlib import Path

from tin_lib.lab.formatting import shorten
from tin_lib.runner.workbook.options import BLOCKED, FAILED, OK, Outcome

EVERY = 30.0  # seconds between lines of one step's progress in a log
# Lines of progress.Lines, `epoch 3/17 …`, and of WorkReport, `training: 3/54 fits …`.
PROGRESS = re.compile(rb"^(epoch +\d|[\w ]+: [\d,]+/[\d,]+ ).*", re.MULTILINE)
TAIL = 4096  # bytes at the end of a log in which the last of them is looked for


def log_path(run: Path, name: str) -> Path:
    """The log of a step. It exists once the step has started, perhaps on another machine."""
    return run / "logs" / f"{name}.log"


def last_progress(log: Path) -> str:
    """The last line of progress in a log; empty if there is none."""
    try:
        with open(log, "rb") as file:
            file.seek(max(0, log.stat().st_size - TAIL))
            found = [match.group() for match in PROGRESS.finditer(file.read())]
    except OSError:
        return ""
    return " ".join(found[-1].decode(errors="replace").split()) if found else ""


class Display:
    """Prints about the steps ``names`` of a run.

    On a terminal the progress is one line that is drawn again and again; in a log it is a line
    for each step every EVERY seconds.
    """

    def __init__(self, run: Path, names: Sequence[str]) -> None:
        self.run, self.names, self.live = run, names, sys.stdout.isatty()
        self.started: dict[str, float] = {}  # when the step's last line was printed
        self.shown: dict[str, str] = {}  # each step's progress in that line

    def started_of(self, names: Iterable[str]) -> list[str]:
        """Those of the steps that have started: others may be waiting for a free worker."""
        return [name for name in names if log_path(self.run, name).is_file()]

    def running(self, waiting_or_running: Iterable[str]) -> None:
        """Print which steps have started since the last call, and the progress of all."""
        progress = {}
        for name in self.started_of(waiting_or_running):
            if name not in self.started:
                self.started[name] = time.monotonic()
                self.say(f"{self.label(name)}  started")
            progress[name] = last_progress(log_path(self.run, name))
        if self.live:
            text = " · ".join(f"{name} {text}".strip() for name, text in progress.items())
            width = shutil.get_terminal_size().columns - 1
            print(f"\r{shorten(text, width)}\x1b[K", end="", flush=True)
            return
        for name, text in progress.items():
            late = time.monotonic() - self.started[name] >= EVERY
            if text and late and text != self.shown.get(name):
                self.started[name], self.shown[name] = time.monotonic(), text
                self.say(f"{self.label(name)}  {text}")

    def ended(self, outcome: Outcome) -> None:
        """Print ``[3/9] 04_vgg16   ok   41.2 s``, and the reason of a failure."""
        seconds = f"{outcome.seconds:8.1f} s" if outcome.status in (OK, FAILED) else ""
        line = f"{self.label(outcome.name)}  {outcome.status:<10}{seconds}".rstrip()
        if outcome.status == BLOCKED:
            line += f"  {outcome.message}"
        elif outcome.message:
            line = "\n  ".join([line, *outcome.message.splitlines()])
        self.say(line)

    def interrupted(self, waiting_or_running: Iterable[str]) -> str:
        """``02_convnet9 (epoch 3/17 …)``: what ran when the run was interrupted."""
        found = {
            n: last_progress(log_path(self.run, n)) for n in self.started_of(waiting_or_running)
        }
        return ", ".join(f"{n} ({text})" if text else n for n, text in found.items())

    def label(self, name: str) -> str:
        """``[3/9] 04_vgg16  ``, as wide as that of any other step."""
        place = f"[{self.names.index(name) + 1}/{len(self.names)}]"
        return f"{place} {name:<{max(map(len, self.names))}}"

    def say(self, text: str) -> None:
        """Print lines that stay."""
        print(f"\r\x1b[K{text}" if self.live else text, flush=True)
