"""The saliency browser as a static page: it opens from the file system, without Python."""

import hashlib
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import torch

from tin_lib import augment, files
from tin_lib.analysis import runs
from tin_lib.analysis.saliency.methods import METHODS, check_options, explain
from tin_lib.analysis.saliency.store import MapStore, NetworkMaps
from tin_lib.data import Split, TinyImageNet
from tin_lib.lab.widgets import pages
from tin_lib.lab.widgets.saliency import sprites
from tin_lib.lab.widgets.saliency.browser import best, describe

TITLE = "Saliency browser"
ABOUT = (
    "Which pixels of an image matter? Choose a class, step through its images with the arrow keys, "
    "and compare networks and methods."
)
FORMAT = "1"  # raise it when the content of a sheet changes
BATCH = 50  # images explained at a time

Progress = Callable[[int, int], None]


def write_static_browser(
    run: runs.Run,
    data: TinyImageNet,
    folder: str | Path,
    methods: Sequence[str] = tuple(METHODS),
    limit: int = 200,
    progress: Progress | None = None,
    back: str = "../../index.html",
) -> Path:
    """Write the page with every network's maps of ``limit`` val images, and return its path.

    The images are spread evenly over the classes. Six methods take about 5 KB for each image and
    network; the page says which methods a network does not support. Sheets of the same weights and
    images are kept, so that an interrupted call can be repeated. ``progress(done, total)`` counts
    sheets. ``back``: the address of the page's link back to the report. Raises ValueError for an
    unknown method.
    """
    for method in methods:
        check_options(method, {})
    folder, store = Path(folder), MapStore(run.fits, data.val)
    rows = spread(data.val.labels, limit)
    split = data.val.select(rows)
    pairs = [
        (name, method)
        for name in run.fits
        for method in methods
        if method not in store.of(name).unavailable
    ]
    for done, (name, method) in enumerate(pairs, 1):
        write_sheet(store.of(name), method, rows, folder / "maps" / f"{name}_{method}.js")
        if progress:
            progress(done, len(pairs))
    pages.write_sheet(folder / "images.js", np.array(split.images[:]), quality=90)
    described = describe_page(run, store, rows, methods)
    return pages.write_page(folder, "saliency", described, TITLE, ABOUT, back)


def spread(labels: np.ndarray, limit: int) -> np.ndarray:
    """Return rows of ``limit`` images, evenly from all classes and ordered by class.

    ``labels``: int64 (N,). Raises ValueError for a limit below 1.
    """
    if limit < 1:
        raise ValueError(f"limit={limit}: at least one image is needed")
    order = np.argsort(labels, kind="stable")
    starts = np.searchsorted(labels[order], labels[order])
    turn = np.arange(len(labels)) - starts  # number of earlier images of the same class
    return order[np.sort(np.argsort(turn, kind="stable")[:limit])]


def write_sheet(maps: NetworkMaps, method: str, rows: np.ndarray, path: Path) -> None:
    """Write the maps of one network and method, unless the file has them already."""
    key = f"// {sheet_key(maps.fit, method, rows, maps.split)}\n"
    if first_line(path) == key:
        return
    parts = [explained(maps, method, part) for part in np.array_split(rows, -(-len(rows) // BATCH))]
    packed, gains = sprites.pack(torch.cat(parts))
    pages.write_sheet(path, packed, sprites.QUALITY, gains, head=key)


def first_line(path: Path) -> str:
    """Return the first line of a text file; empty if there is no file."""
    if not path.is_file():
        return ""
    with path.open(encoding="utf-8") as file:
        return file.readline()


def sheet_key(fit: runs.Fit, method: str, rows: np.ndarray, split: Split) -> str:
    """Return a digest of what determines a sheet: weights, method, images."""
    weights = files.file_digest(fit.path / "weights.safetensors")
    images = ",".join(split.files[rows])
    data = fit.meta["fingerprint"]
    return hashlib.sha256("\n".join([FORMAT, weights, method, images, data]).encode()).hexdigest()


def explained(maps: NetworkMaps, method: str, rows: np.ndarray) -> torch.Tensor:
    """Return signed maps, float32 (N, 3, 64, 64), of the classes that the fit predicted."""
    pixels = torch.from_numpy(np.array(maps.split.images[rows]))
    inputs = augment.normalise(pixels, maps.fit.mean, maps.fit.std)
    return explain(maps.network, inputs, method, torch.from_numpy(maps.predicted[rows]))


def describe_page(
    run: runs.Run, store: MapStore, rows: np.ndarray, methods: Sequence[str]
) -> dict[str, Any]:
    """Return the page's data except for pixels: of ``rows`` of val, the chosen images."""
    some = {name: store.of(name) for name in run.fits}
    split = some[run.first.name].split.select(rows)
    described = describe(run, store, split, methods)
    for name, maps in some.items():
        each = described["networks"][name]
        each["predicted"] = maps.predicted[rows].tolist()
        each["best"] = best(maps.probabilities[rows])
    total = len(some[run.first.name].split)
    return described | {
        "columns": pages.COLUMNS,
        "allBoxes": split.boxes.tolist(),
        "note": f"This copy has {len(rows):,} of {total:,} images, and its maps are compressed.",
    }
