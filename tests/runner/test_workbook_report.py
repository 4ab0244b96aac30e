"""The report: pages from executed notebooks, the results table, and all of it in a real browser."""

import base64
import io
import json
import os
import re
from pathlib import Path

import nbformat
import pandas as pd
import plotly.express as px
import pytest
import workbook_toys
from nbformat.v4 import new_code_cell, new_markdown_cell, new_notebook, new_output
from PIL import Image

from tin_lib import files
from tin_lib.runner.report import build, pages, tables
from tin_lib.runner.report.results import COLUMNS, SUMMARIES, collect_results
from tin_lib.runner.workbook import state
from tin_lib.runner.workbook.spec import load_workbook

CHROMIUM = "/usr/bin/chromium"
PROSE = """# Learning curves

**How fast** does the [network](02_second.ipynb) learn? We look at `loss`,
[epoch](../docs/GLOSSARY.md#epoch) by epoch,
if [not yet](03_third.ipynb).

## Loss

| epoch | loss |
|---|---|
| 1 | 2.3 |
"""


def png():
    buffer = io.BytesIO()
    Image.new("RGB", (64, 64), (200, 80, 20)).save(buffer, "PNG")
    return base64.b64encode(buffer.getvalue()).decode()


def shown(**data):
    return new_output("display_data", data={k.replace("__", "/"): v for k, v in data.items()})


def figure():
    table = pd.DataFrame({"epoch": [1, 2, 3], "loss": [2.0, 1.0, 0.5], "split": ["</script>"] * 3})
    title = "Loss by <b>epoch</b>"
    drawn = px.line(table, x="epoch", y="loss", color="split", title=title, markers=True)
    return json.loads(drawn.to_json())


def executed():
    """A notebook with one output of every kind in the project's notebooks."""
    outputs = [
        new_output("display_data", data={pages.PLOTLY: figure(), "text/plain": "Figure()"}),
        new_output("display_data", data={pages.WIDGET: {"model_id": "1"}, "image/png": png(),
                                         "text/plain": "Browser(children=())"}),
        new_output("display_data", data={pages.WIDGET: {"model_id": "2"}, "text/plain": "B()"}),
        shown(text__html=pd.DataFrame({"network": ["vgg16"], "val": [0.535]}).to_html()),
        new_output("stream", text="epoch 1/2  loss 0.5\n"),
        shown(text__html='<script src="https://cdn.example.org/require.js"></script>kept'),
        shown(image__png=png()),
    ]  # fmt: skip
    cells = [new_markdown_cell(PROSE)]
    cells += [new_code_cell(f"show({n})", outputs=[o]) for n, o in enumerate(outputs)]
    cells += [new_markdown_cell("### Exercise 1", metadata={"tags": ["exercise"]})]
    state = {"application/vnd.jupyter.widget-state+json": {"state": {}}}
    return new_notebook(cells=cells, metadata={"widgets": state})


@pytest.fixture
def workbook(tmp_path):
    steps = {"01_first": {}, "02_second": {}, "03_third": {}}
    extra = {"title": "Browser", "folder": "saliency/browser", "page": "index.html"}
    folder = workbook_toys.write_workbook(
        tmp_path / "notebooks", steps, extras=[extra | {"step": "02_second"}]
    )
    return load_workbook(folder)


@pytest.fixture
def run(tmp_path):
    """A run of three steps: one succeeded, one failed, one was interrupted as it wrote a file."""
    run = tmp_path / "run"
    (run / "notebooks").mkdir(parents=True)
    nbformat.write(executed(), run / "notebooks" / "01_first.ipynb")
    nbformat.write(executed(), run / "notebooks" / "02_second.ipynb")
    (run / "notebooks" / "03_third.ipynb").write_text('{"cells": [')
    machine = {"machine": "Linux, 2 CPU cores", "versions": {"torch": "2.6"}}
    state.write(run, "01_first", state.OK, seconds=41.25, error=None, **machine)
    state.write(run, "02_second", state.FAILED, seconds=1.0, error="cell In [3]: <Boom>")
    state.write(run, "03_third", state.STARTED)
    files.write_json(run / "run.json", {"command": "tin run --jobs 2", "parameters": {"02.a": 1}})
    files.atomic_write(run / "saliency" / "browser" / "index.html", "<title>Browse</title>")
    write_summaries(run)
    return run


def write_summaries(run):
    fit = {"network": "vgg16", "parameters": 40708104, "epochs": 6, "seconds": 61.5,
           "images_per_second": 231.4, "device": "cpu", "train_accuracy": 0.8,
           "val_accuracy": 0.55, "val_top5": 0.81}  # fmt: skip
    files.write_json(run / "networks" / "vgg16" / "summary.json", fit)
    files.write_json(run / "networks" / "convnet9" / "summary.json", {"network": "convnet9"})
    vote = pd.DataFrame([{"name": "majority_vote", "accuracy": 0.6}])
    files.write_table(vote, run / "ensemble" / "summary.csv")


def test_results_are_shown_with_the_papers(run):
    table = collect_results(run)
    assert tuple(table.columns) == COLUMNS
    assert list(table.name) == ["convnet9", "vgg16", "majority_vote"]
    assert list(table.kind) == ["network", "network", "ensemble"]
    vgg16 = table[table.name == "vgg16"].iloc[0]
    assert (vgg16.val_accuracy, vgg16.paper_val, vgg16.paper_test) == (0.55, 0.535, 0.494)
    assert table.val_accuracy.isna().tolist() == [True, False, False]
    assert table.paper_test.tolist() == [0.423, 0.494, 0.492]


def test_the_ensemble_notebooks_table_gives_its_votes_only(run):
    names, kinds = ["vgg16", "majority vote", "soft vote"], ["network", "vote", "vote"]
    table = {"name": names, "kind": kinds, "accuracy": [0.55, 0.6, 0.62], "top5": [0.8, None, 0.9]}
    table["train_accuracy"] = [0.9, 0.99, None]
    files.write_table(pd.DataFrame(table), run / "ensemble" / "summary.csv")
    found = collect_results(run)
    assert list(found.name) == ["convnet9", "vgg16", "majority vote", "soft vote"]
    assert found.val_accuracy.tolist()[2:] == [0.6, 0.62]
    assert "0.990" in tables.result_rows(found)[2]  # three digits, as every accuracy
    assert found.val_top5.isna().tolist() == [True, False, True, False]
    assert found.paper_test.iloc[2] == 0.492


@pytest.mark.parametrize("status", [state.FAILED, state.STARTED, state.BLOCKED, state.OK])
def test_votes_of_a_step_that_failed_since_are_left_out(run, status):
    state.write(run, "06_ensemble", status)
    kinds = ["network", "network", *(["ensemble"] if status == state.OK else [])]
    assert list(collect_results(run).kind) == kinds


def test_votes_of_other_networks_are_left_out(run):
    read = state.files_digest(run, ["networks/*/summary.json"])
    state.write(run, "06_ensemble", state.OK, read=read)
    assert list(collect_results(run).kind) == ["network", "network", "ensemble"]
    write = lambda **facts: files.write_json(run / "networks" / "convnet9" / "summary.json", facts)
    write(network="convnet9", epochs=2)  # trained again
    assert list(collect_results(run).kind) == ["network", "network"]
    write(network="convnet9")
    assert list(collect_results(run).kind) == ["network", "network", "ensemble"]
    write(network="convnet9", epochs=3)
    later = state.record_path(run, "06_ensemble").stat().st_mtime + 1
    os.utime(run / "ensemble" / "summary.csv", (later, later))  # notebook 06 run outside tin run
    assert list(collect_results(run).kind) == ["network", "network", "ensemble"]


def test_votes_are_of_the_files_that_their_step_reads():
    steps = load_workbook(Path(__file__).parents[2] / "notebooks").steps
    assert steps["06_ensemble"].inputs == (SUMMARIES,)


def test_no_results_are_an_empty_table(tmp_path):
    assert collect_results(tmp_path).empty
    assert tuple(collect_results(tmp_path).columns) == COLUMNS


def test_a_page_asks_its_question_in_plain_words():
    notebook = executed()
    assert pages.heading(notebook, "x") == (
        "Learning curves",
        "How fast does the network learn? We look at loss, epoch by epoch, if not yet.",
    )
    assert pages.heading(new_notebook(), "x") == ("x", "")
    assert pages.first_paragraph("**Question.** Is it\n0.5? So.\n\nMore.") == "Is it 0.5? So."


def test_a_page_needs_no_network_and_keeps_every_output():
    page = pages.render(executed(), "x")
    assert not re.findall(r"<(?:script|link|img)[^>]*(?:src|href)=[\"']?(?:https?:)?//", page.body)
    assert "kept" in page.body
    assert "Exercise" not in page.body  # it is for those who work in the notebook
    assert '<a href="02_second.html">network</a>' in page.body
    assert '<a href="glossary.html#epoch">epoch</a>' in page.body
    assert page.body.count("data:image/png;base64,") == 2
    assert 'alt="Static picture of an interactive view"' in page.body
    assert "Browser(children" not in page.body
    assert "open the notebook in JupyterLab" in page.body
    assert page.figures
    stored = re.search(r'<script type="application/json">(.*?)</script>', page.body)
    assert json.loads(stored.group(1))["data"] == figure()["data"]
    assert 'aria-label="Loss. Loss by epoch; Lines: loss by epoch"' in page.body


def test_the_index_says_how_far_a_run_got(run, workbook):
    index = build.build(run, workbook).read_text()
    assert "<em>toy</em> study" in index
    assert "How fast does the network learn?" in index
    assert "02_second: failed</strong> cell In [3]: &lt;Boom&gt;" in index
    assert "03_third: interrupted" in index
    assert "03_third.html" not in index
    assert 'href="saliency/browser/index.html">Browser' in index
    for fact in ("tin run --jobs 2", "02.a=1", "2 CPU cores", "torch 2.6", "41.2", "40,708,104"):
        assert fact in index
    first = (run / "report" / "01_first.html").read_text()
    assert "02_second.html" in first
    assert "saliency/browser" not in first
    assert "03_third" not in first  # it has no page: its link is text
    assert "not yet" in first
    assert 'id="epoch"' in (run / "report" / "glossary.html").read_text()
    second = (run / "report" / "02_second.html").read_text()
    assert 'role="alert"' in second
    assert "saliency/browser/index.html" in second
    assert (run / "report" / "saliency" / "browser" / "index.html").is_file()


def test_a_run_without_anything_has_a_report_too(tmp_path, workbook):
    index = build.build(tmp_path / "empty", workbook).read_text()
    assert "No network has been trained yet" in index
    assert index.count("not run yet") == 6  # three in the contents, three in the table of times


@pytest.mark.browser
@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_the_report_works_in_a_browser_without_a_network(run, workbook, scheme):
    from playwright.sync_api import sync_playwright

    index = build.build(run, workbook)
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=CHROMIUM, args=["--no-sandbox"])
        page = browser.new_page(color_scheme=scheme, viewport={"width": 1100, "height": 900})
        complaints, asked = [], []
        page.on("console", lambda m: complaints.append(m.text) if m.type == "error" else None)
        page.on("pageerror", lambda error: complaints.append(str(error)))
        page.on("request", lambda request: asked.append(request.url))
        page.context.set_offline(True)
        page.goto(index.as_uri())
        picture(page, f"report-index-{scheme}")
        page.get_by_role("link", name="Learning curves").first.click()
        page.wait_for_selector(".tin-figure svg.main-svg .scatterlayer .trace")
        check_figure(page, scheme)
        picture(page, f"report-page-{scheme}")
        page.get_by_role("button", name="Hide code").click()
        assert not page.locator(".input").first.is_visible()
        check_narrow(page)
        page.get_by_role("link", name="Learning curves →").first.click()
        assert page.title().startswith("Learning curves")
        page.get_by_role("link", name="Browser").click()
        assert page.title() == "Browse"
        browser.close()
    assert complaints == []
    assert all(url.startswith(("file:", "data:", "blob:")) for url in asked), asked


def check_figure(page, scheme):
    """The figure's text contrasts with the page, and hovering shows values."""
    title = page.locator(".tin-figure .gtitle").first
    assert title.is_visible()
    brightness = brightness_of(title.evaluate("e => getComputedStyle(e).fill"))
    assert (brightness > 180) == (scheme == "dark")
    page.locator(".tin-figure .points path").nth(1).hover(force=True)
    page.wait_for_selector(".tin-figure .hovertext")


def brightness_of(colour: str) -> float:
    """Mean of the channels of ``rgb(r, g, b)``, 0..255."""
    return sum(int(part) for part in re.findall(r"\d+", colour)[:3]) / 3


def check_narrow(page):
    """Nothing makes the whole page scroll sideways on a telephone."""
    page.set_viewport_size({"width": 390, "height": 800})
    page.wait_for_timeout(300)
    assert page.evaluate("document.documentElement.scrollWidth <= window.innerWidth")


def picture(page, name):
    """Keep a screenshot in the folder that TIN_SCREENSHOTS names, if it does."""
    folder = os.environ.get("TIN_SCREENSHOTS")
    if folder:
        page.wait_for_timeout(300)
        page.screenshot(path=Path(folder) / f"{name}.png", full_page=True)
