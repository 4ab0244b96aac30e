"""A notebook in JupyterLab, in a real browser: opened, run from top to bottom, looked at."""

import time
from typing import Any

import pytest
from shots import screenshot

KERNEL_IDLE = """() => {
    const session = jupyterapp.shell.currentWidget?.sessionContext;
    return session?.isReady && session.session?.kernel?.status === 'idle';
}"""
pytestmark = [pytest.mark.browser, pytest.mark.slow]


def run_all(page: Any, address: str, seconds: float = 240) -> None:
    """Open a notebook, run all its cells and wait until the last one has."""
    page.goto(address)
    page.wait_for_selector(".jp-Notebook .jp-CodeCell", timeout=60_000)
    # A command sent before the kernel is ready is lost, in part or whole.
    page.wait_for_function(KERNEL_IDLE, timeout=120_000)
    page.evaluate("() => { jupyterapp.commands.execute('notebook:run-all-cells') }")
    last = time.monotonic() + seconds
    while len(executed(page)) < code_cells(page):
        if time.monotonic() > last:
            screenshot(page, "jupyterlab_stuck")
            pytest.fail(f"{len(executed(page))} cells ran in {seconds} s: {outputs(page)}"[:5000])
        page.wait_for_timeout(500)


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


def test_preprocessing_notebook_runs_and_draws(page: Any, lab: str) -> None:
    run_all(page, lab.replace("NAME", "01_preprocessing.ipynb") + "&reset")
    found = outputs(page)
    assert [o for o in found if o["output_type"] == "error"] == []
    assert [o for o in found if o.get("name") == "stderr"] == []
    plots = [o for o in found if "application/vnd.plotly.v1+json" in o.get("data", {})]
    assert len(plots) == 4
    page.locator(".js-plotly-plot").first.scroll_into_view_if_needed()
    page.wait_for_selector(".js-plotly-plot .main-svg", timeout=30_000)
    screenshot(page, "jupyterlab_01")
