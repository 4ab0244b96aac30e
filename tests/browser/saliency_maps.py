"""A saliency browser's picture against maps computed here."""

import time
from typing import Any

import numpy as np
import torch
from lab_pages import PICTURE, shown

from tin_lib import augment, runs, saliency
from tin_lib.widgets import card


def tile(picture: np.ndarray, row: int, name: str) -> np.ndarray:
    x, y, zoom = card.place(row, name)
    part = picture[y : y + 64 * zoom : zoom, x : x + 64 * zoom : zoom]
    return part.transpose(2, 0, 1)


def check_maps(
    page: Any, run: runs.Run, image: int, rows: list[tuple[str, str]], seconds: float = 60
) -> np.ndarray:
    """The page's picture, whose every row is, or soon becomes, the maps computed here."""
    val = run.data().val
    wanted = [maps(run, image, network, method) for network, method in rows]
    last = time.monotonic() + seconds
    while True:
        picture = wait_for_rows(page, len(rows))
        assert (tile(picture, -1, "original") == val.images[image]).all()
        differs = [
            f"{rows[number]} {name}"
            for number, views in enumerate(wanted)
            for name, view in views.items()
            if not alike(tile(picture, number, name), view)
        ]
        if not differs:
            return picture
        assert time.monotonic() < last, differs
        page.wait_for_timeout(200)


def wait_for_rows(page: Any, count: int) -> np.ndarray:
    """The page's picture, once it has so many rows."""
    height = card.TOP + card.HEAD + count * card.ROW
    page.wait_for_function(
        "([picture, height]) => document.querySelector(picture)?.naturalHeight === height",
        arg=[PICTURE, height],
    )
    return shown(page)


def maps(run: runs.Run, image: int, network: str, method: str) -> dict[str, np.ndarray]:
    """The views of one explanation, uint8 (64, 64), by name."""
    fit, val = run.fits[network], run.data().val
    pixels = torch.from_numpy(np.array(val.images[image : image + 1]))
    target = torch.from_numpy(np.array(fit.logits("val")[image : image + 1])).argmax(1)
    inputs = augment.normalise(pixels, fit.mean, fit.std)
    explained = saliency.explain(fit.network(), inputs, method, target)
    return {name: saliency.to_uint8(view(explained))[0] for name, view in saliency.VIEWS.items()}


def alike(one: np.ndarray, other: np.ndarray) -> bool:
    """The same but for rounding: another process may add in another order, at few pixels."""
    difference = np.abs(one.astype(int) - other)
    return bool(difference.max() <= 1 and (difference > 0).mean() < 0.01)
