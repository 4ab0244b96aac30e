"""Memory, open files and threads over an hour of training and of browsing, on the CPU.

    python benchmarks/soak.py [--minutes 60] [--data DIR] [--network convnet9] [--width 0.5]
        [--limit 64]

Half of the time one fit trains epoch after epoch (on the built-in sample unless --data names a
folder), with evaluation and checkpoints. For a quarter one saliency browser steps through images;
for the last, browsers are opened, show 50 pictures and are closed. After every epoch, 20 pictures
or closed browser, garbage is collected and the process measured: resident memory without mapped
files (MiB), open files, threads. The first third of each part, in which caches fill, does not
count. The slope is that of a straight line; its 95 % interval allows for neighbouring measurements
that are alike (Newey and West, 1987).
Mark: memory grows by less than --limit MiB an hour, files and threads by less than 10. Ends with
exit status 1 if one of them certainly grows faster: the whole interval is above the mark.
"""

from __future__ import annotations

import argparse
import gc
import sys
import tempfile
import threading
import time
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from _common import finish, table  # isort: split

import numpy as np
from browser import Page, make_run, memory

from tin_lib import networks
from tin_lib.data import TinyImageNet, open_data
from tin_lib.lab.widgets import SaliencyBrowser
from tin_lib.progress import Progress
from tin_lib.recipes import Recipe
from tin_lib.train import fit

PICTURES, EVERY = 50, 20  # of a browser that is closed; between two measurements of one that is not
FILLS = 600  # pictures that fill a browser's caches, which keep a fixed number of them
WARM_UP = 1 / 3  # share of a part's time that is left out
COUNTS = {"open files": 10.0, "threads": 10.0}  # and their marks, an hour


@dataclass
class Samples:
    """Measurements of this process in one part of the soak."""

    started: float = field(default_factory=time.monotonic)
    seconds: list[float] = field(default_factory=list)
    values: dict[str, list[float]] = field(default_factory=dict)

    def take(self) -> None:
        """Measure now, without what the next garbage collection would free."""
        gc.collect()
        self.seconds.append(time.monotonic() - self.started)
        found = {"MiB": memory()["its own"], "threads": float(threading.active_count())}
        found["open files"] = float(len(list(Path("/proc/self/fd").iterdir())))
        for name, value in found.items():
            self.values.setdefault(name, []).append(value)

    def slope(self, name: str) -> tuple[float, float, float]:
        """Growth an hour with its 95 % interval, after the warm-up; NaN of few measurements."""
        import statsmodels.api as sm

        hours = np.array(self.seconds) / 3600
        kept = hours >= WARM_UP * hours[-1]
        values = np.array(self.values[name])[kept]
        if kept.sum() < 10:
            return (float("nan"),) * 3
        if np.ptp(values) == 0:
            return 0.0, 0.0, 0.0
        lags = round(4 * (kept.sum() / 100) ** (2 / 9))
        line = sm.OLS(values, sm.add_constant(hours[kept]))
        found = line.fit(cov_type="HAC", cov_kwds={"maxlags": lags})
        low, high = found.conf_int()[1]
        return float(found.params[1]), float(low), float(high)


class Sampler(Progress):
    """Measures after every epoch."""

    def __init__(self) -> None:
        self.samples = Samples()

    def epoch(self, row: dict[str, Any], epochs: int) -> None:
        """Measure."""
        self.samples.take()


def train(recipe: Recipe, data: TinyImageNet, folder: Path) -> Samples:
    """Train for the recipe's seconds."""
    sampler = Sampler()
    fit(recipe, data, folder, device="cpu", progress=sampler)
    return sampler.samples


def step(page: Page, rng: np.random.Generator, images: int) -> None:
    """Show images in any order."""
    for _ in range(images):
        page.show(int(rng.integers(len(page.rows))))


def browse(run: Path, data: TinyImageNet, seconds: float) -> Samples:
    """Step through images in one browser until the time is over."""
    rng, browser = np.random.default_rng(0), SaliencyBrowser(run, data)
    page = Page(browser)
    for place in range(min(FILLS, len(page.rows))):
        page.show(place)
    samples = Samples()
    while time.monotonic() - samples.started < seconds:
        step(page, rng, EVERY)
        samples.take()
    browser.close()
    return samples


def reopen(run: Path, data: TinyImageNet, seconds: float) -> Samples:
    """Open and close browsers until the time is over."""
    samples, rng = Samples(), np.random.default_rng(0)
    while time.monotonic() - samples.started < seconds:
        browser = SaliencyBrowser(run, data)
        step(Page(browser), rng, PICTURES)
        browser.close()
        del browser
        samples.take()
    return samples


def rows_of(part: str, samples: Samples, marks: dict[str, float]) -> list[dict[str, object]]:
    """A part's rows of the table."""
    rows: list[dict[str, object]] = []
    for name, mark in marks.items():
        values, (slope, low, high) = samples.values[name], samples.slope(name)
        verdict = "grows" if low > mark else "flat" if high <= mark else "undecided"
        ends = {"first": round(values[0], 1), "last": round(values[-1], 1), "n": len(values)}
        grown = {"an hour": f"{slope:+.1f}", "95 %": f"{low:+.1f} to {high:+.1f}", "mark": mark}
        rows.append({"part": f"{part}: {name}", **ends, **grown, "verdict": verdict})
    return rows


def parse() -> argparse.Namespace:
    """The command line."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--minutes", type=float, default=60.0)
    parser.add_argument("--data", default="sample", help="a folder in the official layout")
    parser.add_argument("--network", default="convnet9", choices=networks.names())
    parser.add_argument("--width", type=float, default=0.5)
    parser.add_argument("--limit", type=float, default=64.0, help="MiB an hour")
    return parser.parse_args()


def main() -> int:
    """Soak, print the table and the line of JSON; 1 if something certainly grows too fast."""
    args = parse()
    data, half = open_data(args.data), 30 * args.minutes
    recipe = Recipe(args.network, epochs=100_000, lr=0.01, width=args.width, seconds=half)
    marks = {"MiB": args.limit} | COUNTS
    with tempfile.TemporaryDirectory(prefix="tin-soak-", ignore_cleanup_errors=True) as folder:
        rows = rows_of("training", train(recipe, data, Path(folder) / "fit"), marks)
        print(f"{table(rows)}\n", flush=True)
        make_run(Path(folder) / "run", data, [args.network], args.width)
        for part, work in {"one browser": browse, "reopened": reopen}.items():
            rows += rows_of(part, work(Path(folder) / "run", data, half / 2), marks)
    print(f"{table(rows)}\n")
    grows = [row for row in rows if row["verdict"] == "grows"]
    about = {"minutes": args.minutes, "data": data.root.name, "width": args.width}
    finish("soak", {"growing": float(len(grows))}, **about, rows=rows)
    return int(bool(grows))


if __name__ == "__main__":
    sys.exit(main())
