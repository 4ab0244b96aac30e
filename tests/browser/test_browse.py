"""``tin browse`` in a real browser: type a class, press arrow keys, switch network and method."""

import subprocess
import sys
import urllib.request
from collections.abc import Iterator
from typing import Any

import numpy as np
import pytest
from lab_pages import PICTURE, shown
from PIL import Image
from saliency_maps import check_maps, wait_for_rows
from shots import screenshot

from tin_lib.analysis import runs

pytestmark = [pytest.mark.browser, pytest.mark.slow]

MESSAGE = ".tin-message"


@pytest.fixture(scope="module")
def address(run: runs.Run) -> Iterator[str]:
    """Address with token of a running ``tin browse``."""
    command = [sys.executable, "-m", "tin_lib", "browse", str(run.path), "--no-open"]
    server = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True)
    assert server.stdout
    line = server.stdout.readline().strip()
    assert line.startswith("http://127.0.0.1:"), line
    yield line
    server.terminate()
    server.wait(30)
    server.stdout.close()


def opened(page: Any, address: str) -> Any:
    page.foreign = []
    page.on("request", lambda r: page.foreign.append(r.url) if foreign(r.url) else None)
    page.goto(address)
    page.wait_for_selector(".tin-strip")
    page.wait_for_selector(PICTURE)
    return page


def foreign(url: str) -> bool:
    return not url.startswith(("http://127.0.0.1:", "data:", "blob:", "ws://127.0.0.1:"))


def wait_for_message(page: Any, text: str) -> None:
    page.wait_for_function(
        "text => document.querySelector('.tin-message')?.innerText.includes(text)", arg=text
    )


def test_class_arrow_keys_networks_and_methods(page: Any, address: str, run: runs.Run) -> None:
    opened(page, address)
    page.get_by_label("object's box").uncheck()
    val = run.data().val
    name = run.first.class_names[2].split(",")[0]
    page.get_by_label("class", exact=True).fill(name)
    page.keyboard.press("Enter")
    of_class = np.flatnonzero(val.labels == 2)
    wait_for_message(page, f"image 1 of {len(of_class)}: {val.files[of_class[0]]}")
    both = [("convnet9", "gradient"), ("vgg_like", "gradient")]
    check_maps(shown(page), run, of_class[0], both)

    page.focus(".tin-strip")
    page.keyboard.press("ArrowRight")
    page.keyboard.press("ArrowRight")
    wait_for_message(page, f"{val.files[of_class[2]]}")
    check_maps(shown(page), run, of_class[2], both)

    page.get_by_label("VGG-like").uncheck()
    page.get_by_label("Grad-CAM").check()
    page.wait_for_function(f"!document.querySelector('{MESSAGE}').innerText.includes('VGG-like')")
    rows = [("convnet9", "gradient"), ("convnet9", "grad_cam")]
    check_maps(wait_for_rows(page, 2), run, of_class[2], rows)
    screenshot(page, "tin_browse")
    assert page.errors == []
    assert page.foreign == []


def test_link_reopens_the_view(page: Any, address: str) -> None:
    opened(page, address)
    page.get_by_label("predicted as").focus()  # leaves the slider by keyboard alone
    page.keyboard.press("Tab")
    page.keyboard.press("Tab")
    page.keyboard.press("ArrowRight")
    wait_for_message(page, "image 2 of")
    page.get_by_label("smoothgrad").check()
    before, message = wait_for_rows(page, 4), page.inner_text(MESSAGE)
    page.get_by_role("link", name="Link to this view").click()
    page.wait_for_load_state()
    page.wait_for_selector(PICTURE)
    wait_for_message(page, "image 2 of")
    assert page.inner_text(MESSAGE) == message
    assert (wait_for_rows(page, 4) == before).all()
    assert page.errors == []


def test_thumbnail_click_and_saved_picture(page: Any, address: str) -> None:
    opened(page, address)
    page.click(".tin-strip img", position={"x": 48 * 3 + 5, "y": 48 + 5})  # second row of six
    wait_for_message(page, "image 10 of")
    with page.expect_download() as download:
        page.get_by_role("button", name="Save picture").click()
    saved = np.array(Image.open(download.value.path()))
    assert (saved == shown(page)).all()


def test_every_control_has_a_name(page: Any, address: str) -> None:
    opened(page, address)
    page.focus(".noUi-handle")
    unnamed = page.evaluate(
        """() => [...document.querySelectorAll(
            '.tin-browser :is(input, select, button, img, [role], [tabindex="0"])')]
            .filter(e => e.offsetParent && !(e.ariaLabel || e.labels?.length || e.innerText?.trim()
                || e.alt || e.title || e.closest('[role=listbox]')?.ariaLabel))
            .map(e => e.outerHTML)"""
    )
    assert unnamed == []


def test_no_token_no_page(address: str) -> None:
    with urllib.request.urlopen(address.split("?")[0], timeout=10) as answer:
        assert "/login" in answer.url
        assert b"saliency-browser" not in answer.read()
    with urllib.request.urlopen(address.split("?")[0] + "api/kernels", timeout=10) as answer:
        assert "/login" in answer.url
