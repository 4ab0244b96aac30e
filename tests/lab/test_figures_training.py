"""Figures of training show the numbers they are given."""

import numpy as np
import pandas as pd
import pytest

from tin_lib.lab.figures import training


def history(epochs: int = 5) -> pd.DataFrame:
    epoch = np.arange(1, epochs + 1)
    columns = {"epoch": epoch, "train_loss": 5 / epoch, "val_loss": 6 / epoch}
    accuracies = {"train_accuracy": epoch / 10, "val_accuracy": epoch / 20, "seconds": 2.0}
    return pd.DataFrame(columns | accuracies)


def test_curves_show_training_and_validation() -> None:
    figure = training.curves(history())
    assert [trace.name for trace in figure.data] == ["training", "validation"] * 2
    np.testing.assert_allclose(figure.data[1].y, history()["val_loss"])
    np.testing.assert_allclose(figure.data[2].y, history()["train_accuracy"])
    assert [trace.showlegend for trace in figure.data] == [True, True, False, False]
    assert figure.layout.xaxis.title.text == "epoch"


def test_a_high_loss_of_the_first_epoch_does_not_flatten_the_others() -> None:
    flat = training.curves(history().assign(val_loss=[90.0, 2.0, 1.5, 1.2, 1.0]))
    assert flat.layout.yaxis.range == pytest.approx((0, 1.1 * 2.5))  # training's second epoch
    assert "↑ first epoch: 90.0" in [note.text for note in flat.layout.annotations]
    assert next(iter(flat.data[1].y)) == 90.0
    for usual in (history().assign(train_loss=2.0, val_loss=2.0), history(1)):
        assert training.curves(usual).layout.yaxis.range is None


def test_curves_leave_out_what_was_not_measured() -> None:
    table = history().assign(heldout_accuracy=0.3, val_loss=None)
    names = [trace.name for trace in training.curves(table).data]
    assert names == ["training", "training", "held-out part", "validation"]


def test_compare_by_epoch_and_by_time() -> None:
    histories = {"a": history(), "b": history(3)}
    by_epoch = training.compare(histories, "train_loss")
    assert [trace.name for trace in by_epoch.data] == ["a", "b"]
    assert by_epoch.layout.yaxis.title.text == "training loss (nats)"
    by_time = training.compare(histories, over="seconds")
    np.testing.assert_allclose(by_time.data[1].x, [2, 4, 6])
    assert by_time.layout.xaxis.title.text == "training time (s)"
    diverging = training.compare(
        {"a": history().assign(train_loss=[90.0, 2, 1, 1, 1])}, "train_loss"
    )
    assert diverging.layout.yaxis.range == pytest.approx((0, 2.2))
    assert diverging.layout.annotations[0].text == "↑ first epoch: 90.0"
    # Distinguishable without colour, too.
    assert by_time.data[0].line.dash != by_time.data[1].line.dash


def test_results_are_shown_with_the_papers() -> None:
    table = pd.DataFrame(
        {"name": ["vgg16", "alexnet"], "val_accuracy": [0.55, 0.33], "paper_val": [0.535, None]}
    )
    figure = training.results(table)
    assert [bar.name for bar in figure.data] == ["this run", "the paper"]
    assert list(figure.data[0].x) == ["VGG-16", "AlexNet"]
    assert list(figure.data[1].text) == ["53.5%", ""]
    alone = training.results(table.assign(paper_val=None))
    assert [bar.name for bar in alone.data] == ["this run"]


def test_layer_sizes() -> None:
    table = pd.DataFrame({"parameters": [4864, 2_097_664]}, index=["conv1", "dense1"])
    bar = training.layer_sizes(table).data[0]
    assert list(bar.x) == [4864, 2_097_664]
    assert list(bar.text) == ["4,864", "2,097,664"]


def test_loss_parts_leave_out_penalties_that_there_are_none_of() -> None:
    parts = pd.DataFrame({"epoch": [1, 2], "train_loss": [2.0, 1.0], "penalty": [0.5, 0.25]})
    both = training.loss_parts(parts).data
    assert [trace.name for trace in both] == ["cross-entropy", "penalties"]
    one = training.loss_parts(parts.assign(penalty=0.0)).data
    assert [trace.name for trace in one] == ["cross-entropy"]
