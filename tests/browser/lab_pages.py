"""What tests of a notebook in JupyterLab share: run it, read its outputs, look at its widgets."""

import json
import re
import time
import urllib.request
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from shots import screenshot

NOTEBOOKS = Path(__file__).parents[2] / "notebooks"
PICTURE = ".tin-shown canvas"
KERNEL_IDLE = """() => {
    const session = jupyterapp.shell.currentWidget?.sessionContext;
    return session?.isReady && session.session?.kernel?.status === 'idle';
}"""
THEME = "theme => jupyterapp.commands.execute('apputils:change-theme', {theme})"
LIGHT_ON_DARK = """() => {
    const style = selector => getComputedStyle(document.querySelector(selector));
    const light = colour => colour.match(/\\d+/g).slice(0, 3).reduce((a, b) => a + b / 3, 0);
    return light(style('.tin-browser').color) - light(style('.jp-Notebook').backgroundColor) > 150;
}"""
UNNAMED = """() => [...document.querySelectorAll('.tin-browser *')]
    .filter(e => e.matches('input, select, button, fieldset, [role], [tabindex]') && e.offsetParent)
    .filter(e => !(e.ariaLabel || e.labels?.length || e.innerText?.trim() || e.alt || e.title))
    .filter(e => e.role !== 'status')
    .map(e => e.outerHTML)"""
ACTIVE = "() => jupyterapp.shell.currentWidget.content.activeCellIndex"


def run_all(page: Any, address: str, seconds: float = 240) -> None:
    """Open a notebook in its own kernel, run all its cells and wait for the last one."""
    end_sessions(address)
    page.goto(address)
    page.wait_for_selector(".jp-Notebook .jp-CodeCell")
    # A command sent before the kernel is ready is lost, in part or whole.
    page.wait_for_function(KERNEL_IDLE)
    page.evaluate("() => { jupyterapp.commands.execute('notebook:run-all-cells') }")
    last = time.monotonic() + seconds
    while len(executed(page)) < code_cells(page):
        if time.monotonic() > last:
            screenshot(page, "jupyterlab_stuck")
            pytest.fail(f"{len(executed(page))} cells ran in {seconds} s: {outputs(page)}"[:5000])
        page.wait_for_timeout(500)


def end_sessions(address: str) -> None:
    """End the kernels of earlier pages.

    A page would join the kernel of its notebook's name, and ask for widgets that a page before it
    has left there while they go: anywidget then reports errors that are not this page's.
    """
    for session in json.loads(ask(address, "sessions")):
        ask(address, f"sessions/{session['id']}", "DELETE")


def ask(address: str, path: str, method: str = "GET", body: Any = None) -> bytes:
    """The answer of the server of a page at ``address`` to a request to its API."""
    server, token = re.fullmatch(r"(.*)/lab/.*token=(\w+).*", address).groups()
    data = None if body is None else json.dumps(body).encode()
    request = urllib.request.Request(f"{server}/api/{path}?token={token}", data, method=method)
    with urllib.request.urlopen(request, timeout=60) as answer:
        return answer.read()


def code_cells(page: Any) -> int:
    """Number of code cells with a source."""
    return page.evaluate(
        """() => [...jupyterapp.shell.currentWidget.content.widgets]
               .filter(c => c.model.type === 'code' && c.model.sharedModel.getSource()).length"""
    )


def executed(page: Any) -> list[int]:
    """Execution counts of the cells that have run."""
    return page.evaluate(
        """() => [...jupyterapp.shell.currentWidget.content.widgets]
               .filter(c => c.model.type === 'code' && c.model.executionCount)
               .map(c => c.model.executionCount)"""
    )


def outputs(page: Any) -> list[dict[str, Any]]:
    """All outputs of the notebook, as it would save them."""
    return page.evaluate(
        """() => [...jupyterapp.shell.currentWidget.content.widgets]
               .filter(c => c.model.type === 'code').flatMap(c => c.model.outputs.toJSON())"""
    )


def run_with(page: Any, lab: str, name: str, parameters: str) -> None:
    """Run a copy of the notebook with other parameters, and scroll to its browser.

    Fails where a cell failed, with the error.
    """
    notebook = json.loads((NOTEBOOKS / f"{name}.ipynb").read_text())
    cells = [cell for cell in notebook["cells"] if cell["cell_type"] == "code"]
    cells[0]["source"] += ["\n" + parameters]
    tried = f"tried_{name}.ipynb"
    ask(lab, f"contents/{tried}", "PUT", {"type": "notebook", "content": notebook})
    run_all(page, lab.replace("NAME", tried) + "&reset")
    page.evaluate(THEME, "JupyterLab Light")  # a test before may have left the dark one
    assert [o for o in outputs(page) if o["output_type"] == "error"] == []
    page.wait_for_selector(PICTURE, state="attached")
    scroll_to_browser(page)


def scroll_to_browser(page: Any) -> None:
    """Scroll to the notebook's browser, again until it stays: outputs above it are still laid
    out."""
    page.wait_for_function(
        """async s => {
            const place = () => document.querySelector(s).getBoundingClientRect().top;
            document.querySelector(s).scrollIntoView();
            const first = place();
            await new Promise(done => setTimeout(done, 500));
            return place() === first && first >= 0 && first < innerHeight / 2;
        }""",
        arg=".tin-browser",
    )


def opened(page: Any, lab: str, name: str, parameters: str) -> Iterator[Any]:
    """The page with the notebook run and its browser's tiles there; its console stays clean."""
    run_with(page, lab, name, parameters)
    page.wait_for_selector(PICTURE)
    yield page
    assert page.errors == []


def canvas(page: Any, selector: str) -> np.ndarray:
    """The pixels of a canvas, uint8 (3, H, W)."""
    width, height, data = page.evaluate(
        """selector => {
            const canvas = document.querySelector(selector);
            const { width, height } = canvas;
            const { data } = canvas.getContext('2d').getImageData(0, 0, width, height);
            return [width, height, [...data]];
        }""",
        selector,
    )
    return np.array(data, np.uint8).reshape(height, width, 4)[..., :3].transpose(2, 0, 1)


def to_dark_theme(page: Any) -> None:
    """Switch JupyterLab to its dark theme; fails unless a browser's text becomes light on dark."""
    page.evaluate(THEME, "JupyterLab Dark")
    page.wait_for_function(LIGHT_ON_DARK)
