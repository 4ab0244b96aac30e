"""A notebook in JupyterLab, in a real browser: opened, run from top to bottom, looked at."""

from typing import Any

import pytest
from contrast import contrasts
from lab_pages import THEME, ask, outputs, run_all
from nbformat.v4 import new_code_cell, new_notebook
from shots import screenshot

FIGURE = """import pandas as pd
from tin_lib.lab.figures import training
training.curves(pd.DataFrame({"epoch": [1, 2], "train_loss": [2, 1], "val_accuracy": [0, 1]}))"""
BACKGROUND = "() => getComputedStyle(document.querySelector('.jp-Notebook')).backgroundColor"

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


def test_text_of_figures_has_the_colour_of_the_theme(page: Any, lab: str) -> None:
    kernel = {"kernelspec": {"name": "python3", "display_name": "Python 3"}}
    content = new_notebook(cells=[new_code_cell(FIGURE)], metadata=kernel)
    ask(lab, "contents/figure.ipynb", "PUT", {"type": "notebook", "content": content})
    run_all(page, lab.replace("NAME", "figure.ipynb") + "&reset")
    page.wait_for_selector(".js-plotly-plot .main-svg .xtick text")
    backgrounds = set()
    for theme in ("JupyterLab Light", "JupyterLab Dark"):
        before = page.evaluate(BACKGROUND)
        page.evaluate(THEME, theme)
        if backgrounds:
            page.wait_for_function(f"before => ({BACKGROUND})() !== before", arg=before)
        backgrounds.add(page.evaluate(BACKGROUND))
        found = contrasts(page, ".jp-Notebook", ".js-plotly-plot text")
        assert len(found) > 10
        assert min(found) >= 4.5, theme
        screenshot(page, f"jupyterlab_figure_{theme[11:].lower()}")
    assert len(backgrounds) == 2
