"""Latency of the saliency browser and its memory, and the time to draw a confusion matrix.

    python benchmarks/browser.py [--data DIR] [--networks ...] [--selections 30]
        [--images 10000] [--browsed convnet9] [--width 1] [--drawings 30]

A run of networks with random weights and random scores is made over the val images (the built-in
sample unless --data names a folder): the time does not depend on what was learnt. A selection asks
for what the page asks for (saliency.js: the image, then the map of each network), and ends when the
last answer is sent; drawing in the web browser is not included.
  never seen, at rest     an image none of whose neighbours was shown; the browser has finished
                          prefetching before the selection
  never seen, in a hurry  the same, immediately after the previous image
  class chosen            a class typed in: its first image, with a page of thumbnails
  next                    the arrow key; the browser has finished prefetching
  shown before            back to an image among the last ones
Marks, with four full-width networks on 2 cores and gradient saliency: a median under 150 ms for
"never seen", under 30 ms for "next" and "shown before". Then the browser steps through --images
images of the networks named by --browsed without pauses, and the process's memory (resident,
private and with mapped files) is read every 1000. Mark: it does not grow. Last, Chromium without a
window draws the confusion matrix of 200 classes (random counts) --drawings times. Mark: a median
under 200 ms.
"""

from __future__ import annotations

import argparse
import re
import statistics
import tempfile
import time
from pathlib import Path

import _drawing
from _common import finish, table  # isort: split

import numpy as np

from tin_lib import files, networks
from tin_lib.data import TinyImageNet, open_data
from tin_lib.lab.widgets import SaliencyBrowser
from tin_lib.lab.widgets.saliency.browser import Key

NETWORKS = ("convnet9", "vgg_like", "vgg16", "alexnet")
MARKS = {"never seen, at rest": 150, "never seen, in a hurry": 150, "class chosen": 150}
MARKS |= {"next": 30, "shown before": 30, "confusion matrix drawn": 200}
KINDS = {"VmRSS": "resident", "RssAnon": "its own", "RssFile": "mapped files"}
EVERY = 1000  # images between two memory readings
STEPS, THUMBNAILS = (1, -1, 2), 24  # what saliency.js prefetches, and shows of a class


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


class Page:
    """Asks a browser as its page does, and notes how long the answers take."""

    def __init__(self, browser: SaliencyBrowser) -> None:
        self.browser, self.rows = browser, browser.rows.tolist()
        self.networks = list(browser.state.get("networks", browser.run.fits))
        self.expected: list[Key] = []
        self.taken: dict[str, list[float]] = {}

    def show(self, place: int, kind: str = "", thumbnails: bool = False) -> None:
        """Ask for the image at a place; note the milliseconds under ``kind`` if it is given."""
        start, image = time.perf_counter(), self.rows[place]
        if thumbnails:
            self.ask("thumbnails", images=self.rows[place : place + THUMBNAILS])
        self.ask("image", image=image)
        for network in self.networks:
            self.ask("maps", image=image, network=network, method="gradient")
        if kind:
            self.taken.setdefault(kind, []).append(1000 * (time.perf_counter() - start))
        near = [self.rows[place + step] for step in STEPS if 0 <= place + step < len(self.rows)]
        self.ask("expect", images=near, networks=self.networks, methods=["gradient"])
        self.expected = [Key(name, "gradient", row) for name in self.networks for row in near]

    def ask(self, kind: str, **request: object) -> None:
        """One request, answered and sent."""
        reply, data = self.browser.answer(kind, request)
        self.browser.send({"id": "", **reply}, data)

    def settle(self) -> None:
        """Wait until the browser has prefetched the expected maps."""
        kept = self.browser.prefetcher.kept
        while any(key not in kept for key in self.expected):
            time.sleep(0.002)
        for key in self.expected:
            kept[key].result()


def measure(browser: SaliencyBrowser, count: int) -> dict[str, list[float]]:
    """Milliseconds of up to ``count`` selections of each kind."""
    page = Page(browser)
    # Eight apart, so that no prefetched image is another selection.
    places = np.random.default_rng(1).permutation(len(page.rows) // 8)[: 2 * count] * 8 + 3
    rested, hurried = np.array_split(places, 2)
    for place in rested.tolist():
        page.settle()
        page.show(place, "never seen, at rest")
        page.settle()
        page.show(place + 1, "next")
        page.show(place, "shown before")
    for place in hurried.tolist():
        page.show(place, "never seen, in a hurry")
    for place in new_classes(browser)[:count]:
        page.settle()
        page.show(place, "class chosen", thumbnails=True)
    return page.taken


def new_classes(browser: SaliencyBrowser) -> list[int]:
    """Places of the first images of classes that were neither shown nor prefetched."""
    maps = browser.store.of(next(iter(browser.run.fits)))
    first = [int(np.argmax(browser.split.labels == n)) for n in range(len(browser.ids))]
    return [row for row in first if maps.read("gradient", row) is None]


def memory() -> dict[str, float]:
    """Resident MiB of this process: all, and without mapped files."""
    status = Path("/proc/self/status").read_text()
    found = {key: re.findall(rf"{key}:\s+(\d+)", status)[0] for key in KINDS}
    return {words: int(found[key]) / 1024 for key, words in KINDS.items()}


def browse(browser: SaliencyBrowser, count: int) -> list[dict[str, object]]:
    """Step through images; the memory at the first and after every ``EVERY``."""
    seen: list[dict[str, object]] = []
    start = time.perf_counter()
    page = Page(browser)
    for place in range(min(count, len(page.rows))):
        page.show(place)
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
    parser.add_argument("--drawings", type=int, default=30, help="of the matrix; 0: none")
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
        if args.drawings and (drawn := _drawing.draw(Path(folder), args.drawings)):
            taken["confusion matrix drawn"] = drawn
            print(f"200 classes in Chromium:\n{table(rows_of(taken)[-1:])}\n")
    ratios = {f"{kind}/mark": statistics.median(w) / MARKS[kind] for kind, w in taken.items()}
    about = {"data": data.root.name, "val_images": len(data.val), "width": args.width, "seed": 0}
    finish("browser", ratios, **about, memory=seen)


if __name__ == "__main__":
    main()
