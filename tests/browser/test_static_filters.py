"""The filter browser of the report, opened from the file system in a real browser."""

import shutil
from pathlib import Path
from typing import Any
from urllib.parse import unquote, urlparse

import numpy as np
import pytest
from filter_pages import check_pictures, wait_for_filter
from lab_pages import UNNAMED
from shots import screenshot

from tin_lib.analysis import runs
from tin_lib.lab.widgets import FilterBrowser, write_static_filters
from tin_lib.lab.widgets.module import joined

pytestmark = pytest.mark.browser
SHOWN, IMAGES, STEPS = 8, 60, 2


@pytest.fixture(scope="module")
def address(run: runs.Run, tmp_path_factory: pytest.TempPathFactory) -> str:
    folder = tmp_path_factory.mktemp("page")
    return write_static_filters(run, run.data(), folder, SHOWN, IMAGES, STEPS).as_uri()


@pytest.fixture
def browser(page: Any, address: str) -> Any:
    """The page, opened; no error in its console at the end."""
    page.goto(address)
    wait_for_filter(page, "convnet9", "conv9", 0)
    yield page
    assert page.errors == []


@pytest.fixture(scope="module")
def python(run: runs.Run) -> FilterBrowser:
    """The browser with Python, which answers the same."""
    made = FilterBrowser(run, images=IMAGES, steps=STEPS)
    yield made
    made.close()


def check(page: Any, python: FilterBrowser, network: str, layer: str, index: int) -> None:
    """What is shown is what is computed, up to the sheets' compression."""
    wait_for_filter(page, network, layer, index)
    check_pictures(page, python, network, layer, index, within=255 * 0.06)


def test_pictures_and_texts_are_the_computed_ones(browser: Any, python: FilterBrowser) -> None:
    check(browser, python, "convnet9", "conv9", 0)
    browser.get_by_label("layer", exact=True).select_option("conv1")
    check(browser, python, "convnet9", "conv1", 0)
    browser.get_by_label("network", exact=True).select_option("VGG-like")
    check(browser, python, "vgg_like", "conv1", 0)
    browser.get_by_label("layer", exact=True).select_option("conv4")
    check(browser, python, "vgg_like", "conv4", 0)
    screenshot(browser, "static_filters")


def test_strip_arrow_keys_and_number(browser: Any, python: FilterBrowser) -> None:
    browser.get_by_label("order", exact=True).select_option("roughest kernel first")
    reply, _ = python.answer("view", {"network": "convnet9", "order": "roughness"})
    order = [index for index in reply["filters"] if index < SHOWN]
    names = [f"filter {index}" for index in order]
    browser.wait_for_function(
        """names => [...document.querySelectorAll('.tin-strip [role=option]')]
               .map(each => each.ariaLabel).join() === names.join()""",
        arg=names,
    )
    browser.click(".tin-strip > * >> nth=2")
    check(browser, python, "convnet9", "conv9", order[2])
    browser.focus(".tin-strip")
    browser.keyboard.press("ArrowRight")
    check(browser, python, "convnet9", "conv9", order[3])
    browser.keyboard.press("End")
    check(browser, python, "convnet9", "conv9", order[-1])
    field = browser.get_by_label("filter", exact=True)
    field.fill("2")
    field.press("Tab")
    check(browser, python, "convnet9", "conv9", 2)
    selected = browser.locator(".tin-strip [aria-selected=true]")
    assert selected.get_attribute("aria-label") == "filter 2"
    browser.evaluate("() => document.activeElement.blur()")  # no control has the focus
    at = order.index(2)
    browser.keyboard.press("ArrowRight" if at == 0 else "ArrowLeft")
    check(browser, python, "convnet9", "conv9", order[1 if at == 0 else at - 1])


def test_a_number_that_is_not_there_is_answered_and_kept(browser: Any) -> None:
    field = browser.get_by_label("filter", exact=True)
    field.fill("8")
    field.press("Tab")
    answer = browser.locator(".tin-controls [role=alert]")
    assert answer.inner_text() == "Here, conv9 has the filters 0 to 7."
    assert field.input_value() == "8"
    field.fill("7")
    field.press("Tab")
    wait_for_filter(browser, "convnet9", "conv9", 7)
    assert not answer.is_visible()


def test_link_reopens_the_view_and_back_undoes_a_choice(browser: Any, address: str) -> None:
    browser.get_by_label("network", exact=True).select_option("VGG-like")
    wait_for_filter(browser, "vgg_like", "conv4", 0)
    browser.get_by_label("order", exact=True).select_option("dead first, then the rarest")
    browser.get_by_label("filter", exact=True).fill("5")
    browser.keyboard.press("Tab")
    wait_for_filter(browser, "vgg_like", "conv4", 5)
    link = browser.url
    browser.goto("about:blank")
    browser.goto(link)
    wait_for_filter(browser, "vgg_like", "conv4", 5)
    order = browser.get_by_label("order", exact=True)
    assert order.input_value() == "dead"
    order.select_option("by number")
    browser.wait_for_function("() => !location.hash.includes('dead')")
    browser.go_back()
    browser.wait_for_function("() => document.querySelector('[aria-label=order]').value === 'dead'")


def test_a_stale_link_says_what_is_unknown_and_shows_the_rest(browser: Any, address: str) -> None:
    browser.goto("about:blank")
    browser.goto(f"{address}#network=vgg_like&layer=conv3&filter=4&order=beauty")
    wait_for_filter(browser, "vgg_like", "conv4", 4)
    said = 'Not known here: order "beauty", layer "conv3". The rest of the link is shown.'
    browser.wait_for_selector(f"text={said}")
    browser.goto("about:blank")
    browser.goto(f"{address}#network=vgg_like&filter=15")
    wait_for_filter(browser, "vgg_like", "conv4", 0)
    browser.wait_for_selector('text=Not known here: filter "15".')
    browser.goto("about:blank")
    browser.goto(f"{address}#layer=constructor")
    browser.wait_for_selector('text=Not known here: layer "constructor".')
    wait_for_filter(browser, "convnet9", "conv9", 0)


def test_receptive_fields_are_outlined(browser: Any, python: FilterBrowser) -> None:
    browser.get_by_label("network", exact=True).select_option("VGG-like")
    wait_for_filter(browser, "vgg_like", "conv4", 0)
    reply, _ = python.answer("view", {"network": "vgg_like"})
    frames = browser.locator("[data-part=images] .tin-frame")
    outlines = browser.locator("[data-part=images] .tin-outline")
    assert frames.count() == outlines.count() == len(reply["images"]) > 0
    for at, image in enumerate(reply["images"]):
        x0, y0, x1, y1 = np.clip(image["box"], 0, 63)
        frame, outline = frames.nth(at).bounding_box(), outlines.nth(at).bounding_box()
        zoom = frame["width"] / 64
        assert outline["x"] - frame["x"] == pytest.approx(x0 * zoom, abs=1)
        assert outline["y"] - frame["y"] == pytest.approx(y0 * zoom, abs=1)
        assert outline["width"] == pytest.approx((x1 + 1 - x0) * zoom, abs=1)
        assert outline["height"] == pytest.approx((y1 + 1 - y0) * zoom, abs=1)


def test_names_of_controls_note_and_link_back(browser: Any) -> None:
    assert browser.evaluate(UNNAMED) == []
    assert f"This copy has {4 * SHOWN} of " in browser.inner_text(".tin-shown")
    assert browser.get_attribute("#back", "href") == "../../index.html"


def test_saved_picture_has_a_speaking_name(browser: Any) -> None:
    with browser.expect_download() as download:
        browser.get_by_role("button", name="Save PNG").click()
    assert download.value.suggested_filename == "filter_convnet9_conv9_0.png"


@pytest.mark.parametrize("width", [360, 800, 1280, 1800])
def test_no_scroll_bar_across(browser: Any, width: int) -> None:
    browser.set_viewport_size({"width": width, "height": 900})
    browser.wait_for_function("() => document.documentElement.scrollWidth <= innerWidth")


def test_a_missing_sheet_says_so(page: Any, address: str, tmp_path: Path) -> None:
    copy = tmp_path / "copy"
    shutil.copytree(Path(unquote(urlparse(address).path)).parent, copy)
    (copy / "optimised" / "convnet9_conv9.js").unlink()
    page.goto((copy / "index.html").as_uri())
    missing = "optimised/convnet9_conv9.js is missing beside this page"
    page.wait_for_selector(f"text={missing}")
    page.get_by_label("network", exact=True).select_option("VGG-like")
    wait_for_filter(page, "vgg_like", "conv4", 0)
    assert missing not in page.inner_text(".tin-shown")


FAKE = """
    const reply = {
        layers: [["conv1", "conv1: 2 filters"]], layer: "conv1", filter: 0, filters: [0, 1],
        title: "filter 0", surveyed: false, figures: [], classes: [], images: [], kernel: null,
        notice: "Results are not kept on disk.", parts: ["images"], buffers: [new Uint8Array(0)],
    };
    window.tile = 0; // gray of the tiles
    const answers = {
        view: ({ filter }) => new Promise((resolve) => {
            const send = () => resolve({ ...reply, filter });
            window.held ? window.held.push(send) : send();
        }),
        tiles: () => ({ size: [1, 1], buffers: [new Uint8Array(6).fill(window.tile)] }),
        want: () => window.tell({ progress: "This failed: out of memory", done: 0, total: 0 }),
    };
    browse(document.body, {
        data: { networks: { a: { title: "A" } }, orders: {}, parametrisations: {} },
        ask: async (request) => answers[request.kind](request),
        read: () => window.given ?? {}, write() {}, watch: (call) => { window.moved = call; },
        hear: (call) => { window.tell = call; },
    });
"""


@pytest.fixture
def fake(page: Any) -> Any:
    """The browser with answers made here."""
    page.goto("about:blank")
    page.add_script_tag(content=f"(() => {{ {joined('filters')} {FAKE} }})()")
    page.wait_for_selector("text=This failed: out of memory")
    yield page
    assert page.errors == []


def test_new_tiles_are_drawn_although_a_key_was_pressed_before_they_came(fake: Any) -> None:
    fake.focus(".tin-strip")
    fake.evaluate(
        "() => { window.tile = 200; window.held = []; tell({ changed: ['a', 'conv1'] }); }"
    )
    fake.keyboard.press("ArrowRight")
    fake.wait_for_function("() => held.length === 2")
    fake.evaluate("() => held.forEach((send) => send())")
    fake.wait_for_selector(".tin-strip [aria-selected=true][aria-label='filter 1']")
    fake.wait_for_function(
        """() => document.querySelector('.tin-strip canvas').getContext('2d')
                     .getImageData(0, 0, 1, 1).data[0] === 200"""
    )


def test_a_view_left_before_it_came_is_not_called_unknown(fake: Any) -> None:
    fake.evaluate(
        """async () => {
            window.held = [];
            for (const filter of ["1", "0"]) {
                window.given = { filter };
                moved();
            }
            held[0]();
            await new Promise((done) => setTimeout(done, 50));
        }"""
    )
    assert fake.get_by_text("Not known here").count() == 0


def test_a_missing_answer_is_explained_until_it_comes(fake: Any) -> None:
    fake.evaluate("() => tell({ notice: 'Python has not answered yet.' })")
    assert fake.get_by_text("Python has not answered yet.").is_visible()
    fake.evaluate("() => tell({ notice: '' })")
    assert not fake.get_by_text("Python has not answered yet.").count()


def test_a_failed_computation_says_so(fake: Any) -> None:
    assert fake.locator("progress").is_hidden()
    assert fake.get_by_text("Results are not kept on disk.").is_visible()
    assert "maximising image: not computed yet" in fake.inner_text(".tin-card")
    bar = (
        "() => { const b = document.querySelector('progress'); return [b.hidden, b.value, b.max]; }"
    )
    fake.evaluate("() => window.tell({ progress: 'Optimising', done: 3, total: 4 })")
    assert fake.evaluate(bar) == [False, 3, 4]
    assert not fake.get_by_text("This failed").count()
