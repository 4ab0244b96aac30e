"""Notebook 09's confusion matrix in JupyterLab: clicked with a mouse, then used by keys alone."""

from typing import Any

import numpy as np
import pytest
from confusion_cells import GEOMETRY, behind, cells, centre, check_images, colour, wait_for_cell
from lab_pages import ACTIVE, UNNAMED, opened, scroll_to_browser, to_dark_theme
from shots import screenshot

from tin_lib.analysis import runs
from tin_lib.lab.widgets.confusion.cells import Cell, Cells

pytestmark = [pytest.mark.browser, pytest.mark.slow]

SECOND = "() => document.querySelector('.tin-browser select[size] option:nth-child(2)').text"


@pytest.fixture(scope="module")
def known(run: runs.Run) -> Cells:
    return Cells(run)


@pytest.fixture(scope="module")
def browser(kept_page: Any, lab: str, run: runs.Run) -> Any:
    """Notebook 09 on the run, executed from top to bottom and scrolled to the matrix."""
    given = f'run, network, browsed = "{run.path}", "convnet9", 9'
    for page in opened(kept_page, lab, "09_class_errors", given):
        page.wait_for_selector(".tin-groups canvas", state="attached")
        scroll_to_browser(page)  # again: the images have made the output higher
        yield page


def test_click_shows_the_images_behind_a_cell(browser: Any, run: runs.Run, known: Cells) -> None:
    wrong = [(a, b) for a, b in cells(run, "convnet9") if a != b]
    for label, predicted in [wrong[-1], wrong[1]]:
        rows = behind(run, "convnet9", label, predicted)
        title = f"{known.names[label]} predicted as {known.names[predicted]}"
        place = centre(browser, known.order.index(label), known.order.index(predicted))
        browser.mouse.move(*place)
        images = known.counts["convnet9"].loc[label].sum()
        assert browser.inner_text(".tin-tip") == f"{title}: {len(rows)} of {images} images"
        browser.mouse.click(*place)
        wait_for_cell(browser, f"{title} by 9-layer ConvNet")
        check_images(browser, run, rows)
        assert browser.get_by_label("true class").input_value() == known.names[label]
        assert browser.get_by_label("predicted as").input_value() == known.names[predicted]
    screenshot(browser, "confusion_light")


def test_by_keyboard_alone(browser: Any, run: runs.Run, known: Cells) -> None:
    press, names = browser.keyboard.press, known.names
    inside = browser.locator(".tin-browser")
    inside.get_by_label("network", exact=True).focus()
    active = browser.evaluate(ACTIVE)
    first = browser.inner_text(".tin-pair h3").partition(":")[0]
    press("ArrowDown")
    wait_for_cell(browser, first.replace("9-layer ConvNet", "VGG-like"))

    label, predicted = next((a, b) for a, b in cells(run, "vgg_like")[::-1] if a != b)
    press("Tab")
    browser.keyboard.type(names[label][:-1].upper())
    press("Tab")
    browser.keyboard.type(names[predicted])
    press("Tab")
    wait_for_cell(browser, f"{names[label]} predicted as {names[predicted]} by VGG-like")
    check_images(browser, run, behind(run, "vgg_like", label, predicted))

    assert browser.evaluate(GEOMETRY)["size"] == 10
    press("ArrowDown")  # zoom: five classes around the cell
    browser.wait_for_function(f"() => ({GEOMETRY})().size === 5")

    press("Tab")
    press("Home")
    press("ArrowDown")
    label, predicted = browser.evaluate(SECOND).split(": ")[1].split(" → ")
    wait_for_cell(browser, f"{label} predicted as {predicted} by VGG-like")
    wnid = {name: wnid for wnid, name in names.items()}
    check_images(browser, run, behind(run, "vgg_like", wnid[label], wnid[predicted]))

    browser.focus(".tin-matrix")
    press("Home")
    label, predicted = wnid[label], known.order[0]
    wait_for_cell(browser, known.title(Cell("vgg_like", label, predicted)))
    check_images(browser, run, behind(run, "vgg_like", label, predicted))
    # JupyterLab has taken no key for the notebook.
    assert browser.evaluate(ACTIVE) == active
    screenshot(browser, "confusion_keys")


def test_the_copied_line_runs_where_it_is_shown(browser: Any) -> None:
    browser.context.grant_permissions(["clipboard-read", "clipboard-write"])
    browser.locator(".tin-browser").get_by_role("button", name="Copy link").click()
    browser.wait_for_selector("text=Copied.")
    line = browser.evaluate("() => navigator.clipboard.readText()")
    known: dict[str, Any] = {}
    exec(f"{line.replace('; ', '; browser = ')}", known)
    assert known["browser"].view["network"] == "vgg_like"
    assert known["browser"].view["zoom"] == 5
    title = known["browser"].cells.title(known["browser"].cell)
    assert browser.inner_text(".tin-pair h3").startswith(title)
    known["browser"].close()


def test_dark_theme_and_names_of_controls(browser: Any, known: Cells) -> None:
    inside = browser.locator(".tin-browser")
    inside.get_by_label("network", exact=True).select_option("vgg_like")
    inside.get_by_label("zoom").select_option("0")
    browser.wait_for_function(f"() => ({GEOMETRY})().size === 10")
    counts = known.counts["vgg_like"].loc[known.order, known.order].to_numpy()
    empty, fullest = (np.argwhere(counts == n)[0] for n in (0, counts.max()))
    kind = int(fullest[0] != fullest[1])
    light, dark = [(0, 114, 178), (194, 84, 0)][kind], [(86, 180, 233), (245, 154, 60)][kind]
    assert colour(browser, *empty).min() > 200
    assert np.abs(colour(browser, *fullest).astype(int) - light).max() <= 1
    to_dark_theme(browser)
    browser.wait_for_timeout(500)
    assert colour(browser, *empty).max() < 60
    assert np.abs(colour(browser, *fullest).astype(int) - dark).max() <= 1
    screenshot(browser, "confusion_dark")
    assert browser.evaluate(UNNAMED) == []


def test_the_notebooks_shortcuts_work_inside_too(browser: Any) -> None:
    dirty = "jupyterapp.shell.currentWidget.context.model.dirty"
    browser.evaluate(f"() => {{ {dirty} = true; }}")
    browser.locator(".tin-browser").get_by_label("true class").focus()
    browser.keyboard.press("Control+s")
    browser.wait_for_function(f"() => !{dirty}")
    browser.focus(".tin-matrix")
    active = browser.evaluate(ACTIVE)
    browser.keyboard.press("Shift+Enter")  # runs the cell and goes to the next one
    browser.wait_for_function(f"before => ({ACTIVE})() === before + 1", arg=active)
