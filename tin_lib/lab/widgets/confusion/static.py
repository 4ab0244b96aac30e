"""The confusion browser as a static page: it opens from the file system, without Python."""

from itertools import zip_longest
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from tin_lib.analysis import runs
from tin_lib.data import TinyImageNet
from tin_lib.lab.widgets import module, pages
from tin_lib.lab.widgets.confusion.browser import ZOOMS
from tin_lib.lab.widgets.confusion.cells import BESIDE, MOST, Cell, Cells, both

TITLE = "Confusion browser"
ABOUT = (
    "Which classes are confused, and by which images? Click a cell of the matrix, which the arrow "
    "keys then move, or choose an error from the list."
)
SHARE = 6  # at first, a cell for every so many images: that many of a cell come before other cells


def write_static_confusion(
    run: runs.Run,
    data: TinyImageNet,
    folder: str | Path,
    limit: int = 200,
    back: str = "../../index.html",
) -> Path:
    """Write the page with all counts of all networks and votes, and return its path.

    It has ``limit`` val images, about 5 KB each: those of the most frequent errors, and correct
    ones of the same classes. ``back``: the address of the page's link back to the report. Raises
    ValueError for a limit below 1.
    """
    folder, cells = Path(folder), Cells(run)
    val = module.data_of(run, data).val
    rows = chosen_rows(cells, limit)
    pages.write_sheet(folder / "images.js", np.array(val.images[rows]))
    return pages.write_page(folder, "confusion", describe_page(cells, rows), TITLE, ABOUT, back)


def chosen_rows(cells: Cells, limit: int) -> np.ndarray:
    """Return rows of ``limit`` images, int64, evenly from the most frequent errors.

    The most frequent errors of all networks, and correct images of their classes, give one image
    each in turn, the most confident first; if these are too few, all other errors and images.
    Raises ValueError for a limit below 1.
    """
    if limit < 1:
        raise ValueError(f"limit={limit}: at least one image is needed")
    ranked = frequent(cells)
    rows: dict[int, None] = {}  # in the order of choice
    for some in (ranked[: -(-limit // SHARE)], ranked):
        if len(rows) >= limit:
            break
        parts = [part for cell in some for part in (cell, *both(cell))]
        columns = [cells.behind(part).row for part in dict.fromkeys(parts)]
        for turn in zip_longest(*columns):
            rows |= dict.fromkeys(int(row) for row in turn if row is not None)
    rows |= dict.fromkeys(range(len(next(iter(cells.tables.values())))))
    return np.sort(np.array(list(rows)[:limit], np.int64))


def frequent(cells: Cells) -> list[Cell]:
    """Return the frequent errors: the first one of every network, then the second one of each."""
    each = [
        [Cell(name, *pair) for pair in zip(pairs.label, pairs.predicted)]
        for name, pairs in cells.pairs.items()
    ]
    return [cell for rank in zip_longest(*each) for cell in rank if cell]


def describe_page(cells: Cells, rows: np.ndarray) -> dict[str, Any]:
    """Return the page's data except for pixels: of ``rows`` of val, the chosen images."""
    place = {wnid: at for at, wnid in enumerate(cells.order)}
    some = {name: table.iloc[rows] for name, table in cells.tables.items()}
    first, described = next(iter(some.values())), cells.describe()
    total = len(next(iter(cells.tables.values())))
    for name, table in some.items():
        described["networks"][name] |= predictions(table, place)
    return described | {
        "zooms": [size for size in ZOOMS if size < len(cells.order)],
        "columns": pages.COLUMNS,
        "most": [MOST, BESIDE],
        "files": first.file.tolist(),
        "labels": [place[wnid] for wnid in first.label],
        "note": f"This copy has {len(rows):,} of {total:,} images, and they are compressed.",
    }


def predictions(table: pd.DataFrame, place: dict[str, int]) -> dict[str, Any]:
    """Return a network's predictions of the images, as places of classes, and probabilities."""
    return {
        "predicted": [place[wnid] for wnid in table.predicted],
        "probability": table.probability.round(4).tolist(),
    }
