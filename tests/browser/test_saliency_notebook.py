"""Notebook 07's saliency browser in JupyterLab: typed into, stepped through, switched."""

from typing import Any

import numpy as np
import pytest
from lab_pages import ACTIVE, UNNAMED, opened, to_dark_theme
from saliency_maps import check_maps, wait_for_image
from shots import screenshot

from tin_lib.analysis import runs

pytestmark = [pytest.mark.browser, pytest.mark.slow]

BOTH = [("convnet9", "gradient"), ("vgg_like", "gradient")]


@pytest.fixture(scope="module")
def browser(kept_page: Any, lab: str, run: runs.Run) -> Any:
    """Notebook 07 on the run, executed from top to bottom and scrolled to the browser."""
    given = f'run, tested, methods, browsed = "{run.path}", 8, "gradient", 5'
    yield from opened(kept_page, lab, "07_saliency", given)


def test_class_arrow_keys_network_and_method(browser: Any, run: runs.Run) -> None:
    val = run.data().val
    of_class = np.flatnonzero(val.labels == 2)
    field = browser.locator(".tin-browser").get_by_label("class", exact=True)
    field.focus()
    browser.keyboard.type(run.first.class_names[2].split(",")[0][:-1].upper())
    browser.keyboard.press("Tab")
    active = browser.evaluate(ACTIVE)
    wait_for_image(browser, f"image 1 of {len(of_class)}")
    wait_for_image(browser, f"{val.files[of_class[0]]}")
    check_maps(browser, run, of_class[0], BOTH)

    browser.focus(".tin-strip")
    for number, key in [(1, "ArrowRight"), (7, "ArrowDown"), (6, "ArrowLeft"), (0, "ArrowUp")]:
        browser.keyboard.press(key)
        wait_for_image(browser, f"image {number + 1} of {len(of_class)}")
        wait_for_image(browser, f"({val.files[of_class[number]]})")
        check_maps(browser, run, of_class[number], BOTH)

    browser.get_by_label("9-layer ConvNet", exact=True).uncheck()
    browser.wait_for_selector('[data-row="convnet9/gradient"]', state="detached")
    check_maps(browser, run, of_class[0], [("vgg_like", "gradient")])
    browser.get_by_label("Grad-CAM", exact=True).check()
    browser.wait_for_selector('[data-row="vgg_like/grad_cam"]')
    check_maps(browser, run, of_class[0], [("vgg_like", "gradient"), ("vgg_like", "grad_cam")])
    # JupyterLab has taken no key for the notebook.
    assert browser.evaluate(ACTIVE) == active
    screenshot(browser, "saliency_light")


def test_the_copied_line_runs_where_it_is_shown(browser: Any, run: runs.Run) -> None:
    browser.context.grant_permissions(["clipboard-read", "clipboard-write"])
    browser.get_by_role("button", name="Copy link").click()
    browser.wait_for_selector("text=Copied.")
    line = browser.evaluate("() => navigator.clipboard.readText()")
    known: dict[str, Any] = {}
    exec(f"{line.replace('; ', '; browser = ')}", known)
    assert list(known["browser"].view["methods"]) == ["gradient", "grad_cam"]
    assert list(known["browser"].view["networks"]) == ["vgg_like"]
    known["browser"].close()


def test_a_narrow_window_has_the_controls_above(browser: Any) -> None:
    def places() -> tuple[Any, Any]:
        controls = browser.locator(".tin-controls").bounding_box()
        return controls, browser.locator(".tin-shown").bounding_box()

    controls, shown = places()
    assert shown["x"] >= controls["x"] + controls["width"]
    browser.set_viewport_size({"width": 760, "height": 1000})
    browser.wait_for_function(
        """() => document.querySelector('.tin-shown').getBoundingClientRect().top
               >= document.querySelector('.tin-controls').getBoundingClientRect().bottom"""
    )
    browser.set_viewport_size({"width": 1300, "height": 1000})


def test_dark_theme_and_names_of_controls(browser: Any) -> None:
    to_dark_theme(browser)
    screenshot(browser, "saliency_dark")
    assert browser.evaluate(UNNAMED) == []
