"""``tin browse`` in a real browser: type a class, press arrow keys, switch network and method."""

import re
import subprocess
import sys
import urllib.request
from collections.abc import Iterator
from typing import Any

import numpy as np
import pytest
from lab_pages import UNNAMED, canvas
from PIL import Image
from saliency_maps import check_maps, wait_for_image
from shots import screenshot

from tin_lib.analysis import runs

pytestmark = [pytest.mark.browser, pytest.mark.slow]


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


def opened(page: Any, address: str, view: str = "") -> Any:
    page.foreign = []
    page.on("request", lambda r: page.foreign.append(r.url) if foreign(r.url) else None)
    page.goto(address + view)
    page.wait_for_selector("[data-row] canvas")
    return page


def foreign(url: str) -> bool:
    return not url.startswith(("http://127.0.0.1:", "data:", "blob:", "ws://127.0.0.1:"))


def test_class_arrow_keys_networks_and_methods(page: Any, address: str, run: runs.Run) -> None:
    opened(page, address)
    val = run.data().val
    page.get_by_label("class", exact=True).fill(run.first.class_names[2].split(",")[0])
    page.keyboard.press("Enter")
    of_class = np.flatnonzero(val.labels == 2)
    wait_for_image(page, f"image 1 of {len(of_class)}")
    wait_for_image(page, f"({val.files[of_class[0]]})")
    both = [("convnet9", "gradient"), ("vgg_like", "gradient")]
    check_maps(page, run, of_class[0], both)

    page.focus(".tin-strip")
    page.keyboard.press("ArrowRight")
    page.keyboard.press("ArrowRight")
    wait_for_image(page, f"({val.files[of_class[2]]})")
    check_maps(page, run, of_class[2], both)

    page.get_by_label("VGG-like", exact=True).uncheck()
    page.get_by_label("Grad-CAM", exact=True).check()
    page.wait_for_selector('[data-row="vgg_like/gradient"]', state="detached")
    page.wait_for_selector('[data-row="convnet9/grad_cam"]')
    check_maps(page, run, of_class[2], [("convnet9", "gradient"), ("convnet9", "grad_cam")])
    screenshot(page, "tin_browse")
    assert page.errors == []
    assert page.foreign == []


def test_reload_back_and_bookmark(page: Any, address: str, run: runs.Run) -> None:
    name, wnid = run.first.class_names[3].split(",")[0], run.first.class_ids[3]
    opened(page, address, "#label=n999&overlay=0.9&methods=lime,gradient")
    answer = page.inner_text(".tin-shown > [role=alert]")
    assert 'class "n999"' in answer
    assert 'method "lime"' in answer
    assert page.get_by_role("slider", name="overlay").input_value() == "0.9"
    page.get_by_label("class", exact=True).fill(name)
    page.keyboard.press("Enter")
    page.wait_for_url(f"**label={wnid}**")
    wait_for_image(page, name)
    page.get_by_label("VGG-like", exact=True).uncheck()
    page.wait_for_url("**networks=convnet9**")
    page.reload()
    page.wait_for_selector("[data-row] canvas")
    assert page.get_by_label("class", exact=True).input_value() == name
    assert page.locator("[data-row]").count() == 1
    page.go_back()
    page.wait_for_selector('[data-row="vgg_like/gradient"] canvas')
    assert page.get_by_label("class", exact=True).input_value() == name
    page.go_back()
    page.wait_for_function("() => !document.querySelector('.tin-controls input').value")
    assert page.errors == []


def test_thumbnail_click_pinned_image_and_saved_picture(page: Any, address: str) -> None:
    opened(page, address)
    page.click(".tin-strip > * >> nth=9")
    wait_for_image(page, "image 10 of")
    page.get_by_role("button", name="Pin").click()
    page.focus(".tin-strip")
    page.keyboard.press("ArrowRight")
    page.wait_for_function("() => document.querySelectorAll('.tin-card h3').length === 2")
    page.wait_for_function("() => document.querySelectorAll('[data-row] canvas').length === 16")
    first, second = page.locator(".tin-card").all()
    assert first.bounding_box()["y"] == second.bounding_box()["y"]
    with page.expect_download() as download:
        page.get_by_role("button", name="Save PNG").click()
    assert re.fullmatch(
        r"saliency_val_\d+_val_\d+_[\w.-]+gradient.png", download.value.suggested_filename
    )
    saved = np.array(Image.open(download.value.path()).convert("RGB"))
    cards = page.locator(".tin-cards").bounding_box()
    assert saved.shape[1] == pytest.approx(2 * (cards["width"] + 32), abs=2)
    frame = page.locator('[data-tile="original"]').first.bounding_box()
    left, top = (round(2 * (frame[k] - cards[k] + 16)) for k in ("x", "y"))
    part = saved[top + 3 : top + 384 : 6, left + 3 : left + 384 : 6]  # 2 × 192 for 64 pixels
    difference = part.transpose(2, 0, 1).astype(int) - canvas(page, '[data-tile="original"]')
    assert (np.abs(difference).max(0) > 8).mean() < 0.1  # the outline of the box


def test_every_control_has_a_name(page: Any, address: str) -> None:
    opened(page, address)
    assert page.evaluate(UNNAMED) == []


def test_no_token_no_page(address: str) -> None:
    with urllib.request.urlopen(address.split("?")[0], timeout=10) as answer:
        assert "/login" in answer.url
        assert b"saliency-browser" not in answer.read()
    with urllib.request.urlopen(address.split("?")[0] + "api/kernels", timeout=10) as answer:
        assert "/login" in answer.url
