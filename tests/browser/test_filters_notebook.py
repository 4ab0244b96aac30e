"""Notebook 08's filter browser in JupyterLab: a click, arrow keys, another network and layer."""

from typing import Any

import numpy as np
import pytest
from filter_pages import check_pictures, wait_for_filter
from lab_pages import ACTIVE, UNNAMED, canvas, opened, to_dark_theme
from shots import screenshot

from tin_lib.analysis import filters, runs
from tin_lib.lab.widgets import FilterBrowser

pytestmark = [pytest.mark.browser, pytest.mark.slow]

STEPS, SURVEY = 2, 200


@pytest.fixture(scope="module")
def browser(kept_page: Any, lab: str, run: runs.Run) -> Any:
    """Notebook 08 on the run, executed from top to bottom and scrolled to the browser."""
    given = f'run, steps, filters_shown, epochs = "{run.path}", {STEPS}, 2, 1'
    yield from opened(kept_page, lab, "08_filters", given)


def check(page: Any, run: runs.Run, name: str, layer: str, index: int) -> np.ndarray:
    """The maximising image is the library's, and all else is what Python answers here."""
    wait_for_filter(page, name, layer, index)
    python = FilterBrowser(run, images=SURVEY, steps=STEPS)  # it reads what the kernel has kept
    # Another process may add in another order: one step of rounding, at few pixels.
    check_pictures(page, python, name, layer, index, within=0.01)
    python.close()
    fit = run.fits[name]
    made = filters.maximise(
        fit.network(), layer, (fit.mean, fit.std), [index], filters.Options(steps=STEPS)
    )
    shown = canvas(page, '[data-tile="maximising image"]')
    differs = np.abs(shown.astype(int) - made.images[0])
    assert differs.max() <= 1
    assert (differs != 0).mean() < 0.01
    return shown


def test_click_arrow_keys_network_and_layer(browser: Any, run: runs.Run) -> None:
    seen = [check(browser, run, "convnet9", "conv9", 0)]
    browser.click(".tin-strip > * >> nth=8")
    seen.append(check(browser, run, "convnet9", "conv9", 8))
    active = browser.evaluate(ACTIVE)
    browser.focus(".tin-strip")
    browser.keyboard.press("ArrowRight")
    seen.append(check(browser, run, "convnet9", "conv9", 9))
    screenshot(browser, "filters_light")

    controls = browser.locator(".tin-browser")
    controls.get_by_label("network", exact=True).select_option("VGG-like")
    seen.append(check(browser, run, "vgg_like", "conv4", 9))  # it has no conv9, so the last
    controls.get_by_label("layer", exact=True).select_option("conv2")
    seen.append(check(browser, run, "vgg_like", "conv2", 0))
    controls.get_by_label("order", exact=True).select_option("dead first, then the rarest")
    check(browser, run, "vgg_like", "conv2", 0)
    assert len({picture.tobytes() for picture in seen}) == len(seen)
    assert browser.evaluate(ACTIVE) == active


def test_the_strip_turns_pages_and_images_are_computed(browser: Any, run: runs.Run) -> None:
    controls = browser.locator(".tin-browser")
    controls.get_by_label("order", exact=True).select_option("by number")
    controls.get_by_label("network", exact=True).select_option("9-layer ConvNet")
    controls.get_by_label("layer", exact=True).select_option("conv7")
    wait_for_filter(browser, "convnet9", "conv7", 0)
    controls.get_by_title("later filters").click()
    check(browser, run, "convnet9", "conv7", 24)
    tile = canvas(browser, ".tin-strip > :nth-child(3) canvas")
    stored = FilterBrowser(run, images=SURVEY, steps=STEPS)
    wanted = stored.source.stores["convnet9"].image("conv7", "fourier", 26)
    stored.close()
    assert (tile == wanted).all()


def test_the_copied_line_runs_where_it_is_shown(browser: Any, run: runs.Run) -> None:
    browser.context.grant_permissions(["clipboard-read", "clipboard-write"])
    browser.get_by_role("button", name="Copy link").click()
    browser.wait_for_selector("text=Copied.")
    line = browser.evaluate("() => navigator.clipboard.readText()")
    known: dict[str, Any] = {}
    exec(line.replace("; ", "; browser = "), known)
    wanted = {"layer": "conv7", "filter": 24, "images": SURVEY, "steps": STEPS}
    assert known["browser"].view == wanted
    known["browser"].close()


def test_dark_theme_and_names_of_controls(browser: Any) -> None:
    to_dark_theme(browser)
    screenshot(browser, "filters_dark")
    assert browser.evaluate(UNNAMED) == []
