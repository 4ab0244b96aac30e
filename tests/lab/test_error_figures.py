"""Figures of ensembles and errors: they draw what the tables hold, and stay small."""

import base64
import io

import error_toys as toys
import numpy as np
import pandas as pd
import plotly.graph_objects as go
import pytest
from PIL import Image

from tin_lib.analysis import ensemble, errors
from tin_lib.lab.figures import boxes as box_figures
from tin_lib.lab.figures import ensemble as ensemble_figures
from tin_lib.lab.figures import errors as figures

NAMES = toys.names()


@pytest.fixture(scope="module")
def planted() -> tuple[pd.DataFrame, np.ndarray]:
    return toys.planted({"area": 0.4}, classes=30, per_class=20)


@pytest.fixture(scope="module")
def box_table(planted: tuple[pd.DataFrame, np.ndarray]) -> pd.DataFrame:
    return errors.box_table(*planted)


def size(figure: go.Figure) -> int:
    return len(figure.to_json())


def test_accuracy_draws_each_interval_and_the_papers_marks() -> None:
    rows = [("vgg16", "network", 0.5), ("soft vote", "vote", 0.6)]
    table = pd.DataFrame(rows, columns=["name", "kind", "accuracy"])
    table = table.assign(low=table.accuracy - 0.1, high=table.accuracy + 0.2, correct=1, images=2)
    figure = ensemble_figures.accuracy(table, {"vgg16": 0.535, "alexnet": 0.1})
    assert [trace.name for trace in figure.data] == ["network", "vote", "the paper"]
    assert list(figure.data[0].y) == ["VGG-16"]
    assert figure.data[1].error_x.array[0] == pytest.approx(0.2)
    assert figure.data[1].error_x.arrayminus[0] == pytest.approx(0.1)
    assert list(figure.data[2].x) == [0.535]


def test_correlation_shows_each_pair_once() -> None:
    wrong = pd.DataFrame(np.random.default_rng(0).random((200, 3)) < 0.5, columns=list("abc"))
    table = ensemble.error_correlation(wrong)
    drawn = np.asarray(ensemble_figures.error_correlation(table).data[0].z)
    assert np.count_nonzero(~np.isnan(drawn)) == 3
    assert drawn[1, 0] == table.loc["c", "a"]


def test_per_class_runs_from_best_to_worst(planted: tuple[pd.DataFrame, np.ndarray]) -> None:
    classes = errors.per_class(planted[0], NAMES)
    points = figures.per_class(classes).data[0]
    assert list(points.y) == sorted(classes.error_rate)
    assert set(points.x) == set(NAMES.values())
    assert "most often predicted as thing" in points.customdata[-1][2]


def test_best_and_worst_with_and_without_the_papers_classes() -> None:
    names = errors.short_names(["n1", "n2"], ["goldfish", "comb"])
    table = pd.DataFrame({"label": ["n1", "n2"], "predicted": ["n1", "n1"]})
    ends = errors.best_and_worst(errors.per_class(table, names), 1)
    figure = figures.best_and_worst(ends)
    assert [trace.name for trace in figure.data][-1] == "the paper's VGG-16"
    assert list(figure.data[-1].x) == [4 / 50]
    assert len(figures.best_and_worst(ends.assign(paper_errors=np.nan)).data) == 2


def test_confusion_keeps_counts_in_the_given_order(
    planted: tuple[pd.DataFrame, np.ndarray],
) -> None:
    counts = errors.confusion_matrix(planted[0], NAMES)
    order = errors.class_order(counts)
    heat = figures.confusion(counts, NAMES, order).data[0]
    assert (np.asarray(heat.z) == counts.loc[order, order].to_numpy()).all()
    shares = counts.div(counts.sum(axis=1), axis=0).loc[order, order]
    assert np.abs(np.asarray(heat.customdata) - 100 * shares.to_numpy()).max() <= 0.5
    assert list(heat.y) == list(heat.x) == [NAMES[wnid] for wnid in order]
    places = [place for place, _ in heat.colorscale]
    assert places[0] == 0
    assert places[-1] == 1
    assert places[8] == 0.25  # half the colours for a quarter of the counts


def test_confusion_of_200_classes_stays_small() -> None:
    names = toys.names(200)
    counts = pd.DataFrame(np.eye(200, dtype=int) * 50, index=list(names), columns=list(names))
    assert size(figures.confusion(counts, names)) < 200_000


def test_pairs_and_agreement(planted: tuple[pd.DataFrame, np.ndarray]) -> None:
    counts = errors.confusion_matrix(planted[0], NAMES)
    pairs = errors.most_confused(counts, NAMES, 7)
    dots = figures.confused_pairs(pairs).data[0]
    assert list(dots.x) == pairs.share.tolist()
    assert dots.y[0] == f"{pairs.label_name[0]} → {pairs.predicted_name[0]}"
    table = errors.agreement({"a": planted[0], "b": planted[0]})
    bars, expected = figures.agreement(table).data
    assert list(bars.y) == table.images.tolist()
    assert list(expected.y) == table.independent.tolist()


def test_examples_fill_short_rows_so_that_groups_keep_theirs() -> None:
    table = pd.DataFrame(
        {
            "file": ["a", "b", "c", "d"],
            "label": ["n1", "n1", "n1", "n2"],
            "predicted": ["n1", "n1", "n2", "n1"],
            "probability": [0.9, 0.8, 0.7, 0.6],
        }
    )
    pictures = np.random.default_rng(0).integers(0, 256, (4, 3, 64, 64), dtype=np.uint8)
    names = {"n1": "cat", "n2": "a class with quite a long name"}
    figure = figures.examples(errors.examples(table, "n1"), pictures, names)
    titles = [annotation.text for annotation in figure.layout.annotations]
    assert titles[:3] == ["correct<br>90%", "correct<br>80%", "→ a class with qu…<br>70%"]
    hover = list(figure.data[1].text)
    assert hover[2] == "c<br>cat, predicted as a class with quite a long name (70%)"
    picture = Image.open(io.BytesIO(base64.b64decode(figure.data[0].source.split(",")[1])))
    opaque = np.asarray(picture)[..., 3].sum() / 255
    assert opaque == 4 * 64 * 64  # empty places are transparent
    assert [text == "no more images" for text in hover] == [False, False, False, True, False, True]


def test_label_issues_show_the_label_and_the_suggestion() -> None:
    table = pd.DataFrame(
        [("val", "a.JPEG", "n1", "n2 n3", 0.9, "why")],
        columns=["split", "file", "label", "suggested", "confidence", "reason"],
    )
    names = {"n1": "cat", "n2": "dog", "n3": "owl"}
    figure = figures.label_issues(table, np.zeros((1, 3, 64, 64), np.uint8), names)
    assert figure.layout.annotations[0].text == "cat<br>? dog or owl"
    assert "val/a.JPEG" in figure.data[1].text[0]


def test_accuracy_by_box_draws_every_view(box_table: pd.DataFrame) -> None:
    binned = pd.concat([errors.accuracy_by_box(box_table, view) for view in errors.VIEWS])
    figure = box_figures.accuracy_by_box(binned)
    assert len(figure.data) == 4 + 3 + 4  # no bins of cut within classes
    assert sum(bool(trace.showlegend) for trace in figure.data) == 3
    first = binned[(binned["view"] == "all images") & (binned.property == "area")]
    assert list(figure.data[0].y) == first.accuracy.tolist()
    assert size(figure) < 40_000


def test_coefficients_draw_every_estimate(box_table: pd.DataFrame) -> None:
    regression = errors.box_regression(box_table)
    figure = box_figures.coefficients(regression)
    drawn = [value for trace in figure.data for value in trace.x]
    assert sorted(drawn) == sorted(regression.odds_ratio)
    assert "expected above 1" in figure.layout.yaxis.ticktext[0]
    nothing = box_figures.coefficients(regression.assign(coefficient=np.nan, note="too few"))
    assert nothing.layout.annotations[0].text == "no estimate: too few"
