"""The saliency browser of the report, opened from the file system in a real browser."""

import shutil
from pathlib import Path
from typing import Any
from urllib.parse import unquote, urlparse

import numpy as np
import pytest
import torch
from lab_pages import UNNAMED, canvas
from saliency_maps import computed, tile, wait_for_image
from shots import screenshot

from tin_lib import augment
from tin_lib.analysis import errors, runs, saliency
from tin_lib.data import Split
from tin_lib.lab.widgets.saliency import static

pytestmark = pytest.mark.browser
METHODS = ("gradient", "grad_cam")
LIMIT = 60


@pytest.fixture(scope="module")
def images(run: runs.Run) -> Split:
    """The images that the page shows."""
    val = run.data().val
    return val.select(static.spread(val.labels, LIMIT))


@pytest.fixture(scope="module")
def address(run: runs.Run, tmp_path_factory: pytest.TempPathFactory) -> str:
    folder = tmp_path_factory.mktemp("page")
    return static.write_static_browser(run, run.data(), folder, METHODS, LIMIT).as_uri()


@pytest.fixture
def browser(page: Any, address: str) -> Any:
    """The page, opened; no error in its console at the end."""
    page.goto(address)
    page.wait_for_selector("[data-row] canvas")
    yield page
    assert page.errors == []


def shown(page: Any) -> str:
    """File name of the image in the title."""
    return page.inner_text(".tin-card h3").rpartition("(")[2].rstrip(")")


def check_pictures(page: Any, run: runs.Run, images: Split, network: str, method: str) -> None:
    """What is shown is what is computed, up to the sheets' compression."""
    file = shown(page)
    image = np.array(images.images[list(images.files).index(file)])
    maps = computed(run, list(run.data().val.files).index(file), network, method)
    views = {name: saliency.to_uint8(view(maps)) for name, view in saliency.VIEWS.items()}
    strength = float(page.get_by_role("slider", name="overlay").input_value())
    laid = saliency.overlay(image[None], views["absolute"], strength)
    for name, wanted in [*views.items(), ("overlay", laid)]:
        found = tile(page, network, method, name).astype(float)
        assert np.abs(found - wanted[0]).mean() < 255 * 0.1, (network, method, name)
    original = canvas(page, '[data-tile="original"]').astype(float)
    assert np.abs(original - image).mean() < 255 * 0.02


def test_pictures_are_the_computed_ones(browser: Any, run: runs.Run, images: Split) -> None:
    check_pictures(browser, run, images, "convnet9", "gradient")
    image = np.array(images.images[list(images.files).index(shown(browser))])[None]
    inputs = augment.normalise(torch.from_numpy(image), run.first.mean, run.first.std)
    off = canvas(browser, '[data-tile="preprocessed"]') - saliency.preprocessed(inputs)[0].astype(
        float
    )
    assert np.abs(off).mean() < 255 * 0.02
    browser.get_by_label("Grad-CAM", exact=True).check()
    browser.wait_for_selector('[data-row="vgg_like/grad_cam"] canvas')
    check_pictures(browser, run, images, "vgg_like", "grad_cam")
    screenshot(browser, "static_browser")


def test_typing_a_class_and_arrow_keys(browser: Any, run: runs.Run, images: Split) -> None:
    names = list(errors.short_names(run.first.class_ids, run.first.class_names).values())
    field = browser.get_by_label("class", exact=True)
    field.fill(names[3][:-1].upper())
    field.press("Tab")
    assert field.input_value() == names[3]
    mine = [str(f) for f, label in zip(images.files, images.labels) if label == 3]
    wait_for_image(browser, f"image 1 of {len(mine)}")
    wait_for_image(browser, f"({mine[0]})")
    browser.focus(".tin-strip")
    for file in mine[1:]:
        before = tile(browser, "vgg_like", "gradient", "absolute")
        browser.keyboard.press("ArrowRight")
        wait_for_image(browser, f"({file})")
        assert (tile(browser, "vgg_like", "gradient", "absolute") != before).any()
    check_pictures(browser, run, images, "vgg_like", "gradient")
    browser.keyboard.press("ArrowRight")  # the end
    assert shown(browser) == mine[-1]
    browser.keyboard.press("Home")
    wait_for_image(browser, f"({mine[0]})")
    browser.click(".tin-strip > * >> nth=2")
    wait_for_image(browser, f"({mine[2]})")


def test_arrow_keys_that_no_control_takes(browser: Any) -> None:
    browser.keyboard.press("Alt+ArrowRight")  # the web browser's: forward
    browser.keyboard.press("ArrowRight")
    wait_for_image(browser, f"image 2 of {LIMIT}")
    browser.keyboard.press("ArrowLeft")
    wait_for_image(browser, f"image 1 of {LIMIT}")


def test_buttons_turn_the_pages_of_the_strip(browser: Any) -> None:
    browser.get_by_role("button", name="later images", exact=True).click()
    wait_for_image(browser, f"image 25 of {LIMIT}")
    browser.get_by_role("button", name="earlier images", exact=True).click()
    wait_for_image(browser, f"image 1 of {LIMIT}")


def test_an_unknown_class_is_answered_and_kept(browser: Any) -> None:
    field = browser.get_by_label("class", exact=True)
    before = shown(browser)
    field.fill("zebra crossing")
    field.press("Tab")
    answer = browser.locator(".tin-controls [role=alert]").first
    assert answer.inner_text() == 'No class has a name or id with "zebra crossing".'
    assert field.input_value() == "zebra crossing"
    assert shown(browser) == before
    browser.get_by_label("object's box").uncheck()
    assert answer.is_visible()
    assert field.input_value() == "zebra crossing"
    field.fill("")
    field.press("Tab")
    assert not answer.is_visible()


@pytest.mark.parametrize("show", ["right", "wrong", "disagree"])
def test_filters(browser: Any, run: runs.Run, images: Split, show: str) -> None:
    tables = [fit.predictions("val").set_index("file") for fit in run.fits.values()]
    wanted = 0
    for file in images.files:
        label, given = tables[0].label[file], {t.predicted[file] for t in tables}
        kinds = {"right": given == {label}, "wrong": given != {label}, "disagree": len(given) > 1}
        wanted += kinds[show]
    browser.get_by_label("show", exact=True).select_option(show)
    wait_for_image(browser, f"image 1 of {wanted}" if wanted else "No image matches.")
    assert browser.locator(".tin-strip [role=option]").count() == min(wanted, 24)


def test_nothing_fits_and_back(browser: Any) -> None:
    browser.get_by_label("9-layer ConvNet", exact=True).uncheck()
    browser.wait_for_selector('[data-row="convnet9/gradient"]', state="detached")
    browser.get_by_label("VGG-like", exact=True).click()  # the last one stays
    assert "at least one network" in browser.inner_text(".tin-shown > [role=alert]")
    assert browser.get_by_label("VGG-like", exact=True).is_checked()
    browser.get_by_label("show", exact=True).select_option("disagree")
    wait_for_image(browser, "No image matches.")
    assert browser.locator(".tin-card").count() == 0
    browser.get_by_label("show", exact=True).select_option("all")
    browser.wait_for_selector('[data-row="vgg_like/gradient"] canvas')
    assert browser.locator("[data-row]").count() == 1


def test_link_reopens_the_view(browser: Any, address: str) -> None:
    browser.get_by_label("9-layer ConvNet", exact=True).uncheck()
    browser.get_by_label("object's box").uncheck()
    browser.get_by_role("slider", name="overlay").fill("0.9")
    browser.focus(".tin-strip")
    browser.keyboard.press("End")
    wait_for_image(browser, f"image {LIMIT} of {LIMIT}")
    browser.wait_for_function("() => !document.querySelector('.tin-outline')")
    file, link = shown(browser), browser.url
    laid = tile(browser, "vgg_like", "gradient", "overlay")
    browser.goto("about:blank")
    browser.goto(link)
    browser.wait_for_selector("[data-row] canvas")
    assert shown(browser) == file
    assert browser.locator(".tin-outline").count() == 0
    assert browser.locator("[data-row]").count() == 1
    assert (tile(browser, "vgg_like", "gradient", "overlay") == laid).all()


def test_a_stale_link_says_what_is_unknown_and_shows_the_rest(browser: Any, address: str) -> None:
    browser.goto("about:blank")
    browser.goto(f"{address}#show=constructor&overlay=much&networks=vgg_like,resnet&box=false")
    said = 'Not known here: choice of images "constructor", network "resnet", overlay "much".'
    browser.wait_for_selector(f"text={said}")
    browser.wait_for_selector('[data-row="vgg_like/gradient"] canvas')
    assert browser.locator("[data-row]").count() == 1
    assert browser.locator(".tin-outline").count() == 0
    assert browser.get_by_label("show", exact=True).input_value() == "all"


def test_box_is_the_objects(browser: Any, images: Split) -> None:
    box = images.boxes[list(images.files).index(shown(browser))]
    frame = browser.locator(".tin-frame").first.bounding_box()
    outline = browser.locator(".tin-frame .tin-outline").first.bounding_box()
    zoom = frame["width"] / 64
    assert outline["x"] - frame["x"] == pytest.approx(box[0] * zoom, abs=1)
    assert outline["y"] - frame["y"] == pytest.approx(box[1] * zoom, abs=1)
    assert outline["width"] == pytest.approx((box[2] + 1 - box[0]) * zoom, abs=1)
    assert outline["height"] == pytest.approx((box[3] + 1 - box[1]) * zoom, abs=1)


def test_names_of_controls_note_and_link_back(browser: Any, run: runs.Run) -> None:
    assert browser.evaluate(UNNAMED) == []
    total = len(run.data().val)
    assert f"This copy has {LIMIT} of {total} images" in browser.inner_text(".tin-shown")
    assert browser.get_attribute("#back", "href") == "../../index.html"


@pytest.mark.parametrize("width", [360, 800, 1280, 1800])
def test_no_scroll_bar_across(browser: Any, width: int) -> None:
    browser.set_viewport_size({"width": width, "height": 900})
    browser.wait_for_function("() => document.documentElement.scrollWidth <= innerWidth")
    own = browser.evaluate(
        """() => [...document.querySelectorAll('.tin-browser *')]
               .filter(e => e.tagName !== 'INPUT' && e.scrollWidth > e.clientWidth + 1
                            && ['auto', 'scroll'].includes(getComputedStyle(e).overflowX))
               .map(e => e.className)"""
    )
    assert own == []


def test_a_missing_or_damaged_sheet_says_so(page: Any, address: str, tmp_path: Path) -> None:
    copy = tmp_path / "copy"
    shutil.copytree(Path(unquote(urlparse(address).path)).parent, copy)
    sheet = copy / "maps" / "convnet9_gradient.js"
    row = '[data-row="convnet9/gradient"]'
    sheet.write_text(sheet.read_text()[:-1000])
    page.goto((copy / "index.html").as_uri())
    page.wait_for_selector(f"{row} .tin-answer")
    assert "maps/convnet9_gradient.js is damaged" in page.inner_text(f"{row} .tin-answer")
    sheet.unlink()
    page.reload()
    page.wait_for_selector(f"{row} .tin-answer")
    assert "maps/convnet9_gradient.js is missing" in page.inner_text(f"{row} .tin-answer")
    page.wait_for_selector('[data-row="vgg_like/gradient"] canvas')
    assert page.locator('[data-row="vgg_like/gradient"] canvas').count() == 4
