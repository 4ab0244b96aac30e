"""Figures in the report's pages in a real browser: colours, narrow windows, paper."""

import json
from pathlib import Path
from typing import Any

import nbformat
import numpy as np
import pandas as pd
import plotly.graph_objects as go
import pytest
import workbook_toys
from contrast import contrasts
from nbformat.v4 import new_code_cell, new_markdown_cell, new_notebook, new_output
from shots import screenshot

from tin_lib.lab.figures import experiments, images, saliency, training
from tin_lib.runner.report import build, pages
from tin_lib.runner.workbook.spec import load_workbook

pytestmark = pytest.mark.browser
STEPS: dict[str, dict[str, Any]] = {"01_first": {}, "02_second": {}}
SCHEMES = ("light", "dark")
TEXTS = "body", ".tin-figure text"
BOXES = "s => [...document.querySelectorAll(s)].map(e => e.getBoundingClientRect().toJSON())"


def all_figures() -> list[go.Figure]:
    """Two panels side by side, four with long titles, and a grid of images with titles."""
    epoch = np.arange(1, 6)
    history = {"epoch": epoch, "train_loss": 5 / epoch, "val_loss": 6 / epoch}
    history |= {"train_accuracy": epoch / 10, "val_accuracy": epoch / 20}
    rows = [
        {"network": "vgg16", "method": method, "kind": kind, "measure": measure}
        | {"mean": 0.5, "low": 0.4, "high": 0.6}
        for measure in saliency.MEASURES
        for method, kind in (("grad_cam", "method"), ("noise", "baseline"))
    ]
    pixels = np.full((12, 3, 64, 64), 90, np.uint8)
    grid = images.grid(pixels, [f"a class named {n}" for n in range(12)], columns=6, zoom=2)
    return [training.curves(pd.DataFrame(history)), saliency.measures(pd.DataFrame(rows)), grid]


def long_names() -> list[go.Figure]:
    """Names of rows, titles and texts of bars that a narrow window has no room for."""
    arms = [f"9-layer ConvNet, DropConnect {rate}" for rate in (0.25, 0.5)]
    against = [f"VGG-like, nothing dropped, seed {n}" for n in (0, 1)]
    table = pd.DataFrame({"arm": arms, "against": against, "difference": [0.1, -0.1]})
    table = table.assign(low=-0.2, high=0.2, p_adjusted=0.5, outcome="undecided")
    names = ["convnet9", "vgg_like", "vgg16", "alexnet", "majority vote", "soft vote"]
    accuracies = pd.DataFrame({"name": names, "val_accuracy": 0.925, "paper_val": 0.455})
    layers = pd.DataFrame({"parameters": [448, 1_049_600]}, index=["conv1", "dense1"])
    title = "Pruned networks against dense ones trained on for as long"
    first = experiments.effects(table, title)
    return [first, training.results(accuracies), training.layer_sizes(layers)]


@pytest.fixture(scope="module")
def address(tmp_path_factory: pytest.TempPathFactory) -> str:
    """A report's page with these figures."""
    folder = tmp_path_factory.mktemp("report")
    workbook = load_workbook(workbook_toys.write_workbook(folder / "book", STEPS))
    (folder / "run" / "notebooks").mkdir(parents=True)
    for name, figures in zip(STEPS, (all_figures(), long_names())):
        cells: list[Any] = [new_markdown_cell("# Figures")]
        for number, figure in enumerate(figures):
            data = {pages.PLOTLY: json.loads(figure.to_json())}
            output = new_output("display_data", data=data)
            cells.append(new_code_cell(f"{number}", outputs=[output]))
        nbformat.write(new_notebook(cells=cells), folder / "run" / "notebooks" / f"{name}.ipynb")
    index = build.build(folder / "run", workbook)
    return Path(index).with_name("01_first.html").as_uri()


@pytest.fixture
def report(page: Any, address: str) -> Any:
    """The page in the dark theme, with all figures drawn and no error."""
    page.emulate_media(color_scheme="dark")
    page.goto(address)
    # Functions, here and below: an expression is evaluated again, which the page's policy forbids.
    page.wait_for_function("() => document.querySelectorAll('.tin-figure .modebar').length === 3")
    yield page
    assert page.errors == []


def apart(boxes: list[dict[str, float]]) -> bool:
    """Whether no two boxes overlap."""
    pairs = [(a, b) for n, a in enumerate(boxes) for b in boxes[:n]]
    return all(
        min(a["right"], b["right"]) <= max(a["left"], b["left"])
        or min(a["bottom"], b["bottom"]) <= max(a["top"], b["top"])
        for a, b in pairs
    )


def test_text_contrasts_in_both_themes_and_nothing_is_uploaded(report: Any) -> None:
    for scheme in SCHEMES:
        report.emulate_media(color_scheme=scheme)
        report.wait_for_timeout(300)
        found = contrasts(report, *TEXTS)
        assert len(found) > 40
        assert min(found) >= 4.5, scheme
        screenshot(report, f"report_figures_{scheme}")
    buttons = report.eval_on_selector_all(".modebar-btn", "all => all.map(b => b.dataset.title)")
    assert any("Download" in title for title in buttons)
    assert not any("Share" in title for title in buttons)


def test_panels_stack_in_a_narrow_window_and_titles_fit(report: Any) -> None:
    assert apart(report.evaluate(BOXES, ".tin-figure .annotation-text"))
    report.set_viewport_size({"width": 360, "height": 800})
    report.wait_for_function("() => document.querySelector('.tin-figure svg').clientWidth < 360")
    assert report.evaluate("document.documentElement.scrollWidth <= window.innerWidth")
    assert apart(report.evaluate(BOXES, ".tin-figure .annotation-text"))
    charts = [".tin-figure:not(:has(image)) .annotation-text", ".xtitle", ".x2title"]
    boxes = [box for chart in charts for box in report.evaluate(BOXES, chart)]
    assert len(boxes) == 2 + 4 + 1 + 1  # titles of panels and of the axes that have one
    assert all(0 <= box["left"] <= box["right"] <= 360 for box in boxes)
    x, x2 = (report.evaluate(BOXES, chart)[0] for chart in charts[1:])
    assert x2["top"] > x["bottom"] + 100  # a panel lies between
    screenshot(report, "report_figures_narrow")


def test_long_names_fit_a_narrow_window(report: Any, address: str) -> None:
    report.set_viewport_size({"width": 390, "height": 800})
    report.goto(address.replace("01_first", "02_second"))
    report.wait_for_function("() => document.querySelectorAll('.tin-figure .modebar').length === 3")
    drawn = report.evaluate(BOXES, ".tin-figure:nth-of-type(1) svg.main-svg:first-child")
    texts = [".ytick text", ".xtitle", ".gtitle", ".bars text"]
    found = {each: report.evaluate(BOXES, f".tin-figure {each}") for each in texts}
    assert all(found.values())
    assert len(found[".bars text"]) == 12 + 2
    left, right = min(b["left"] for b in drawn), max(b["right"] for b in drawn)
    for name, boxes in found.items():
        assert apart(boxes), name
        assert all(left <= box["left"] <= box["right"] <= right for box in boxes), name
    plot = report.evaluate(BOXES, ".tin-figure .nsewdrag")[0]
    assert plot["width"] > 120  # the names leave space
    screenshot(report, "report_figures_long_names")


def test_paper_gets_figures_that_fit_it_in_light_colours(report: Any) -> None:
    report.evaluate(
        """() => addEventListener("beforeprint", () => { window.printed = {
          widths: [...document.querySelectorAll(".tin-figure svg.main-svg")].map(
            (svg) => svg.getBoundingClientRect().width),
          colour: getComputedStyle(document.querySelector(".tin-figure .xtitle")).fill }; })"""
    )
    report.pdf(format="A4")
    printed = report.evaluate("window.printed")
    assert len(printed["widths"]) >= 3
    assert max(printed["widths"]) <= 681
    assert max(int(part) for part in printed["colour"][4:-1].split(",")) < 80  # dark on white
    report.wait_for_function("() => !document.documentElement.classList.contains('paper')")
    assert min(contrasts(report, *TEXTS)) >= 4.5  # the window is as before
