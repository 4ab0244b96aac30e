"""A notebook in JupyterLab, in a real browser: opened, run from top to bottom, looked at."""

from typing import Any

import pytest
from lab_pages import outputs, run_all
from shots import screenshot

pytestmark = [pytest.mark.browser, pytest.mark.slow]


def test_preprocessing_notebook_runs_and_draws(page: Any, lab: str) -> None:
    run_all(page, lab.replace("NAME", "01_preprocessing.ipynb") + "&reset")
    found = outputs(page)
    assert [o for o in found if o["output_type"] == "error"] == []
    assert [o for o in found if o.get("name") == "stderr"] == []
    plots = [o for o in found if "application/vnd.plotly.v1+json" in o.get("data", {})]
    assert len(plots) == 4
    page.locator(".js-plotly-plot").first.scroll_into_view_if_needed()
    page.wait_for_selector(".js-plotly-plot .main-svg")
    screenshot(page, "jupyterlab_01")
