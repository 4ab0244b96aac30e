"""Notebook 08's filter browser in JupyterLab: a click, arrow keys, another network and layer."""

from typing import Any

import numpy as np
import pytest
import torch
from lab_pages import ACTIVE, UNNAMED, opened, shown, to_dark_theme
from shots import screenshot

from tin_lib import augment, catalog
from tin_lib.analysis import filters, runs
from tin_lib.lab.widgets.filters import filter_card

pytestmark = [pytest.mark.browser, pytest.mark.slow]

STEPS = 2
TILE = 48  # pixels of a tile in the strip


@pytest.fixture(scope="module")
def browser(kept_page: Any, lab: str, run: runs.Run) -> Any:
    """Notebook 08 on the run, executed from top to bottom and scrolled to the browser."""
    given = f'run, steps, filters_shown, epochs = "{run.path}", {STEPS}, 2, 1'
    yield from opened(kept_page, lab, "08_filters", given)


def wait_for_filter(page: Any, network: str, layer: str, index: int) -> None:
    """Wait until the message is this filter's, and nothing is being computed."""
    wait_for_message(page, title(network, layer, index))


def wait_for_message(page: Any, start: str) -> None:
    """Wait until the message begins so, and nothing is being computed."""
    page.wait_for_function(
        """([start, end]) => {
            const message = document.querySelector('.widget-image ~ * .tin-message').innerText;
            const progress = document.querySelector('.tin-browser .tin-message').innerText;
            return message.startsWith(start) && message.includes(end) && progress.trim() === '';
        }""",
        arg=[start, "Highest activations"],
    )


def title(network: str, layer: str, index: int) -> str:
    return f"{catalog.title(network)} · {layer} · filter {index} ("


def tile(picture: np.ndarray, side: int, room: int, *where: Any) -> np.ndarray:
    """One tile at its own resolution, uint8 (3, side, side)."""
    zoom = filter_card.zoom_of(side, room)
    x, y = filter_card.place(*where)
    return picture[y : y + side * zoom : zoom, x : x + side * zoom : zoom].transpose(2, 0, 1)


def check(page: Any, run: runs.Run, name: str, layer: str, index: int) -> np.ndarray:
    """The maximising image is the library's, and the first image has the highest activation."""
    fit, val = run.fits[name], run.data().val
    network = fit.network()
    page_of = range(
        index // 24 * 24, min(index // 24 * 24 + 24, filters.filter_count(network, layer))
    )
    options = filters.Options(steps=STEPS)
    made = filters.maximise(network, layer, (fit.mean, fit.std), page_of, options).images
    for _ in range(100):  # the image is made while the rest is shown
        picture = shown(page)
        differs = made[index % 24].astype(int) - tile(picture, 64, filter_card.LARGE, "optimised")
        # Another process may add in another order: one step of rounding, at few pixels.
        if close := np.abs(differs).max() <= 1 and (differs != 0).mean() < 0.01:
            break
        page.wait_for_timeout(200)
    assert close
    inputs = augment.normalise(torch.from_numpy(np.array(val.images)), fit.mean, fit.std)
    with torch.inference_mode():
        answers = filters.activation(network, layer, inputs)[:, index].amax((1, 2))
    message = page.inner_text(".widget-image ~ * .tin-message")
    assert f"{answers.max():.2f} {val.files[int(answers.argmax())]}" in message
    return picture


def test_click_arrow_keys_network_and_layer(browser: Any, run: runs.Run) -> None:
    wait_for_filter(browser, "convnet9", "conv9", 0)
    seen = [check(browser, run, "convnet9", "conv9", 0)]
    browser.click(".tin-strip img", position={"x": 2.5 * TILE, "y": 1.5 * TILE})
    wait_for_filter(browser, "convnet9", "conv9", 8)
    seen.append(check(browser, run, "convnet9", "conv9", 8))
    active = browser.evaluate(ACTIVE)
    browser.focus(".tin-strip")
    browser.keyboard.press("ArrowRight")
    wait_for_filter(browser, "convnet9", "conv9", 9)
    seen.append(check(browser, run, "convnet9", "conv9", 9))
    screenshot(browser, "filters_light")

    controls = browser.locator(".tin-browser")
    controls.get_by_label("network", exact=True).select_option("VGG-like")
    wait_for_filter(browser, "vgg_like", "conv4", 9)  # it has no conv9, so the last
    seen.append(check(browser, run, "vgg_like", "conv4", 9))
    controls.get_by_label("layer", exact=True).select_option("conv2: 8 filters")
    wait_for_filter(browser, "vgg_like", "conv2", 0)
    seen.append(check(browser, run, "vgg_like", "conv2", 0))
    assert len({picture.tobytes() for picture in seen}) == len(seen)
    assert browser.evaluate(ACTIVE) == active


def test_dark_theme_and_names_of_controls(browser: Any) -> None:
    to_dark_theme(browser)
    network = browser.locator(".tin-browser").get_by_label("network", exact=True)
    network.select_option("9-layer ConvNet")
    wait_for_message(browser, f"{catalog.title('convnet9')} · ")
    browser.focus(".tin-browser .noUi-handle")  # names the slider
    screenshot(browser, "filters_dark")
    assert browser.evaluate(UNNAMED) == []
