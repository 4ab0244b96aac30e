"""Notebook 07's saliency browser in JupyterLab: typed into, stepped through, switched."""

from typing import Any

import numpy as np
import pytest
from lab_pages import ACTIVE, UNNAMED, opened, shown, to_dark_theme
from saliency_maps import check_maps
from shots import screenshot

from tin_lib.analysis import runs

pytestmark = [pytest.mark.browser, pytest.mark.slow]

BOTH = [("convnet9", "gradient"), ("vgg_like", "gradient")]


@pytest.fixture(scope="module")
def browser(kept_page: Any, lab: str, run: runs.Run) -> Any:
    """Notebook 07 on the run, executed from top to bottom and scrolled to the browser."""
    given = f'run, tested, methods, browsed = "{run.path}", 8, "gradient", 5'
    yield from opened(kept_page, lab, "07_saliency", given)


def wait_for_message(page: Any, text: str) -> None:
    """Wait until the message, which follows the picture, contains the text."""
    page.wait_for_function(
        "text => document.querySelector('.tin-message')?.innerText.includes(text)",
        arg=text,
    )


def test_class_arrow_keys_network_and_method(browser: Any, run: runs.Run) -> None:
    val = run.data().val
    of_class = np.flatnonzero(val.labels == 2)
    browser.get_by_label("object's box").uncheck()
    wait_for_message(browser, "box=False")
    active = browser.evaluate(ACTIVE)
    field = browser.locator(".tin-browser").get_by_label("class", exact=True)
    field.focus()
    browser.keyboard.type(run.first.class_names[2].split(",")[0][:-1].upper())
    browser.keyboard.press("Tab")
    wait_for_message(browser, f"image 1 of {len(of_class)}: {val.files[of_class[0]]}")
    seen = [shown(browser)]
    check_maps(seen[-1], run, of_class[0], BOTH)

    browser.focus(".tin-strip")
    for number, key in [(1, "ArrowRight"), (7, "ArrowDown"), (6, "ArrowLeft"), (0, "ArrowUp")]:
        browser.keyboard.press(key)
        wait_for_message(browser, f"image {number + 1} of {len(of_class)}")
        seen.append(shown(browser))
        check_maps(seen[-1], run, of_class[number], BOTH)
    assert (seen[0] == seen[-1]).all()
    assert len({picture.tobytes() for picture in seen}) == len(seen) - 1

    browser.get_by_label("9-layer ConvNet", exact=True).uncheck()
    wait_for_message(browser, "networks=('vgg_like',)")
    check_maps(shown(browser), run, of_class[0], [("vgg_like", "gradient")])
    browser.get_by_label("Grad-CAM", exact=True).check()
    wait_for_message(browser, "methods=('gradient', 'grad_cam')")
    check_maps(
        shown(browser), run, of_class[0], [("vgg_like", "gradient"), ("vgg_like", "grad_cam")]
    )
    # JupyterLab has taken no key for the notebook.
    assert browser.evaluate(ACTIVE) == active
    screenshot(browser, "saliency_light")


def test_dark_theme_and_names_of_controls(browser: Any) -> None:
    to_dark_theme(browser)
    browser.focus(".tin-browser .noUi-handle")  # names the sliders
    screenshot(browser, "saliency_dark")
    assert browser.evaluate(UNNAMED) == []
