"""The saliency browser without Python or a network: a page that opens from the file system."""

import hashlib
import json
from collections.abc import Callable, Sequence
from importlib import resources
from pathlib import Path
from typing import Any

import numpy as np
import torch

from tin_lib import augment, catalog, files, runs
from tin_lib.analysis import errors
from tin_lib.analysis.saliency.methods import METHODS, check_options, explain
from tin_lib.analysis.saliency.store import MapStore, NetworkMaps
from tin_lib.data import Split, TinyImageNet
from tin_lib.lab.widgets.saliency import sprites

ASSETS = ("index.html", "browser.css", "maps.js", "browser.js")
FORMAT = "1"  # raise it when a sheet's content changes
BATCH = 50  # images explained at a time

Progress = Callable[[int, int], None]


def write_static_browser(
    run: runs.Run,
    data: TinyImageNet,
    folder: str | Path,
    methods: Sequence[str] = tuple(METHODS),
    limit: int = 200,
    progress: Progress | None = None,
) -> Path:
    """Write the page with every network's maps of ``limit`` val images; returns its path.

    The images are spread evenly over the classes. About 5 KB an image and network for all six
    methods. Sheets already there of the same weights and images are kept, so that a call cut short
    goes on; ``progress(done, total)`` counts sheets. Raises ValueError for an unknown method.
    """
    for method in methods:
        check_options(method, {})
    folder, store = Path(folder), MapStore(run.fits, data.val)
    rows = spread(data.val.labels, limit)
    split = data.val.select(rows)
    pairs = [(name, method) for name in run.fits for method in methods]
    for done, (name, method) in enumerate(pairs, 1):
        write_sheet(store.of(name), method, rows, folder / "maps" / f"{name}_{method}.js")
        if progress:
            progress(done, len(pairs))
    picture = sprites.jpeg(np.array(split.images), quality=90)
    files.atomic_write(folder / "images.js", sprites.script("images", picture))
    described = json.dumps(describe(run, store, split, rows, methods), separators=(",", ":"))
    files.atomic_write(folder / "data.js", f"const DATA = {described};\n")
    for name in ASSETS:
        source = resources.files("tin_lib.lab.widgets.saliency") / "assets" / name
        files.atomic_write(folder / name, source.read_text(encoding="utf-8"))
    return folder / "index.html"


def spread(labels: np.ndarray, limit: int) -> np.ndarray:
    """Rows of ``limit`` images, ordered by class: the first of each class, the second, and so on.

    ``labels``: int64 (N,). Raises ValueError for a limit below 1.
    """
    if limit < 1:
        raise ValueError(f"limit={limit}: at least one image is needed")
    order = np.argsort(labels, kind="stable")
    starts = np.searchsorted(labels[order], labels[order])
    turn = np.arange(len(labels)) - starts  # how many of its class come before
    return order[np.sort(np.argsort(turn, kind="stable")[:limit])]


def write_sheet(maps: NetworkMaps, method: str, rows: np.ndarray, path: Path) -> None:
    """Write one network's and method's maps, unless the file holds them already."""
    key = f"// {sheet_key(maps.fit, method, rows, maps.split)}\n"
    if first_line(path) == key:
        return
    parts = [explained(maps, method, part) for part in np.array_split(rows, -(-len(rows) // BATCH))]
    packed, gains = sprites.pack(torch.cat(parts))
    files.atomic_write(path, key + sprites.script(path.stem, sprites.jpeg(packed), gains))


def first_line(path: Path) -> str:
    """The first line of a text file, which need not be there."""
    if not path.is_file():
        return ""
    with path.open(encoding="utf-8") as file:
        return file.readline()


def sheet_key(fit: runs.Fit, method: str, rows: np.ndarray, split: Split) -> str:
    """What a sheet depends on: the weights, the method, the images."""
    weights = files.file_digest(fit.path / "weights.safetensors")
    images = ",".join(split.files[rows])
    data = fit.meta["fingerprint"]
    return hashlib.sha256("\n".join([FORMAT, weights, method, images, data]).encode()).hexdigest()


def explained(maps: NetworkMaps, method: str, rows: np.ndarray) -> torch.Tensor:
    """Signed maps float32 (N, 3, 64, 64) of the classes that the fit predicted."""
    pixels = torch.from_numpy(np.array(maps.split.images[rows]))
    inputs = augment.normalise(pixels, maps.fit.mean, maps.fit.std)
    return explain(maps.network, inputs, method, torch.from_numpy(maps.winners[rows]))


def describe(
    run: runs.Run, store: MapStore, split: Split, rows: np.ndarray, methods: Sequence[str]
) -> dict[str, Any]:
    """All that the page knows besides pixels. ``split``: the chosen images, ``rows`` in val."""
    names = errors.short_names(run.first.class_ids, run.first.class_names)
    return {
        "columns": sprites.COLUMNS,
        "mean": run.first.mean.tolist(),
        "std": run.first.std.tolist(),
        "classes": [{"id": wnid, "name": names[wnid]} for wnid in run.first.class_ids],
        "files": split.files.tolist(),
        "labels": split.labels.tolist(),
        "boxes": split.boxes.tolist(),
        "networks": {
            name: {"title": catalog.title(name), "best": best(store.of(name).probabilities[rows])}
            for name in run.fits
        },
        "methods": {method: method.replace("_", " ") for method in methods},
    }


def best(probabilities: np.ndarray) -> list[list[tuple[int, float]]]:
    """The five likeliest classes of each image, (class, probability), of (N, classes)."""
    order = np.argsort(-probabilities, axis=1, kind="stable")[:, :5]
    shares = np.take_along_axis(probabilities, order, axis=1)
    return [
        [(int(i), round(float(share), 4)) for i, share in zip(classes, row)]
        for classes, row in zip(order, shares)
    ]
