"""``tin browse --show filters`` in a real browser: what is computed is shown, then kept."""

import subprocess
import sys
from collections.abc import Iterator
from typing import Any

import pytest
from filter_pages import check_pictures, wait_for_filter
from lab_pages import UNNAMED
from shots import screenshot

from tin_lib.analysis import runs
from tin_lib.lab.widgets import FilterBrowser

pytestmark = [pytest.mark.browser, pytest.mark.slow]
STEPS = 128  # the usual number


@pytest.fixture(scope="module")
def address(run: runs.Run) -> Iterator[str]:
    """Address with token of a running ``tin browse``."""
    command = [sys.executable, "-m", "tin_lib", "browse", str(run.path)]
    command += ["--show", "filters", "--no-open"]
    server = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True)
    assert server.stdout
    line = server.stdout.readline().strip()
    assert line.startswith("http://127.0.0.1:"), line
    yield line
    server.terminate()
    server.wait(30)
    server.stdout.close()


def test_progress_arrow_keys_and_reload(page: Any, address: str, run: runs.Run) -> None:
    page.goto(address + "#network=vgg_like&layer=conv3&filter=1&order=strength&colour=red")
    page.wait_for_function(
        f"""() => {{
            const bar = document.querySelector('progress');
            return bar && !bar.hidden && bar.value > 0 && bar.max === {STEPS};
        }}"""
    )
    said = page.locator(".tin-shown [role=status]", has_text="Optimising images for filters of")
    assert said.first.is_visible()
    assert "The maximising image is not computed yet." in page.inner_text(".tin-card")
    screenshot(page, "filters_progress")
    wait_for_filter(page, "vgg_like", "conv3", 1)
    assert not said.first.is_visible()
    python = FilterBrowser(run)  # it reads what the page's kernel has kept
    reply, _ = python.answer("view", {"network": "vgg_like", "layer": "conv3", "order": "strength"})
    check_pictures(page, python, "vgg_like", "conv3", 1, within=0.01)

    order = reply["filters"]
    page.focus("body")
    at = order.index(1)
    key, to = ("ArrowRight", at + 1) if at + 1 < len(order) else ("ArrowLeft", at - 1)
    page.evaluate("() => document.activeElement.blur()")
    page.keyboard.press(key)
    wait_for_filter(page, "vgg_like", "conv3", order[to])
    check_pictures(page, python, "vgg_like", "conv3", order[to], within=0.01)
    assert f"filter={order[to]}" in page.url or order[to] == 0
    page.reload()
    wait_for_filter(page, "vgg_like", "conv3", order[to])
    assert page.get_by_label("order", exact=True).input_value() == "strength"
    python.close()
    assert page.evaluate(UNNAMED) == []
    assert page.errors == []
