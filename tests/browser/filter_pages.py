"""A filter browser's pictures and texts against Python's answers."""

from typing import Any

import numpy as np
from lab_pages import canvas

from tin_lib import catalog
from tin_lib.analysis import filters
from tin_lib.lab.widgets import FilterBrowser


def wait_for_filter(page: Any, network: str, layer: str, index: int) -> None:
    """Wait until all of this filter is shown, and nothing is being computed."""
    page.wait_for_function(
        """start => {
            const browser = document.querySelector('.tin-browser');
            const text = browser?.querySelector('.tin-card')?.innerText ?? '';
            return text.startsWith(start) && !text.includes('not computed yet')
                && browser.querySelector('progress').hidden;
        }""",
        arg=f"{catalog.title(network)} · {layer} · filter {index} (",
    )


def check_pictures(
    page: Any, python: FilterBrowser, network: str, layer: str, index: int, within: float
) -> None:
    """Every picture and text of the card is Python's; pictures differ by at most ``within`` in the
    mean."""
    asked = {"network": network, "layer": layer, "filter": index}
    reply, sent = python.answer("view", asked)
    assert reply["surveyed"]
    parts = {name: np.frombuffer(p, np.uint8) for name, p in zip(reply["parts"], sent)}
    same(page, '[data-tile="maximising image"]', parts["optimised"], within)
    kernels = page.locator('[data-tile="kernel (gray: zero)"]').count()
    assert kernels == (reply["kernel"] is not None)
    if kernels:
        same(page, '[data-tile="kernel (gray: zero)"]', parts["kernel"], 0)
    images = parts["images"].reshape(-1, 3, 64, 64)
    survey = python.source.stores[network].survey(layer)
    for at, image in enumerate(images):
        same(page, f"[data-part=images] :nth-child({at + 1}) > * > canvas", image, within)
    assert page.locator("[data-part=images] canvas").count() == len(images)
    boxes = [image["box"] for image in reply["images"] if image["box"]]
    assert page.locator("[data-part=patches] canvas").count() == len(boxes)
    for at in range(len(boxes)):
        place = survey.position[index][at]
        patch = filters.patch(images[at], place, survey.field)
        same(page, f"[data-part=patches] :nth-child({at + 1}) > * > canvas", patch, within)
    text = page.inner_text(".tin-card")
    for line in (*reply["figures"], *(image["caption"] for image in reply["images"])):
        assert line in text
    assert all(f"{times:.1f} {name}" in text for name, times in reply["classes"])


def same(page: Any, selector: str, wanted: np.ndarray, within: float) -> None:
    """A canvas shows these pixels."""
    found = canvas(page, selector).astype(float)
    off = np.abs(found.ravel() - wanted.ravel()).mean()
    assert off <= within, (selector, off)
