"""The saliency browser of the report, opened from the file system in a real browser."""

import shutil
from pathlib import Path
from typing import Any
from urllib.parse import unquote, urlparse

import numpy as np
import pytest
import torch
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
    page.wait_for_selector("#rows canvas")
    yield page
    assert page.errors == []


def shown(page: Any) -> str:
    """File name of the image in the title."""
    return page.inner_text("#title").rpartition("(")[2].rstrip(")")


def pixels(page: Any, selector: str) -> np.ndarray:
    """A canvas as float (3, 64, 64)."""
    data = page.evaluate(
        "s => [...document.querySelector(s).getContext('2d').getImageData(0, 0, 64, 64).data]",
        selector,
    )
    return np.array(data, float).reshape(64, 64, 4)[..., :3].transpose(2, 0, 1)


def tile(page: Any, network: str, method: str, name: str) -> np.ndarray:
    return pixels(page, f'[data-row="{network}/{method}"] [data-tile="{name}"]')


def computed(run: runs.Run, images: Split, network: str, method: str, file: str) -> torch.Tensor:
    """The signed map of an image, (1, 3, 64, 64)."""
    fit, row = run.fits[network], list(run.data().val.files).index(file)
    image = np.array(images.images[list(images.files).index(file)])[None]
    inputs = augment.normalise(torch.from_numpy(image), fit.mean, fit.std)
    target = torch.from_numpy(np.array(fit.logits("val")[row : row + 1])).argmax(1)
    return saliency.explain(fit.network(), inputs, method, target)


def check_pictures(page: Any, run: runs.Run, images: Split, network: str, method: str) -> None:
    """What is shown is what is computed, up to the sheets' compression."""
    file = shown(page)
    image = np.array(images.images[list(images.files).index(file)])
    maps = computed(run, images, network, method, file)
    views = {name: saliency.to_uint8(view(maps)) for name, view in saliency.VIEWS.items()}
    strength = float(page.input_value("#overlay"))
    laid = saliency.overlay(image[None], views["absolute"], strength)
    for name, wanted in [*views.items(), ("overlay", laid)]:
        found = tile(page, network, method, name)
        assert np.abs(found - wanted[0]).mean() < 255 * 0.1, (network, method, name)
    assert np.abs(pixels(page, '[data-tile="original"]') - image).mean() < 255 * 0.02


def test_pictures_are_the_computed_ones(browser: Any, run: runs.Run, images: Split) -> None:
    check_pictures(browser, run, images, "convnet9", "gradient")
    image = np.array(images.images[list(images.files).index(shown(browser))])[None]
    inputs = augment.normalise(torch.from_numpy(image), run.first.mean, run.first.std)
    off = pixels(browser, '[data-tile="preprocessed"]') - saliency.preprocessed(inputs)[0]
    assert np.abs(off).mean() < 255 * 0.02
    browser.check('#methods input[value="grad_cam"]')
    browser.wait_for_selector('[data-row="vgg_like/grad_cam"] canvas')
    check_pictures(browser, run, images, "vgg_like", "grad_cam")
    screenshot(browser, "static_browser")


def test_typing_a_class_and_arrow_keys(browser: Any, run: runs.Run, images: Split) -> None:
    names = list(errors.short_names(run.first.class_ids, run.first.class_names).values())
    browser.fill("#label", names[3][:-1].upper())
    browser.press("#label", "Tab")
    assert browser.input_value("#label") == names[3]
    mine = [str(f) for f, label in zip(images.files, images.labels) if label == 3]
    assert browser.inner_text("#count") == f"image 1 of {len(mine)}"
    browser.focus("#strip")
    for file in mine[1:]:
        before = tile(browser, "vgg_like", "gradient", "absolute")
        browser.keyboard.press("ArrowRight")
        browser.wait_for_function("f => document.title && title.textContent.includes(f)", arg=file)
        assert (tile(browser, "vgg_like", "gradient", "absolute") != before).any()
    check_pictures(browser, run, images, "vgg_like", "gradient")
    browser.keyboard.press("ArrowRight")  # the end
    assert shown(browser) == mine[-1]
    browser.keyboard.press("Home")
    assert shown(browser) == mine[0]
    browser.click("#strip [role=option] >> nth=2")
    assert shown(browser) == mine[2]


@pytest.mark.parametrize("show", ["right", "wrong", "disagree"])
def test_filters(browser: Any, run: runs.Run, images: Split, show: str) -> None:
    tables = [fit.predictions("val").set_index("file") for fit in run.fits.values()]
    wanted = 0
    for file in images.files:
        label, given = tables[0].label[file], {t.predicted[file] for t in tables}
        kinds = {"right": given == {label}, "wrong": given != {label}, "disagree": len(given) > 1}
        wanted += kinds[show]
    browser.select_option("#show", show)
    expected = f"image 1 of {wanted}" if wanted else "No image matches."
    assert browser.inner_text("#count").startswith(expected)
    assert browser.locator("#strip [role=option]").count() == wanted


def test_nothing_fits_and_back(browser: Any) -> None:
    for network in ("convnet9", "vgg_like"):
        browser.uncheck(f'#networks input[value="{network}"]')
    assert browser.locator("#rows canvas").count() == 0
    browser.select_option("#show", "disagree")
    assert browser.inner_text("#count").startswith("No image matches.")
    browser.select_option("#show", "all")
    browser.check('#networks input[value="vgg_like"]')
    browser.wait_for_selector('[data-row="vgg_like/gradient"]')
    assert browser.locator("#rows > .tiles").count() == 1


def test_link_reopens_the_view(browser: Any, address: str) -> None:
    browser.uncheck('#networks input[value="convnet9"]')
    browser.uncheck("#box")
    browser.fill("#overlay", "0.9")
    browser.focus("#strip")
    browser.keyboard.press("End")
    file, link = shown(browser), browser.get_attribute("#link", "href")
    laid = tile(browser, "vgg_like", "gradient", "overlay")
    browser.goto("about:blank")
    browser.goto(address + link)
    browser.wait_for_selector("#rows canvas")
    assert shown(browser) == file
    assert browser.locator(".outline").count() == 0
    assert browser.locator("#rows > .tiles").count() == 1
    assert (tile(browser, "vgg_like", "gradient", "overlay") == laid).all()


def test_box_is_the_objects(browser: Any, images: Split) -> None:
    box = images.boxes[list(images.files).index(shown(browser))]
    frame = browser.locator("#original .frame").first.bounding_box()
    outline = browser.locator("#original .outline").first.bounding_box()
    zoom = frame["width"] / 64
    assert outline["x"] - frame["x"] == pytest.approx(box[0] * zoom, abs=1)
    assert outline["y"] - frame["y"] == pytest.approx(box[1] * zoom, abs=1)
    assert outline["width"] == pytest.approx((box[2] + 1 - box[0]) * zoom, abs=1)
    assert outline["height"] == pytest.approx((box[3] + 1 - box[1]) * zoom, abs=1)


def test_every_control_has_a_label(browser: Any) -> None:
    unlabelled = browser.evaluate(
        """() => [...document.querySelectorAll('input, select, [role=listbox], canvas')]
               .filter(c => !c.getAttribute('aria-label') && !c.labels?.length).length"""
    )
    assert unlabelled == 0


def test_a_missing_sheet_says_so(page: Any, address: str, tmp_path: Path) -> None:
    copy = tmp_path / "copy"
    shutil.copytree(Path(unquote(urlparse(address).path)).parent, copy)
    (copy / "maps" / "convnet9_gradient.js").unlink()
    page.goto((copy / "index.html").as_uri())
    page.wait_for_selector("#rows .missing")
    assert "maps/convnet9_gradient.js is missing" in page.inner_text(".missing")
    assert page.locator('[data-row="vgg_like/gradient"] canvas').count() == 4
