"""A saliency browser's tiles against maps computed here."""

from typing import Any

import numpy as np
import torch
from lab_pages import canvas

from tin_lib import augment
from tin_lib.analysis import runs, saliency


def tile(page: Any, network: str, method: str, name: str) -> np.ndarray:
    """A map on the page, uint8 (3, 64, 64)."""
    return canvas(page, f'[data-row="{network}/{method}"] [data-tile="{name}"]')


def computed(run: runs.Run, row: int, network: str, method: str) -> torch.Tensor:
    """The signed map of a validation image, (1, 3, 64, 64), of the class the saved logits say."""
    fit, val = run.fits[network], run.data().val
    pixels = torch.from_numpy(np.array(val.images[row : row + 1]))
    target = torch.from_numpy(np.array(fit.logits("val")[row : row + 1])).argmax(1)
    inputs = augment.normalise(pixels, fit.mean, fit.std)
    return saliency.explain(fit.network(), inputs, method, target)


def check_maps(page: Any, run: runs.Run, row: int, rows: list[tuple[str, str]]) -> None:
    """The image of the page and every row of maps against those computed here."""
    assert (canvas(page, '[data-tile="original"]') == run.data().val.images[row]).all()
    assert page.locator("[data-row]").count() == len(rows)
    for network, method in rows:
        page.wait_for_selector(f'[data-row="{network}/{method}"] canvas')
        maps = computed(run, row, network, method)
        for name, view in saliency.VIEWS.items():
            wanted = saliency.to_uint8(view(maps))[0].astype(int)
            # Another process may add in another order: one step of rounding, at few pixels.
            difference = np.abs(tile(page, network, method, name).astype(int) - wanted)
            assert difference.max() <= 1, (network, method, name)
            assert (difference > 0).mean() < 0.01


def wait_for_image(page: Any, text: str) -> None:
    """Wait until the position or the title of a card contains the text."""
    page.wait_for_function(
        """text => [...document.querySelectorAll('.tin-shown > [role=status], .tin-card h3')]
               .some(each => each.innerText.includes(text))""",
        arg=text,
    )
