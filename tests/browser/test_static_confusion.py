"""The confusion browser of the report, opened from the file system in a real browser."""

import shutil
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs, unquote, urlparse

import numpy as np
import pytest
from confusion_cells import (
    GEOMETRY,
    MATRIX,
    behind,
    captions,
    cells,
    centre,
    check_images,
    colour,
    wait_for_cell,
)
from lab_pages import UNNAMED
from PIL import Image
from shots import screenshot

from tin_lib.analysis import runs
from tin_lib.lab.widgets import write_static_confusion
from tin_lib.lab.widgets.confusion.cells import Cell, Cells

pytestmark = pytest.mark.browser
LIMIT = 60
LOSS = 255 * 0.03  # of the compression


@pytest.fixture(scope="module")
def known(run: runs.Run) -> Cells:
    return Cells(run)


@pytest.fixture(scope="module")
def address(run: runs.Run, tmp_path_factory: pytest.TempPathFactory) -> str:
    folder = tmp_path_factory.mktemp("page")
    return write_static_confusion(run, run.data(), folder, len(run.data().val)).as_uri()


@pytest.fixture(scope="module")
def part(run: runs.Run, tmp_path_factory: pytest.TempPathFactory) -> str:
    """A page with some of the images."""
    folder = tmp_path_factory.mktemp("page")
    return write_static_confusion(run, run.data(), folder, LIMIT).as_uri()


@pytest.fixture
def browser(page: Any, address: str) -> Any:
    """The page with all images, opened; no error in its console at the end."""
    page.goto(address)
    page.wait_for_selector(".tin-groups canvas")
    yield page
    assert page.errors == []


def click(page: Any, known: Cells, label: str, predicted: str) -> str:
    """Click a cell and wait for its images; returns its title without the network."""
    page.mouse.click(*centre(page, known.order.index(label), known.order.index(predicted)))
    title = f"{known.names[label]} predicted as {known.names[predicted]}"
    if label == predicted:
        title = f"{known.names[label]}, correctly predicted"
    wait_for_cell(page, f"{title} by 9-layer ConvNet")
    return title


def test_click_shows_the_images_of_the_cell(browser: Any, run: runs.Run, known: Cells) -> None:
    filled = cells(run, "convnet9")
    wrong = [pair for pair in filled if pair[0] != pair[1]]
    right = [pair for pair in filled if pair[0] == pair[1]]
    for label, predicted in [wrong[-1], wrong[1], *right[:1]]:
        rows = behind(run, "convnet9", label, predicted)
        title = click(browser, known, label, predicted)
        check_images(browser, run, rows, LOSS)
        assert browser.get_by_label("true class").input_value() == known.names[label]
        assert browser.get_by_label("predicted as").input_value() == known.names[predicted]
        assert browser.inner_text(".tin-tip") == (
            f"{title}: {len(rows)} of {known.counts['convnet9'].loc[label].sum()} images"
        )
    screenshot(browser, "static_confusion")


def test_the_matrix_has_the_counts_as_colours(browser: Any, known: Cells) -> None:
    counts = known.counts["convnet9"].loc[known.order, known.order].to_numpy()
    found = np.array([[colour(browser, i, j) for j in range(10)] for i in range(10)], int)
    for i, j in np.ndindex(counts.shape):
        red, _, blue = found[i, j]
        if not counts[i, j]:
            assert (found[i, j] == 255).all()
        else:  # blue on the diagonal, orange beside it
            assert (blue > red) == (i == j), (i, j)
    wrong = counts - np.diag(np.diag(counts))
    darkness = (255 - found).sum(2)
    for kind in (wrong, np.diag(np.diag(counts))):
        filled = kind.nonzero()
        ordered = np.argsort(kind[filled], kind="stable")
        assert (np.diff(darkness[filled][ordered]) >= -3).all()


def test_arrow_keys_move_the_cell(browser: Any, run: runs.Run, known: Cells) -> None:
    order, names = known.order, known.names
    click(browser, known, order[3], order[5])
    browser.focus(MATRIX)
    moves = [("ArrowRight", 3, 6), ("ArrowDown", 4, 6), ("ArrowLeft", 4, 5), ("ArrowUp", 3, 5)]
    for key, row, column in [*moves, ("Home", 3, 0), ("ArrowLeft", 3, 0), ("End", 3, 9)]:
        browser.keyboard.press(key)
        wait_for_cell(
            browser, f"{names[order[row]]} predicted as {names[order[column]]} by 9-layer ConvNet"
        )
        check_images(browser, run, behind(run, "convnet9", order[row], order[column]), LOSS)


def test_keys_alone_stay_and_combinations_reach_jupyterlab(browser: Any) -> None:
    browser.evaluate(
        """() => { window.reached = [];
                   document.addEventListener('keydown', e => reached.push(e.key)); }"""
    )
    kept = ["ArrowDown", "a", "Enter", "Control+z", "Control+Shift+Z"]
    for place in (".tin-matrix", "[aria-label='true class']"):
        for keys in [*kept, "Shift+Enter", "Escape", "Control+s"]:
            browser.focus(place)
            browser.keyboard.press(keys)
    reached = browser.evaluate("() => reached.filter(key => !['Control', 'Shift'].includes(key))")
    assert reached == 2 * ["Enter", "Escape", "s"]


def test_zoom_frames_the_cell_and_moves_when_it_is_left(browser: Any, known: Cells) -> None:
    order = known.order
    click(browser, known, order[2], order[8])
    browser.get_by_label("zoom").select_option("5")
    browser.wait_for_function(f"() => ({GEOMETRY})().size === 5")
    assert browser.evaluate(GEOMETRY)["first"] == [0, 5]
    browser.focus(MATRIX)
    for key, first in [("ArrowDown", [0, 5]), ("ArrowDown", [0, 5]), ("ArrowDown", [3, 5])]:
        browser.keyboard.press(key)
        assert browser.evaluate(GEOMETRY)["first"] == first
    click(browser, known, order[4], order[6])
    assert browser.evaluate(GEOMETRY)["first"] == [3, 5]
    browser.get_by_label("zoom").select_option("0")
    assert browser.evaluate(GEOMETRY)["size"] == 10


def test_errors_network_and_typed_classes(browser: Any, run: runs.Run, known: Cells) -> None:
    browser.get_by_label("network").select_option("soft vote")
    pairs = known.pairs["soft vote"]
    options = browser.get_by_label("most frequent errors").locator("option")
    wanted = [
        f"{n} of {p.images}: {p.label_name} → {p.predicted_name}"
        for p, n in zip(pairs.itertuples(), pairs["count"])
    ]
    assert options.all_inner_texts() == wanted
    browser.get_by_label("most frequent errors").select_option(index=2)
    wait_for_cell(
        browser, f"{pairs.label_name[2]} predicted as {pairs.predicted_name[2]} by soft vote"
    )
    rows = known.behind(Cell("soft vote", pairs.label[2], pairs.predicted[2]))
    check_images(browser, run, rows.set_index("row"), LOSS)
    browser.get_by_label("network").select_option("vgg_like")
    label, predicted = next((a, b) for a, b in cells(run, "vgg_like")[::-1] if a != b)
    for field, wnid in (("true class", label), ("predicted as", predicted)):
        browser.get_by_label(field).fill(known.names[wnid][:-1].upper())
        browser.keyboard.press("Tab")
    wait_for_cell(
        browser, f"{known.names[label]} predicted as {known.names[predicted]} by VGG-like"
    )
    check_images(browser, run, behind(run, "vgg_like", label, predicted), LOSS)
    before = browser.inner_text(".tin-pair h3")
    browser.get_by_label("true class").fill("zebra crossing")
    browser.keyboard.press("Tab")
    answer = browser.locator(".tin-controls [role=alert]").first
    assert answer.inner_text() == 'No class has a name or id with "zebra crossing".'
    assert browser.get_by_label("true class").input_value() == "zebra crossing"
    assert browser.inner_text(".tin-pair h3") == before


def test_link_back_and_what_is_unknown_in_it(browser: Any, address: str, known: Cells) -> None:
    order = known.order
    first = browser.inner_text(".tin-pair h3")
    browser.get_by_label("zoom").select_option("5")
    browser.get_by_label("network").select_option("vgg_like")
    link, shown = browser.url, browser.inner_text(".tin-pair h3")
    state = {name: value for name, (value,) in parse_qs(urlparse(link).fragment).items()}
    assert (state["network"], state["zoom"]) == ("vgg_like", "5")
    browser.go_back()
    browser.wait_for_function(
        "text => document.querySelector('.tin-pair h3').innerText === text", arg=first
    )
    browser.goto("about:blank")
    browser.goto(link)
    browser.wait_for_selector(".tin-groups h4")
    assert browser.inner_text(".tin-pair h3") == shown
    assert browser.evaluate(GEOMETRY)["size"] == 5
    browser.goto("about:blank")
    browser.goto(f"{address}#network=resnet&label={order[4]}&predicted=n1&zoom=7")
    said = browser.inner_text(".tin-shown > [role=alert]")
    assert said.startswith('Not known here: network "resnet", class "n1", zoom "7".')
    assert browser.inner_text(".tin-pair h3").startswith(known.names[order[4]])


def test_a_part_of_the_images_says_so(page: Any, part: str, run: runs.Run, known: Cells) -> None:
    page.goto(part)
    page.wait_for_selector(".tin-groups h4")
    total = len(run.data().val)
    assert f"This copy has {LIMIT} of {total} images" in page.inner_text(".tin-shown")
    seen = 0
    for label, predicted in [p for p in cells(run, "convnet9") if p[0] != p[1]]:
        click(page, known, label, predicted)
        count, held = len(behind(run, "convnet9", label, predicted)), len(captions(page))
        said = page.locator(".tin-groups section").first.inner_text()
        images, verb = "image" if count == 1 else "images", "is" if held == 1 else "are"
        note = f"{held} of {count} {images} {verb} in this copy"
        assert (note in said) == (held < count)
        seen += held < count
    assert seen
    assert page.errors == []


def test_saved_picture_is_sharp(browser: Any, known: Cells, tmp_path: Path) -> None:
    place = browser.locator(".tin-pair").bounding_box()
    with browser.expect_download() as download:
        browser.get_by_role("button", name="Save PNG").click()
    cell = known.worst("convnet9")
    names = [known.names[cell.label], "as", known.names[cell.predicted]]
    wanted = "_".join(["confusion", "convnet9", *names]).replace(" ", "-")
    assert download.value.suggested_filename == f"{wanted}.png"
    download.value.save_as(tmp_path / "saved.png")
    with Image.open(tmp_path / "saved.png") as file:
        saved = np.array(file.convert("RGB"))
    assert saved.shape[1] == pytest.approx(2 * (place["width"] + 32), abs=2)
    for at in (2, 7):  # numbers are in the middle of a cell
        off = 0.3 * browser.evaluate(GEOMETRY)["side"] / 10
        x, y = (v - off - place[k] + 16 for v, k in zip(centre(browser, at, at), "xy"))
        assert (saved[round(2 * y), round(2 * x)] == colour(browser, at, at)).all()


def test_the_matrix_follows_the_theme(browser: Any, known: Cells) -> None:
    counts = known.counts["convnet9"].loc[known.order, known.order].to_numpy()
    empty = tuple(int(v) for v in np.argwhere(counts == 0)[0])
    assert colour(browser, *empty).min() == 255
    browser.emulate_media(color_scheme="dark")
    browser.wait_for_timeout(500)
    assert colour(browser, *empty).max() < 40
    screenshot(browser, "static_confusion_dark")


def test_names_of_controls_and_link_back(browser: Any) -> None:
    assert browser.evaluate(UNNAMED) == []
    assert browser.get_attribute("#back", "href") == "../../index.html"


@pytest.mark.parametrize("width", [360, 800, 1280, 1800])
def test_no_scroll_bar_across_and_images_beside(browser: Any, width: int) -> None:
    browser.set_viewport_size({"width": width, "height": 900})
    browser.wait_for_function("() => document.documentElement.scrollWidth <= innerWidth")
    browser.wait_for_function(
        f"""() => Math.abs(({GEOMETRY})().side + ({GEOMETRY})().left + 4
            - document.querySelector('.tin-matrix').clientWidth) < 1.5"""
    )
    matrix = browser.locator(MATRIX).bounding_box()
    images = browser.locator(".tin-groups").bounding_box()
    if width >= 1280:
        assert images["x"] >= matrix["x"] + matrix["width"]
    else:
        assert images["y"] >= matrix["y"] + matrix["height"]


def test_a_missing_sheet_says_so(page: Any, address: str, tmp_path: Path) -> None:
    copy = tmp_path / "copy"
    shutil.copytree(Path(unquote(urlparse(address).path)).parent, copy)
    (copy / "images.js").unlink()
    page.goto((copy / "index.html").as_uri())
    page.wait_for_selector(".tin-groups .tin-answer")
    assert "images.js is missing" in page.inner_text(".tin-groups .tin-answer")
    assert page.evaluate(GEOMETRY)["size"] == 10
