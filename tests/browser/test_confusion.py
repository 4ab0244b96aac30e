"""Notebook 09's confusion matrix in JupyterLab: clicked with a mouse, then used by keys alone."""

from typing import Any

import numpy as np
import pandas as pd
import pytest
from lab_pages import ACTIVE, UNNAMED, run_with, scroll_to_browser, shown, to_dark_theme
from shots import screenshot

from tin_lib.analysis import errors, runs
from tin_lib.lab.widgets.confusion.confusion_card import TILE, ZOOM, Group

pytestmark = [pytest.mark.browser, pytest.mark.slow]

MATRIX = ".tin-browser .js-plotly-plot"
CENTRE = """([matrix, label, predicted]) => {
    const figure = document.querySelector(matrix), frame = figure.getBoundingClientRect();
    const {xaxis, yaxis} = figure._fullLayout;
    return [frame.x + xaxis._offset + xaxis.c2p(xaxis._categories.indexOf(predicted)),
            frame.y + yaxis._offset + yaxis.c2p(yaxis._categories.indexOf(label))];
}"""
SIZES = """matrix => {
    const {xaxis, yaxis} = document.querySelector(matrix)._fullLayout;
    return [xaxis.range, yaxis.range].map(([a, b]) => Math.abs(b - a));
}"""

SECOND = "() => document.querySelector('.tin-browser select[size] option:nth-child(2)').value"


@pytest.fixture(scope="module")
def names(run: runs.Run) -> dict[str, str]:
    return errors.short_names(run.first.class_ids, run.first.class_names)


@pytest.fixture
def browser(page: Any, lab: str, run: runs.Run) -> Any:
    """Notebook 09 on the run, executed from top to bottom and scrolled to the matrix."""
    run_with(page, lab, "09_class_errors", f'run, network = "{run.path}", "convnet9"')
    page.wait_for_selector(f"{MATRIX} .heatmaplayer image", state="attached")
    scroll_to_browser(page)
    yield page
    assert page.errors == []


def behind(run: runs.Run, network: str, label: str, predicted: str) -> pd.DataFrame:
    """The predictions table's rows with this label and this prediction; the index is the image."""
    table = run.fits[network].predictions("val")
    return table[(table.label == label) & (table.predicted == predicted)]


def cells(run: runs.Run, network: str) -> list[tuple[str, str]]:
    """Label and prediction of every cell that is not empty, the fullest first."""
    table = run.fits[network].predictions("val")
    return list(table.groupby(["label", "predicted"]).size().sort_values(ascending=False).index)


def wait_for_cell(page: Any, title: str) -> None:
    """Until the words below the picture are those of this cell: they come after the picture."""
    page.wait_for_function(
        "title => document.querySelector('.tin-message')?.innerText.startsWith(title + ':')",
        arg=title,
    )


def check_images(page: Any, run: runs.Run, rows: pd.DataFrame) -> None:
    """The files named are those of the rows, and the picture's tiles are their pixels."""
    described = page.inner_text(".tin-message").split("\n")[1].split(", ")
    files = [text.split(" ")[0] for text in described]
    assert sorted(files) == sorted(rows.file)
    picture, images = shown(page), run.data().val.images
    group = Group("", images[: len(files)], files)
    for number, file in enumerate(files):
        x, y = group.place(number)
        tile = picture[y : y + TILE : ZOOM, x : x + TILE : ZOOM].transpose(2, 0, 1)
        assert (tile == images[rows.index[rows.file == file][0]]).all(), file


def test_click_shows_the_images_behind_a_cell(
    browser: Any, run: runs.Run, names: dict[str, str]
) -> None:
    wrong = [(a, b) for a, b in cells(run, "convnet9") if a != b]
    for label, predicted in [wrong[-1], wrong[1]]:
        before = shown(browser)
        rows = behind(run, "convnet9", label, predicted)
        title = f"{names[label]} predicted as {names[predicted]}"
        x, y = browser.evaluate(CENTRE, [MATRIX, names[label], names[predicted]])
        browser.mouse.move(x, y)
        browser.wait_for_function(
            "([s, text]) => document.querySelector(s).textContent.includes(text)",
            arg=[f"{MATRIX} .hoverlayer", f"{title}:{len(rows)} images"],
        )
        browser.mouse.click(x, y)
        wait_for_cell(browser, f"{title} by 9-layer ConvNet")
        check_images(browser, run, rows)
        assert not np.array_equal(shown(browser), before)
        assert browser.get_by_label("true class").input_value() == names[label]
        assert browser.get_by_label("predicted as").input_value() == names[predicted]
    screenshot(browser, "confusion_light")


def test_by_keyboard_alone(browser: Any, run: runs.Run, names: dict[str, str]) -> None:
    press = browser.keyboard.press
    browser.get_by_label("network", exact=True).focus()
    active = browser.evaluate(ACTIVE)
    first = browser.inner_text(".tin-message b")
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

    assert browser.evaluate(SIZES, MATRIX) == [10, 10]
    press("ArrowDown")  # zoom: five classes around the cell
    browser.wait_for_function(f"m => ({SIZES})(m).join() === '5,5'", arg=MATRIX)

    press("Tab")
    press("Home")
    press("ArrowDown")
    second = browser.evaluate(SECOND)
    label, predicted = second.split(": ")[1].split(" → ")
    wait_for_cell(browser, f"{label} predicted as {predicted} by VGG-like")
    wnid = {name: wnid for wnid, name in names.items()}
    check_images(browser, run, behind(run, "vgg_like", wnid[label], wnid[predicted]))
    # JupyterLab has taken no key for the notebook.
    assert browser.evaluate(ACTIVE) == active
    screenshot(browser, "confusion_keys")


def test_dark_theme_and_names_of_controls(browser: Any) -> None:
    to_dark_theme(browser)
    screenshot(browser, "confusion_dark")
    browser.evaluate("document.querySelector('.tin-message').scrollIntoView()")
    screenshot(browser, "confusion_dark_words")
    unnamed = browser.evaluate(UNNAMED)
    assert unnamed == []
