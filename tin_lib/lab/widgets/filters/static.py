"""The filter browser as a static page: it opens from the file system, without Python."""

import base64
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from tin_lib.analysis import runs
from tin_lib.analysis.disk_cache import safe_name
from tin_lib.data import TinyImageNet
from tin_lib.lab.widgets import pages
from tin_lib.lab.widgets.filters.browser import USUAL, describe
from tin_lib.lab.widgets.filters.layer import Layer
from tin_lib.lab.widgets.filters.source import Source
from tin_lib.lab.widgets.filters.view import ORDERS

TITLE = "Filter browser"
ABOUT = (
    "What does a filter look for? Choose a network and a layer, and step through the filters with "
    "the arrow keys."
)
MADE = "fourier"  # parametrisation of the maximising images

Progress = Callable[[int, int], None]
Chosen = tuple[Layer, list[int]]  # a layer, and the numbers of the filters shown


def write_static_filters(
    run: runs.Run,
    data: TinyImageNet,
    folder: str | Path,
    shown: int = 8,
    images: int = USUAL["images"],
    steps: int = USUAL["steps"],
    progress: Progress | None = None,
    back: str = "../../index.html",
) -> Path:
    """Write the page with each network's first and last convolution, and return its path.

    ``shown``: number of filters of each layer, the first ones. ``images`` and ``steps``: as in
    ``FilterBrowser``, with which results are shared, so that an interrupted call can be repeated.
    ``progress(done, total)`` counts layers. ``back``: the address of the page's link back to the
    report. Raises ValueError for ``shown`` below 1, and for a run without convolutions.
    """
    if shown < 1:
        raise ValueError(f"shown={shown}: at least one filter is needed")
    source, folder = Source(run, data, images, steps), Path(folder)
    chosen = ends(source, shown)
    if not chosen:
        raise ValueError(f"{run.path}: no network has a convolution layer")
    for done, (layer, some) in enumerate(chosen, 1):
        layer.store.survey(layer.name)
        tiles = layer.store.maximised(layer.name, MADE, some)
        pages.write_sheet(folder / "optimised" / f"{sheet_name(layer)}.js", tiles)
        if progress:
            progress(done, len(chosen))
    rows = np.unique(np.concatenate([layer.rows(i) for layer, some in chosen for i in some]))
    pages.write_sheet(folder / "images.js", np.array(source.val.images[rows]))
    described = describe_page(source, chosen, rows)
    return pages.write_page(folder, "filters", described, TITLE, ABOUT, back)


def ends(source: Source, shown: int) -> list[Chosen]:
    """Return each network's first and last layer, with the numbers of at most ``shown`` filters."""
    chosen = []
    for network, store in source.stores.items():
        names = list(store.layers)
        for name in dict.fromkeys([*names[:1], *names[-1:]]):
            count = min(shown, store.layers[name])
            chosen.append((source.layer(network, name), list(range(count))))
    return chosen


def sheet_name(layer: Layer) -> str:
    """Return the name of the sheet with a layer's maximising images."""
    return f"{layer.store.fit.name}_{safe_name(layer.name)}"


def describe_page(source: Source, chosen: Sequence[Chosen], rows: np.ndarray) -> dict[str, Any]:
    """Return the page's data except for pixels of images; ``rows`` of val are the images it has."""
    copied: dict[str, dict[str, Any]] = {}
    for layer, some in chosen:
        described = describe_layer(layer, some, rows)
        copied.setdefault(layer.store.fit.name, {})[layer.name] = described
    usual = describe(source)
    have = sum(len(some) for _, some in chosen)
    total = sum(sum(source.stores[name].layers.values()) for name in copied)
    return usual | {
        "networks": {name: usual["networks"][name] for name in copied},
        "parametrisations": {MADE: usual["parametrisations"][MADE]},
        "copied": copied,
        "columns": pages.COLUMNS,
        "note": (
            f"This copy has {have} of {total:,} filters, from the first and the last convolution "
            "of each network, and its images are compressed."
        ),
    }


def describe_layer(layer: Layer, some: Sequence[int], rows: np.ndarray) -> dict[str, Any]:
    """Return what the page knows of a layer and ``some`` of its filters."""
    count = layer.store.layers[layer.name]
    return {
        "text": f"{layer.name}: {len(some)} of {count} filters",
        "sheet": sheet_name(layer),
        "filters": list(some),
        "orders": {
            order: [i for i in layer.ordered(order).tolist() if i in some] for order in ORDERS
        },
        "cards": [describe_filter(layer, index, rows) for index in some],
    }


def describe_filter(layer: Layer, index: int, rows: np.ndarray) -> dict[str, Any]:
    """Return what the page knows of a filter; ``places`` are those of its images in the sheet."""
    card = layer.card(MADE, index)
    kernel = b"" if card.kernel is None else card.kernel.tobytes()
    places = np.searchsorted(rows, layer.rows(index)).tolist()
    return card.texts() | {"places": places, "kernelBytes": base64.b64encode(kernel).decode()}
