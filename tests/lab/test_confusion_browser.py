"""The confusion browser from Python's side: its answers, views, links, and what notebooks keep.

tests/browser clicks in real browsers.
"""

import base64
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import IPython.display
import numpy as np
import pandas as pd
import plotly.graph_objects as go
import pytest
from small_run import NETWORKS

from tin_lib.analysis import ensemble, errors, runs
from tin_lib.data import TinyImageNet
from tin_lib.lab.figures.tiles import small_png
from tin_lib.lab.widgets import ConfusionBrowser
from tin_lib.lab.widgets.confusion.cells import BESIDE, MOST, Cell


@pytest.fixture
def browser(run: runs.Run, data: TinyImageNet) -> Iterator[ConfusionBrowser]:
    browser = ConfusionBrowser(run, data)
    yield browser
    browser.close()


def behind(run: runs.Run, network: str, label: str, predicted: str) -> pd.DataFrame:
    """Rows of the predictions table; the index is the image's row in the split."""
    table = run.fits[network].predictions("val")
    return table[(table.label == label) & (table.predicted == predicted)]


def check_answer(browser: ConfusionBrowser, run: runs.Run, pixels: np.ndarray, cell: Cell) -> None:
    """The answer names a cell's files and probabilities, and the bytes are the images' pixels."""
    reply, (sent,) = browser.answer("cell", cell._asdict())
    correct = [wnid for wnid in dict.fromkeys(cell[1:]) if cell.label != cell.predicted]
    wanted = [(*cell[1:], MOST), *((wnid, wnid, BESIDE) for wnid in correct)]
    shown = []
    assert len(reply["groups"]) == len(wanted)
    for group, (label, predicted, most) in zip(reply["groups"], wanted):
        rows = behind(run, cell.network, label, predicted)
        assert (group["label"], group["predicted"]) == (label, predicted)
        assert len(group["files"]) == min(len(rows), most)
        assert set(group["files"]) <= set(rows.file)
        share = rows.set_index("file").probability[group["files"]]
        assert group["probabilities"] == pytest.approx(list(share), abs=1e-4)
        assert list(share) == sorted(rows.probability, reverse=True)[:most]
        shown += [rows.index[rows.file == file][0] for file in group["files"]]
    assert sent == np.array(pixels[np.array(shown, int)]).tobytes()


def test_answers_are_exactly_the_images_of_the_cell(browser: ConfusionBrowser, run, data) -> None:
    for network in NETWORKS:
        table = run.fits[network].predictions("val")
        for label, predicted in table.groupby(["label", "predicted"]).groups:
            check_answer(browser, run, data.val.images, Cell(network, label, predicted))


def test_an_empty_cell_has_images_for_comparison(browser: ConfusionBrowser, run, data) -> None:
    ids = list(browser.cells.names)
    given = set(zip(*[run.fits["convnet9"].predictions("val")[c] for c in ("label", "predicted")]))
    empty = next((a, b) for a in ids for b in ids if a != b and (a, b) not in given)
    browser.look(*empty)
    assert browser.shown.empty
    assert len(browser.groups(browser.cell)) == 3
    check_answer(browser, run, data.val.images, browser.cell)


def test_counts_of_all_networks_and_votes(browser: ConfusionBrowser, run) -> None:
    tables = ensemble.with_votes(run)
    described = browser.description
    assert list(described["networks"]) == [*NETWORKS, "soft vote"]
    ids = [each["id"] for each in described["classes"]]
    titles = [each["title"] for each in described["networks"].values()]
    assert titles == ["9-layer ConvNet", "VGG-like", "soft vote"]
    for name, network in described["networks"].items():
        sent = np.zeros(len(ids) ** 2, int)
        sent[network["counts"][::2]] = network["counts"][1::2]
        counts = errors.confusion_matrix(tables[name], browser.cells.names)
        assert (sent.reshape(len(ids), -1) == counts.loc[ids, ids].to_numpy()).all()
        pairs = errors.most_confused(counts, browser.cells.names, 50)
        listed = [(ids[label], ids[predicted]) for label, predicted in network["errors"]]
        assert listed == list(zip(pairs.label, pairs.predicted))


def test_the_first_cell_is_the_most_frequent_error(run, data) -> None:
    for network in (*NETWORKS, "soft vote"):
        browser = ConfusionBrowser(run, data, network)
        counts = browser.cells.counts[network]
        pairs = errors.most_confused(counts, browser.cells.names, 1)
        assert browser.cell == (network, pairs.label[0], pairs.predicted[0])
        browser.close()


def test_what_is_not_given_stays(browser: ConfusionBrowser) -> None:
    label, predicted = browser.cell.label, browser.cell.predicted
    browser.look(network="soft vote")
    assert browser.cell == ("soft vote", label, predicted)
    browser.look(predicted=label, zoom=5)
    assert browser.view == {
        "network": "soft vote",
        "label": label,
        "predicted": label,
        "zoom": 5,
    }
    browser.look(zoom=0)
    assert browser.cell == ("soft vote", label, label)
    assert "zoom" not in browser.view


def test_link_shows_the_cell_again(browser: ConfusionBrowser) -> None:
    order = browser.cells.order
    browser.look(order[1], order[2], "soft vote", np.int64(5))
    known: dict[str, Any] = {}
    exec(browser.link().replace("; ", "; again = "), known)
    assert known["again"].view == browser.view
    assert known["again"].still() == browser.still()
    known["again"].close()


def picture(browser: ConfusionBrowser, row: int) -> str:
    """An image as it is in HTML."""
    pixels = np.array(browser.pixels[row]).transpose(1, 2, 0)
    return base64.b64encode(small_png(pixels)).decode()


def test_batch_run_displays_matrix_and_images(
    run: runs.Run, data: TinyImageNet, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("TIN_BATCH", "1")
    left: list[Any] = []
    monkeypatch.setattr(IPython.display, "display", left.append)
    browser = ConfusionBrowser(run, data)
    browser._ipython_display_()
    figure, images = left
    assert type(figure) is go.Figure
    order, names = browser.cells.order, browser.cells.names
    counts = browser.cells.counts["convnet9"].loc[order, order]
    assert (np.asarray(figure.data[0].z) == counts.to_numpy()).all()
    cell = browser.cell
    assert (*figure.data[1].x, *figure.data[1].y) == (names[cell.predicted], names[cell.label])
    assert images.data == browser.still()
    browser.close()


def test_still_has_the_images_with_their_files(browser: ConfusionBrowser) -> None:
    still = browser.still()
    assert "<script" not in still
    assert f"{browser.cells.title(browser.cell)}</h4>" in still
    places = []
    for _, rows in browser.groups(browser.cell):
        for file, share, row in zip(rows.file, rows.probability, rows.row):
            assert f"<figcaption>{file} {100 * share:.0f}\u00a0%</figcaption>" in still
            places.append(still.index(picture(browser, row)))
    assert places == sorted(places)
    assert len(places) == still.count("<img")


def test_live_notebook_shows_the_widget_and_keeps_the_images(browser: ConfusionBrowser) -> None:
    with pytest.raises(NotImplementedError):  # IPython then tries the next kind of display
        browser._ipython_display_()
    shown = browser._repr_mimebundle_()
    bundle = shown[0] if isinstance(shown, tuple) else shown
    assert "application/vnd.jupyter.widget-view+json" in bundle
    assert bundle["text/html"] == browser.still()


def test_requests_that_cannot_be_answered(browser: ConfusionBrowser) -> None:
    good = browser.cell._asdict()
    with pytest.raises(ValueError, match="kind='maps': choose cell"):
        browser.answer("maps", good)
    with pytest.raises(ValueError, match="predicted: 'n1' is not one of n"):
        browser.answer("cell", good | {"predicted": "n1"})


@pytest.mark.parametrize(
    ("bad", "message"),
    [
        ({"network": "resnet"}, "network: 'resnet' is not one of convnet9, vgg_like, soft vote"),
        ({"label": "n1"}, "label: 'n1' is not one of n"),
        ({"predicted": "n1"}, "predicted: 'n1' is not one of n"),
        ({"zoom": 20}, "zoom: 20 is not one of 5, 0 for all classes"),
    ],
)
def test_bad_parameters_are_named(run, data, bad: dict[str, Any], message: str) -> None:
    with pytest.raises(ValueError, match=message):
        ConfusionBrowser(run, data, **bad)


def test_other_data_and_missing_runs_are_refused(run, tiny: TinyImageNet, tmp_path: Path) -> None:
    with pytest.raises(ValueError, match="other images"):
        ConfusionBrowser(run, tiny)
    with pytest.raises(FileNotFoundError, match="no trained network"):
        ConfusionBrowser(tmp_path)
