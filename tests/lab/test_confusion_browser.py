"""The browser of confusions from Python's side; tests/browser clicks in a real JupyterLab."""

import io
from pathlib import Path
from typing import Any

import IPython.display
import numpy as np
import pandas as pd
import plotly.graph_objects as go
import pytest
from PIL import Image
from small_run import NETWORKS

from tin_lib.analysis import errors, runs
from tin_lib.data import TinyImageNet
from tin_lib.lab.widgets import ConfusionBrowser
from tin_lib.lab.widgets.confusion import confusion_card


@pytest.fixture
def browser(run: runs.Run, data: TinyImageNet) -> ConfusionBrowser:
    browser = ConfusionBrowser(run, data)
    yield browser
    browser.close()


def behind(run: runs.Run, network: str, label: str, predicted: str) -> pd.DataFrame:
    """Rows of the predictions table; the index is the image's row in the split."""
    table = run.fits[network].predictions("val")
    return table[(table.label == label) & (table.predicted == predicted)]


def check_shown(browser: ConfusionBrowser, rows: pd.DataFrame, pixels: np.ndarray) -> None:
    """The browser lists these files, with these probabilities, and its picture has their pixels."""
    assert sorted(browser.shown.file) == sorted(rows.file)
    picture = np.array(Image.open(io.BytesIO(browser.png())))
    group = browser.groups(browser.cell)[0]
    for number, file in enumerate(browser.shown.file):
        x, y = group.place(number)
        tile = picture[y : y + confusion_card.TILE, x : x + confusion_card.TILE][
            :: confusion_card.ZOOM, :: confusion_card.ZOOM
        ]
        row = rows.index[rows.file == file][0]
        assert (tile.transpose(2, 0, 1) == pixels[row]).all()
        assert f"{file} {rows.probability[row]:.0%}" in browser.message.value


def click(browser: ConfusionBrowser, label: str, predicted: str) -> None:
    """What plotly's side sends for a click."""
    place = [browser.order.index(label), browser.order.index(predicted)]
    points = {"trace_indexes": [0], "point_indexes": [place], "xs": [""], "ys": [""], "zs": [0]}
    browser.matrix._js2py_pointsCallback = {
        "event_type": "plotly_click",
        "points": points,
        "device_state": None,
        "selector": None,
    }


def test_controls_show_exactly_the_images_of_the_cell(browser: ConfusionBrowser, run, data) -> None:
    browser.controls.network.value = "vgg_like"
    table = run.fits["vgg_like"].predictions("val")
    for label, predicted in table.groupby(["label", "predicted"]).groups:
        browser.controls.label.value = browser.names[label]
        browser.controls.predicted.value = browser.names[predicted]
        check_shown(browser, behind(run, "vgg_like", label, predicted), data.val.images)


def test_click_and_controls_stay_in_step(browser: ConfusionBrowser, run, data) -> None:
    label, predicted = browser.order[3], browser.order[7]
    click(browser, label, predicted)
    check_shown(browser, behind(run, "convnet9", label, predicted), data.val.images)
    assert browser.controls.label.value == browser.names[label]
    assert browser.controls.predicted.value == browser.names[predicted]
    mark = browser.matrix.data[1]
    assert (*mark.x, *mark.y) == (browser.names[predicted], browser.names[label])


def test_errors_begin_with_the_most_frequent(browser: ConfusionBrowser, run, data) -> None:
    browser.controls.network.value = "vgg_like"
    counts = errors.confusion_matrix(run.fits["vgg_like"].predictions("val"), browser.names)
    pairs = errors.most_confused(counts, browser.names, 50)
    listed = browser.controls.pairs.options
    assert [pair for _, pair in listed] == list(zip(pairs.label, pairs.predicted))
    browser.controls.pairs.index = 2
    assert (browser.cell.label, browser.cell.predicted) == listed[2][1]
    check_shown(browser, behind(run, *browser.cell), data.val.images)
    again = ConfusionBrowser(run, data, "vgg_like")
    assert again.cell == ("vgg_like", *listed[0][1])
    again.close()


def test_another_network_keeps_the_cell(browser: ConfusionBrowser, run, data) -> None:
    label, predicted = browser.cell.label, browser.cell.predicted
    for network in NETWORKS[::-1]:
        browser.controls.network.value = network
        assert browser.cell == (network, label, predicted)
        check_shown(browser, behind(run, network, label, predicted), data.val.images)
        counts = errors.confusion_matrix(run.fits[network].predictions("val"), browser.names)
        shown = np.asarray(browser.matrix.data[0].z)
        assert (shown == counts.loc[browser.order, browser.order].to_numpy()).all()


def test_votes_are_offered(browser: ConfusionBrowser) -> None:
    assert [name for _, name in browser.controls.network.options] == [*NETWORKS, "soft vote"]
    titles = [title for title, _ in browser.controls.network.options]
    assert titles == ["9-layer ConvNet", "VGG-like", "soft vote"]
    browser.look(network="soft vote")
    assert "by soft vote" in browser.message.value


def test_class_typed_in_part(browser: ConfusionBrowser) -> None:
    wnid, name = list(browser.names.items())[4]
    browser.controls.label.value = name[:-1].upper()
    assert browser.cell.label == wnid
    assert browser.controls.label.value == name
    browser.controls.predicted.value = "no such class"
    assert "No class" in browser.message.value
    assert browser.controls.predicted.value == browser.names[browser.cell.predicted]


def test_empty_cell_and_diagonal(browser: ConfusionBrowser, run) -> None:
    ids = list(browser.names)
    given = set(zip(*[run.fits["convnet9"].predictions("val")[c] for c in ("label", "predicted")]))
    empty = next((a, b) for a in ids for b in ids if a != b and (a, b) not in given)
    browser.look(*empty)
    assert "no image" in browser.message.value
    assert len(browser.groups(browser.cell)) == 3
    browser.look(empty[0], empty[0])
    assert len(browser.groups(browser.cell)) == 1
    assert "correctly predicted by 9-layer ConvNet" in browser.message.value


def test_zoom_frames_the_cell(browser: ConfusionBrowser) -> None:
    browser.controls.zoom.value = 5
    for place in (0, 4, 9):
        browser.look(browser.order[place], browser.order[9 - place])
        x, y = browser.matrix.layout.xaxis.range, browser.matrix.layout.yaxis.range
        assert (x[1] - x[0], y[0] - y[1]) == (5, 5)
        assert x[0] < 9 - place < x[1]
        assert y[1] < place < y[0]
        assert min(*x, *y) >= -0.5
        assert max(*x, *y) <= 9.5


def test_a_view_zoomed_by_mouse_stays_unless_the_cell_is_elsewhere(
    browser: ConfusionBrowser,
) -> None:
    browser.look(browser.order[1], browser.order[2])
    browser.matrix.update_layout(xaxis_range=[0.2, 3.4], yaxis_range=[3.1, -0.1])
    browser.controls.network.value = "vgg_like"
    browser.controls.label.value = browser.names[browser.order[3]]
    assert browser.matrix.layout.xaxis.range == (0.2, 3.4)
    browser.controls.label.value = browser.names[browser.order[8]]
    assert browser.matrix.layout.yaxis.range == (9.5, -0.5)


def test_link_shows_the_cell_again(browser: ConfusionBrowser) -> None:
    browser.look(browser.order[1], browser.order[2], "soft vote")
    again = eval(browser.link(), {"ConfusionBrowser": ConfusionBrowser})
    assert again.cell == browser.cell
    assert again.png() == browser.png()
    again.close()


def test_batch_run_displays_matrix_and_picture(
    run: runs.Run, data: TinyImageNet, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("TIN_BATCH", "1")
    left: list[Any] = []
    monkeypatch.setattr(IPython.display, "display", left.append)
    browser = ConfusionBrowser(run, data)
    browser._ipython_display_()
    figure, picture = left
    assert type(figure) is go.Figure
    counts = browser.counts["convnet9"].loc[browser.order, browser.order]
    assert (np.asarray(figure.data[0].z) == counts.to_numpy()).all()
    assert picture.data == browser.png()
    assert browser.prefetcher.thread is None
    browser.close()


def test_live_notebook_shows_the_widget(browser: ConfusionBrowser) -> None:
    with pytest.raises(NotImplementedError):  # IPython then tries the next kind of display
        browser._ipython_display_()
    assert "application/vnd.jupyter.widget-view+json" in browser._repr_mimebundle_()


@pytest.mark.parametrize(
    ("bad", "message"),
    [
        ({"network": "resnet"}, "network: 'resnet' is not one of convnet9, vgg_like, soft vote"),
        ({"label": "n1"}, "label: 'n1' is not one of n"),
        ({"predicted": "n1"}, "predicted: 'n1' is not one of n"),
    ],
)
def test_bad_parameters_are_named(run, data, bad: dict[str, str], message: str) -> None:
    with pytest.raises(ValueError, match=message):
        ConfusionBrowser(run, data, **bad)


def test_other_data_and_missing_runs_are_refused(run, tiny: TinyImageNet, tmp_path: Path) -> None:
    with pytest.raises(ValueError, match="other images"):
        ConfusionBrowser(run, tiny)
    with pytest.raises(FileNotFoundError, match="no trained network"):
        ConfusionBrowser(tmp_path)


def test_every_control_is_labelled(browser: ConfusionBrowser) -> None:
    for control in browser.controls.children:
        assert control.description
        assert control.tooltip
