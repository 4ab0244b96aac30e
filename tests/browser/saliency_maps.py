"""A saliency browser's picture against maps computed here."""

from typing import Any

import numpy as np
import torch
from lab_pages import PICTURE, shown

from tin_lib import augment
from tin_lib.analysis import runs, saliency
from tin_lib.lab.widgets.saliency import saliency_card


def tile(picture: np.ndarray, row: int, name: str) -> np.ndarray:
    x, y, zoom = saliency_card.place(row, name)
    part = picture[y : y + 64 * zoom : zoom, x : x + 64 * zoom : zoom]
    return part.transpose(2, 0, 1)


def check_maps(picture: np.ndarray, run: runs.Run, image: int, rows: list[tuple[str, str]]) -> None:
    """Every row of the picture against maps computed here."""
    val = run.data().val
    assert (tile(picture, -1, "original") == val.images[image]).all()
    pixels = torch.from_numpy(np.array(val.images[image : image + 1]))
    for number, (network, method) in enumerate(rows):
        fit = run.fits[network]
        target = torch.from_numpy(np.array(fit.logits("val")[image : image + 1])).argmax(1)
        inputs = augment.normalise(pixels, fit.mean, fit.std)
        maps = saliency.explain(fit.network(), inputs, method, target)
        for name, view in saliency.VIEWS.items():
            wanted = saliency.to_uint8(view(maps))[0].astype(int)
            # Another process may add in another order: one step of rounding, at few pixels.
            difference = np.abs(tile(picture, number, name).astype(int) - wanted)
            assert difference.max() <= 1, (network, method, name)
            assert (difference > 0).mean() < 0.01


def wait_for_rows(page: Any, count: int) -> np.ndarray:
    """The page's picture, once it has so many rows."""
    height = saliency_card.TOP + saliency_card.HEAD + count * saliency_card.ROW
    page.wait_for_function(
        "([picture, height]) => document.querySelector(picture)?.naturalHeight === height",
        arg=[PICTURE, height],
    )
    return shown(page)
