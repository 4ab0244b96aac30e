"""Latency of the saliency browser, from a selection to the new picture, and its memory.

    python benchmarks/browser.py [--data DIR] [--networks ...] [--selections 30]
        [--images 10000] [--browsed convnet9] [--width 1]

A run of networks with random weights and random scores is made over the val images (the built-in
sample unless --data names a folder): the time does not depend on what was learnt. Selections set
the same traits as the front end; a selection ends when ``picture.value`` is set.
  never seen, at rest     an image none of whose neighbours was shown; the browser has finished
                          prefetching before the selection
  never seen, in a hurry  the same, immediately after the previous picture
  class chosen            a class typed in: its first image, with the strip of its images
  next                    the arrow key; the browser has finished prefetching
  shown before            back to an image among the last pictures
Marks, with four full-width networks on 2 cores and gradient saliency: a median under 150 ms for
"never seen", under 30 ms for "next" and "shown before". Last, the browser steps through --images
images of the networks named by --browsed without pauses, and the process's memory (resident,
private and with mapped files) is read every 1000. Mark: it does not grow.
"""

from __future__ import annotations

import argparse
import re
import statistics
import tempfile
import time
from pathlib import Path

from _common import finish, table  # isort: split

import numpy as np
from traitlets import HasTraits

from tin_lib import files, networks
from tin_lib.data import TinyImageNet, open_data
from tin_lib.lab.widgets import SaliencyBrowser
from tin_lib.lab.widgets.saliency.browser import STEPS

NETWORKS = ("convnet9", "vgg_like", "vgg16", "alexnet")
MARKS = {"never seen, at rest": 150, "never seen, in a hurry": 150, "class chosen": 150}
MARKS |= {"next": 30, "shown before": 30}
KINDS = {"VmRSS": "resident", "RssAnon": "its own", "RssFile": "mapped files"}
EVERY = 1000  # images between two memory readings


def make_run(folder: Path, data: TinyImageNet, names: list[str], width: float) -> None:
    """Write the files of a trained run that the browser reads."""
    rng = np.random.default_rng(0)
    for name in names:
        out = folder / "networks" / name
        network = networks.create(name, data.num_classes, width)
        networks.save(network, out / "weights.safetensors")
        scores = rng.normal(size=(len(data.val), data.num_classes)).astype(np.float32)
        files.write_array(out / "logits_val.npy", scores)
        files.write_json(out / "meta.json", meta(data))
        files.write_json(out / "summary.json", {"network": name})


def meta(data: TinyImageNet) -> dict[str, object]:
    """The description of the data in a fit's meta.json."""
    return {
        "class_ids": data.class_ids,
        "class_names": data.class_names,
        "fingerprint": data.fingerprint,
        "mean": data.mean.tolist(),
        "std": data.std.tolist(),
    }


def settle(browser: SaliencyBrowser) -> None:
    """Wait until the browser has prefetched the expected pictures."""
    places = [browser.index + step for step in STEPS]
    keys = [browser.key(int(browser.rows[i])) for i in places if 0 <= i < len(browser.rows)]
    while any(key not in browser.prefetcher.kept for key in keys):
        time.sleep(0.002)
    for key in keys:
        browser.prefetcher.kept[key].result()


class Clock:
    """Milliseconds from selections to pictures, by kind of selection."""

    def __init__(self, browser: SaliencyBrowser) -> None:
        self.browser = browser
        self.shown = 0.0
        self.taken: dict[str, list[float]] = {}
        browser.picture.observe(self._note, "value")

    def _note(self, change: object) -> None:
        self.shown = time.perf_counter()

    def select(self, kind: str, control: HasTraits, trait: str, value: object) -> None:
        """Time one selection; ValueError if no new picture came."""
        start = time.perf_counter()
        setattr(control, trait, value)
        if self.shown < start:
            raise ValueError(f"{kind}: the picture did not change")
        self.taken.setdefault(kind, []).append(1000 * (self.shown - start))


def measure(browser: SaliencyBrowser, count: int) -> dict[str, list[float]]:
    """Milliseconds of up to ``count`` selections of each kind."""
    clock, strip = Clock(browser), browser.strip
    # Eight apart, so that no prefetched picture is another selection.
    places = np.random.default_rng(1).permutation(len(browser.rows) // 8)[: 2 * count] * 8 + 3
    rested, hurried = np.array_split(places, 2)
    for place in rested.tolist():
        settle(browser)
        clock.select("never seen, at rest", strip, "selected", place)
        settle(browser)
        clock.select("next", strip, "selected", place + 1)
        clock.select("shown before", strip, "selected", place)
    for place in hurried.tolist():
        clock.select("never seen, in a hurry", strip, "selected", place)
    for name in new_classes(browser)[:count]:
        settle(browser)
        clock.select("class chosen", browser.controls.label, "value", name)
    return clock.taken


def new_classes(browser: SaliencyBrowser) -> list[str]:
    """Names of the classes whose first image was neither shown nor prefetched."""
    maps = browser.store.of(next(iter(browser.run.fits)))
    first = [int(np.argmax(browser.split.labels == n)) for n in range(len(browser.ids))]
    new = [wnid for wnid, row in zip(browser.ids, first) if maps.read("gradient", row) is None]
    return [browser.class_names[wnid] for wnid in new]


def memory() -> dict[str, float]:
    """Resident MiB of this process: all, and without mapped files."""
    status = Path("/proc/self/status").read_text()
    found = {key: re.findall(rf"{key}:\s+(\d+)", status)[0] for key in KINDS}
    return {words: int(found[key]) / 1024 for key, words in KINDS.items()}


def browse(browser: SaliencyBrowser, count: int) -> list[dict[str, object]]:
    """Step through images; the memory at the first and after every ``EVERY``."""
    seen: list[dict[str, object]] = []
    start = time.perf_counter()
    for place in range(min(count, len(browser.rows))):
        browser.strip.selected = place
        if place == 0 or (place + 1) % EVERY == 0:
            told = {f"{name}, MiB": round(size) for name, size in memory().items()}
            seen.append({"images": place + 1, **told, "s": round(time.perf_counter() - start)})
    return seen


def rows_of(taken: dict[str, list[float]]) -> list[dict[str, object]]:
    """The table of the waits."""
    return [
        {
            "selection": kind,
            "n": len(waits),
            "median ms": f"{statistics.median(waits):.1f}",
            "90th percentile": f"{ninth(waits):.1f}",
            "mark": MARKS[kind],
        }
        for kind, waits in taken.items()
    ]


def ninth(waits: list[float]) -> float:
    """The 90th percentile."""
    return float(np.quantile(waits, 0.9))


def parse() -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--data", default="sample", help="a folder in the official layout")
    parser.add_argument("--networks", nargs="+", default=list(NETWORKS), choices=networks.names())
    parser.add_argument("--selections", type=int, default=30, help="of each kind; 0: none")
    parser.add_argument("--images", type=int, default=10_000, help="to step through; 0: none")
    parser.add_argument("--browsed", nargs="+", default=["convnet9"], help="networks for --images")
    parser.add_argument("--width", type=float, default=1.0)
    return parser.parse_args()


def main() -> None:
    args = parse()
    data = open_data(args.data)
    taken: dict[str, list[float]] = {}
    seen: list[dict[str, object]] = []
    with tempfile.TemporaryDirectory(prefix="tin-browser-", ignore_cleanup_errors=True) as folder:
        names = list(dict.fromkeys([*args.networks, *args.browsed]))
        make_run(Path(folder), data, names, args.width)
        if args.selections:
            browser = SaliencyBrowser(folder, data, networks=args.networks)
            taken = measure(browser, args.selections)
            browser.close()
            print(f"Waits, {', '.join(args.networks)}:\n{table(rows_of(taken))}\n")
        if args.images:
            browser = SaliencyBrowser(folder, data, networks=args.browsed)
            seen = browse(browser, args.images)
            browser.close()
            print(f"Memory, {', '.join(args.browsed)}:\n{table(seen)}\n")
    ratios = {f"{kind}/mark": statistics.median(w) / MARKS[kind] for kind, w in taken.items()}
    about = {"data": data.root.name, "val_images": len(data.val), "width": args.width, "seed": 0}
    finish("browser", ratios, **about, memory=seen)


if __name__ == "__main__":
    main()
