"""``tin browse --show confusion`` in a real browser: the address keeps the cell."""

import subprocess
import sys
from collections.abc import Iterator
from typing import Any

import pytest
from confusion_cells import GEOMETRY, MATRIX, behind, check_images, wait_for_cell
from lab_pages import UNNAMED
from shots import screenshot

from tin_lib.analysis import runs
from tin_lib.lab.widgets.confusion.cells import Cells

pytestmark = [pytest.mark.browser, pytest.mark.slow]


@pytest.fixture(scope="module")
def address(run: runs.Run) -> Iterator[str]:
    """Address with token of a running ``tin browse``."""
    command = [sys.executable, "-m", "tin_lib", "browse", str(run.path)]
    command += ["--show", "confusion", "--no-open"]
    server = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True)
    assert server.stdout
    line = server.stdout.readline().strip()
    assert line.startswith("http://127.0.0.1:"), line
    yield line
    server.terminate()
    server.wait(30)
    server.stdout.close()


def test_cell_reload_and_back(page: Any, address: str, run: runs.Run) -> None:
    cells = Cells(run)
    order, names = cells.order, cells.names
    page.goto(f"{address}#network=resnet&label={order[2]}&predicted={order[5]}&zoom=5")
    first = f"{names[order[2]]} predicted as {names[order[5]]} by 9-layer ConvNet"
    wait_for_cell(page, first)
    said = page.inner_text(".tin-shown > [role=alert]")
    assert said.startswith('Not known here: network "resnet".')
    check_images(page, run, behind(run, "convnet9", order[2], order[5]))
    assert page.evaluate(UNNAMED) == []

    page.get_by_label("network").select_option("vgg_like")
    wait_for_cell(page, first.replace("9-layer ConvNet", "VGG-like"))
    page.focus(MATRIX)
    page.keyboard.press("ArrowDown")
    moved = f"{names[order[3]]} predicted as {names[order[5]]} by VGG-like"
    wait_for_cell(page, moved)
    check_images(page, run, behind(run, "vgg_like", order[3], order[5]))
    assert f"label={order[3]}" in page.url
    screenshot(page, "tin_browse_confusion")

    page.reload()
    wait_for_cell(page, moved)
    assert page.evaluate(GEOMETRY)["size"] == 5
    page.go_back()
    wait_for_cell(page, first)
    assert page.errors == []
