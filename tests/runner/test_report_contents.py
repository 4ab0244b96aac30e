"""The report's contents page: findings, thumbnails, the networks' chart, what made it."""

import base64
import io
import json
import re

import nbformat
import numpy as np
import pandas as pd
import plotly.graph_objects as go
import pytest
import workbook_toys
from nbformat.v4 import new_code_cell, new_markdown_cell, new_notebook, new_output
from PIL import Image

from tin_lib import files
from tin_lib.lab.figures import ensemble, images, training
from tin_lib.runner.report import build, pages, plots
from tin_lib.runner.report.findings import finding, first_sentence
from tin_lib.runner.report.results import collect_results
from tin_lib.runner.report.thumbnails import HEIGHT, WIDTH, thumbnail
from tin_lib.runner.workbook import state
from tin_lib.runner.workbook.spec import load_workbook


def plotted(figure):
    return json.loads(figure.to_json())


def shown(**data):
    return new_output("display_data", data={k.replace("__", "/"): v for k, v in data.items()})


def executed(text="- **Yes**: it learns (95 % interval 0.5 to 0.7). More follows."):
    """A notebook with two figures and a finding."""
    bars = plotted(go.Figure(go.Bar(x=["a"], y=[1])))
    lines = plotted(go.Figure(go.Scatter(x=[1, 2], y=[3, 4])))
    cells = [
        new_markdown_cell("# About it\n\n**Question.** Does it learn?\n\n## Sizes"),
        new_code_cell("1", outputs=[shown(**{pages.PLOTLY: bars})]),
        new_code_cell("2", outputs=[shown(**{pages.PLOTLY: lines})]),
        new_markdown_cell("## What was found\n*Yes* means so."),
        new_code_cell("3", outputs=[shown(text__markdown=text, text__plain="<Markdown>")]),
    ]
    return new_notebook(cells=cells)


@pytest.mark.parametrize(
    ("markdown", "sentence"),
    [
        ("**No**: it was 0.5 (p = 0.01). Next.", "No: it was 0.5 (p = 0.01)."),
        ("- The [vote](a.ipynb) is `right`\n- more", "The vote is right."),
        ("The best rates:\n\n- one: 0.1", "The best rates."),
        ("Is it so? **Yes** at 5 %. Next.", "Is it so? Yes at 5 %."),
        ("Is it so?", "Is it so?"),
        ("", ""),
    ],
)
def test_the_first_sentence_is_the_finding(markdown, sentence):
    assert first_sentence(markdown) == sentence


def test_a_finding_is_what_the_last_section_computed():
    assert finding(executed()) == "Yes: it learns (95 % interval 0.5 to 0.7)."
    unfinished = executed()
    unfinished.cells[-1].outputs = []
    assert finding(unfinished) == ""
    assert finding(new_notebook(cells=executed().cells[:3])) == ""
    linked = executed()  # a link to the next notebook stands above the heading, in the same cell
    linked.cells[-2].source = "*Why?* See [09](09.ipynb).\n\n" + linked.cells[-2].source
    assert finding(linked) == finding(executed())


def test_the_thumbnail_is_of_the_first_figure_or_of_the_tagged_cell():
    notebook = executed()
    assert "<rect" in pages.first_picture(notebook)
    notebook.cells[2].metadata["tags"] = ["thumbnail"]
    assert "<polyline" in pages.first_picture(notebook)
    assert pages.first_picture(new_notebook(cells=executed().cells[:1])) == ""


def test_a_thumbnail_shows_points_and_intervals_within_its_frame():
    table = pd.DataFrame({"x": [0.2, 0.9], "y": ["vgg16", "alexnet"]})
    error = {"type": "data", "array": [0.1, 0.1], "arrayminus": [0.2, 0.3]}
    figure = go.Figure(go.Scatter(x=table.x, y=table.y, error_x=error, mode="markers"))
    drawn = thumbnail(plotted(figure))
    assert drawn.count("<circle") == drawn.count("<path") == 2
    assert "<polyline" not in drawn
    for ends in re.findall(r"M(\d+) (\d+)L(\d+) (\d+)", drawn):
        assert all(0 <= int(n) <= limit for n, limit in zip(ends, [WIDTH, HEIGHT] * 2))


def test_a_thumbnail_follows_the_axes():
    figure = go.Figure(go.Scatter(x=[1, 10, 100], y=[0, 1, 2], mode="lines"))
    figure.update_xaxes(type="log").update_yaxes(autorange="reversed")
    points = re.search(r'points="([^"]+)"', thumbnail(plotted(figure)))[1].split()
    x, y = zip(*(map(int, point.split(",")) for point in points))
    assert x[1] - x[0] == pytest.approx(x[2] - x[1], abs=1)  # equal steps on a logarithmic axis
    assert y[0] < y[1] < y[2]  # downwards


def test_a_thumbnail_of_images_is_a_small_picture():
    drawn = thumbnail(plotted(images.grid(np.full((12, 3, 64, 64), 200, np.uint8), zoom=2)))
    source = re.search(r'src="data:image/png;base64,([^"]+)"', drawn)[1]
    small = Image.open(io.BytesIO(base64.b64decode(source)))
    assert small.width <= WIDTH
    assert small.height <= HEIGHT
    assert small.getpixel((3, 3))[:3] == (200, 200, 200)
    assert thumbnail({"data": [], "layout": {}}) == ""
    assert thumbnail({"data": [{"type": "image", "source": "data:image/png;base64,AA=="}]}) == ""


def test_a_figure_says_what_it_shows():
    history = pd.DataFrame({"epoch": [1, 2], "train_loss": [2, 1], "val_accuracy": [0.1, 0.5]})
    words = plots.describe(plotted(training.curves(history)))
    for part in ("Lines: ", "epoch", "Accuracy", "Loss (cross-entropy, nats)", "validation"):
        assert part in words, words
    assert plots.describe({"data": [], "layout": {}}) == "Figure"
    figure = go.Figure(go.Bar(x=["a"], y=[1]), {"title": 'Sizes <b>"now"</b>'})
    div = plots.figure_div(plotted(figure), "Layers")
    assert 'aria-label="Layers. Sizes &quot;now&quot;; Bars"' in div


def test_a_label_begins_a_description_with_one_mark() -> None:
    correlation = pd.DataFrame(np.eye(2), ["vgg16", "alexnet"], ["vgg16", "alexnet"])
    shown = plotted(ensemble.error_correlation(correlation))
    for label, start in (("How similar?", "How similar? "), ("Errors", "Errors. "), ("", "")):
        div = plots.figure_div(shown, label)
        assert f'aria-label="{start}Heat map; colour: Pearson r' in div


@pytest.fixture
def run(tmp_path):
    run = tmp_path / "run"
    (run / "notebooks").mkdir(parents=True)
    nbformat.write(executed(), run / "notebooks" / "01_first.ipynb")
    state.write(run, "01_first", state.OK, seconds=4.5, data="/x/pictures", parameters={"k": 3})
    folder = run / "networks" / "vgg16"
    fit = {"network": "vgg16", "val_accuracy": 0.5, "device": "a fast one", "precision": "bfloat16"}
    files.write_json(folder / "summary.json", fit)
    files.write_json(folder / "meta.json", {"images": {"train": 900, "val": 100}})
    vote = {"name": "soft vote", "kind": "vote", "accuracy": 0.6, "low": 0.5, "high": 0.69}
    files.write_table(pd.DataFrame([vote]), run / "ensemble" / "summary.csv")
    return run


def test_accuracies_have_intervals(run):
    table = collect_results(run)
    assert table.val_low.tolist() == pytest.approx([0.4038, 0.5], abs=1e-4)  # Wilson's, 50 of 100
    assert table.val_high.tolist() == pytest.approx([0.5962, 0.69], abs=1e-4)


def test_the_contents_tell_findings_results_and_how_they_were_made(run, tmp_path):
    folder = workbook_toys.write_workbook(tmp_path / "notebooks", {"01_first": {}})
    index = build.build(run, load_workbook(folder)).read_text()
    assert "<p>Yes: it learns (95 % interval 0.5 to 0.7).</p>" in index
    assert index.count('class="thumbnail"') == 1
    figure = json.loads(re.search(r'<script type="application/json">(.*?)</script>', index)[1])
    ours, papers = figure["data"]
    assert ours["x"] == ["VGG-16", "soft vote"]
    assert plots.values(ours["error_y"]["array"]) == pytest.approx([0.0962, 0.09], abs=1e-4)
    assert papers["name"] == "the paper"
    assert "assets/plotly.min.js" in index
    table, made = index.split("How this was made")
    assert "<td>0.404–0.596</td>" in table
    assert "a fast one" not in table.split('<div class="scroll"')[1]
    for fact in ("a fast one", "bfloat16", "<td>pictures</td><td>k=3</td>"):
        assert fact in made
