"""Saliency figures show the numbers and pictures they are given."""

import numpy as np
import pandas as pd
import pytest
import torch

from tin_lib.analysis import saliency
from tin_lib.lab import figures

ROW = {"mean": 0.5, "low": 0.4, "high": 0.7, "n": 8}


@pytest.fixture(scope="module")
def table() -> pd.DataFrame:
    kinds = {"gradient": "method", "grad_cam": "method", "centre": "baseline"}
    return pd.DataFrame(
        {"network": network, "method": method, "kind": kind, "measure": measure, **ROW}
        for network in ("convnet9", "vgg16")
        for method, kind in kinds.items()
        for measure in figures.saliency.MEASURES
    )


def test_figure_5_has_a_labelled_row_a_network() -> None:
    pixels, inputs = np.zeros((1, 3, 64, 64), np.uint8), torch.zeros(1, 3, 64, 64)
    row = saliency.figure5_rows(pixels, inputs, torch.randn(1, 3, 64, 64))[0]
    figure = figures.saliency.figure5({"first: cross": row, "second: ring": row}, zoom=1)
    texts = [note.text for note in figure.layout.annotations]
    assert texts == [*figures.saliency.TITLES, "first: cross", "second: ring"]
    assert len(row) == len(figures.saliency.TITLES)


def test_measures_have_intervals_and_hollow_chance(table: pd.DataFrame) -> None:
    figure = figures.saliency.measures(table.assign(left_out=0, verdict="yes"))
    assert len(figure.data) == 4 * 2
    first = figure.data[0]
    assert first.name == "9-layer ConvNet"
    assert list(first.marker.symbol) == ["circle", "circle", "circle-open"]
    np.testing.assert_allclose(first.x, 0.5)
    np.testing.assert_allclose(first.error_x.array, 0.2)
    np.testing.assert_allclose(first.error_x.arrayminus, 0.1)
    assert [trace.showlegend for trace in figure.data] == [True] * 2 + [False] * 6


def test_measures_without_boxes_and_with_a_method_of_one_network(table: pd.DataFrame) -> None:
    left_out = (table.network == "convnet9") & (table.method == "gradient")
    part = table[table.measure.isin(["insertion", "deletion"]) & ~left_out]
    figure = figures.saliency.measures(part)
    assert len(figure.data) == 2 * 2
    assert list(figure.layout.yaxis.ticktext) == ["Grad-CAM", "gradient", "centre"]
    rows = [[round(value) for value in trace.y] for trace in figure.data[:2]]
    assert rows == [[0, 2], [1, 0, 2]]


def test_curves_are_of_one_network() -> None:
    table = pd.DataFrame(
        {"network": net, "method": method, "kind": "method", "curve": curve, "share": share}
        | {"probability": share * (1 if net == "vgg16" else 0.5)}
        for net in ("convnet9", "vgg16")
        for method in ("gradient", "grad_cam")
        for curve in ("insertion", "deletion")
        for share in (0.0, 0.5, 1.0)
    )
    figure = figures.saliency.curves(table, "vgg16")
    assert len(figure.data) == 4
    assert all(list(trace.y) == [0.0, 0.5, 1.0] for trace in figure.data)
    with pytest.raises(ValueError, match="convnet9, vgg16"):
        figures.saliency.curves(table, "alexnet")


def test_randomisation_has_a_panel_a_method(table: pd.DataFrame) -> None:
    rows = pd.concat([table.assign(layers=name) for name in ("output layer", "all layers")])
    figure = figures.saliency.randomisation(rows[rows.measure == "pointing"])
    titles = [note.text for note in figure.layout.annotations]
    assert titles == ["gradient", "Grad-CAM", "centre"]
    assert len(figure.data) == 3 * 2
    assert [trace.name for trace in figure.data[:2]] == ["9-layer ConvNet", "VGG-16"]
    assert list(figure.data[0].x) == ["output layer", "all layers"]
