"""Cells of a confusion browser on a page: where they are, their colours, and their images."""

from typing import Any

import numpy as np
import pandas as pd
from lab_pages import canvas

from tin_lib.analysis import runs

MATRIX = ".tin-matrix"
GEOMETRY = """() => {
    const canvas = document.querySelector('.tin-matrix canvas');
    const { first, size, left, side } = canvas.dataset;
    const { x, y, width } = canvas.getBoundingClientRect();
    return { first: first.split(',').map(Number), size: +size, left: +left, side: +side, x, y,
             scale: canvas.width / width };
}"""

PIXEL = """([x, y]) => [...document.querySelector('.tin-matrix canvas').getContext('2d')
    .getImageData(x, y, 1, 1).data].slice(0, 3)"""


def behind(run: runs.Run, network: str, label: str, predicted: str) -> pd.DataFrame:
    """The predictions table's rows with this label and this prediction; the index is the image."""
    table = run.fits[network].predictions("val")
    return table[(table.label == label) & (table.predicted == predicted)]


def cells(run: runs.Run, network: str) -> list[tuple[str, str]]:
    """Label and prediction of every cell that is not empty, the fullest first."""
    table = run.fits[network].predictions("val")
    return list(table.groupby(["label", "predicted"]).size().sort_values(ascending=False).index)


def centre(page: Any, row: int, column: int) -> tuple[float, float]:
    """Where the middle of a cell is in the window; classes are places in the matrix's order."""
    found = page.evaluate(GEOMETRY)
    cell = found["side"] / found["size"]
    y, x = ((at - first + 0.5) * cell for at, first in zip((row, column), found["first"]))
    return found["x"] + found["left"] + x, found["y"] + y


def colour(page: Any, row: int, column: int) -> np.ndarray:
    """Colour of a cell near its upper left corner, where no number and no mark is; uint8 (3,)."""
    found = page.evaluate(GEOMETRY)
    x, y = centre(page, row, column)
    off = 0.3 * found["side"] / found["size"]
    at = [round((v - off - found[k]) * found["scale"]) for v, k in ((x, "x"), (y, "y"))]
    return np.array(page.evaluate(PIXEL, at), np.uint8)


def wait_for_cell(page: Any, title: str) -> None:
    """Until the title and the images are those of this cell."""
    page.wait_for_function(
        """title => document.querySelector('.tin-pair h3')?.innerText.startsWith(title + ':')
               && document.querySelector('.tin-groups')?.ariaBusy === 'false'""",
        arg=title,
    )


def captions(page: Any, group: int = 0) -> list[str]:
    """The captions of a group's tiles."""
    texts = page.locator(".tin-groups section").nth(group).locator("figcaption").all_inner_texts()
    return [text.replace("\xa0", " ") for text in texts]


def tile(page: Any, group: int, number: int) -> np.ndarray:
    """A tile's pixels, uint8 (3, 64, 64)."""
    parts = f".tin-groups section:nth-of-type({group + 1}) .tin-tile:nth-of-type({number + 1})"
    return canvas(page, f"{parts} canvas")


def check_images(page: Any, run: runs.Run, rows: pd.DataFrame, most: float = 0) -> None:
    """The first group's tiles are the images of the rows, the most confident first.

    ``most``: mean difference from the pixels, at most.
    """
    shown, images = captions(page), run.data().val.images
    assert sorted(text.split(" ")[0] for text in shown) == sorted(rows.file)
    shares = [round(100 * share) for share in sorted(rows.probability, reverse=True)]
    assert np.abs(np.array([int(t.split(" ")[1]) for t in shown]) - shares).max(initial=0) <= 1
    for number, text in enumerate(shown):
        image = images[rows.index[rows.file == text.split(" ")[0]][0]]
        assert np.abs(tile(page, 0, number).astype(float) - image).mean() <= most, text
