"""Pruning: figures and closing texts, on small tables."""

from typing import Any

import pandas as pd
import pytest

from tin_lib.analysis import pruning
from tin_lib.lab.conclusions import pruning as conclusions
from tin_lib.lab.figures import pruning as figures

NAN = float("nan")


def comparisons(rows: dict[str, tuple[float, float, str]]) -> pd.DataFrame:
    """A table as ``arms.compare`` gives it, of difference, adjusted p and outcome by arm."""
    table = pd.DataFrame(
        {
            "arm": arm,
            "paired": 3,
            "val_accuracy": 0.4 + (difference if outcome else 0),
            "val_std": 0.01,
            "against": "other" if outcome else "",
            "difference": difference,
            "low": difference - 0.02,
            "high": difference + 0.02,
            "p_adjusted": p,
            "outcome": outcome,
        }
        for arm, (difference, p, outcome) in rows.items()
    )
    return pruning.split_arms(table)


@pytest.fixture
def losses() -> pd.DataFrame:
    """Dense networks, and two ways of pruning."""
    rows = {"dense": (NAN, NAN, ""), "one-shot, 50 %": (0.001, 1.0, "undecided")}
    rows |= {"one-shot, 10 %": (-0.1, 0.01, "no"), "one-shot, 1 %": (-0.3, 0.001, "no")}
    rows |= {"iterative, 10 %": (0.08, 0.02, "yes"), "iterative, 1 %": (-0.3, 0.001, "no")}
    return comparisons(rows)


def test_a_worse_arm_is_a_loss(losses: pd.DataFrame) -> None:
    one_shot, iterative = conclusions.losses(losses).split("\n\n")
    assert "**Yes** with 10 % and 1 % kept; undecided with 50 % kept." in one_shot
    assert "The largest difference: 1 % kept, -30.0 points, 95 % interval -32.0 to" in one_shot
    assert "**Undecided** overall; yes with 1 % kept; no with 10 % kept." in iterative


def test_methods_are_asked_whether_they_are_better() -> None:
    rows = {"one-shot, 5 %": (NAN, NAN, ""), "iterative, 5 %": (0.1, 0.01, "yes")}
    rows |= {"iterative, 1 %": (0.0, NAN, "undecided"), "filters, 5 %": (-0.1, 0.01, "no")}
    first, second = conclusions.methods(comparisons(rows)).split("\n\n")
    assert "**Yes** with 5 % kept; not tested (both at chance level" in first
    assert first.startswith("Does pruning step by step")
    assert "**No** with 5 % kept." in second


def test_nothing_tested_is_undecided() -> None:
    table = comparisons({"iterative, 1 %": (0.0, NAN, "undecided")})
    verdict = conclusions.judge("Is it?", table)
    assert verdict.outcome == "undecided"
    assert "not tested" in conclusions.verdict_text(verdict)


def speed_tables(zeros: tuple[float, float]) -> dict[str, pd.DataFrame]:
    """Speeds of training, with this range of the zeros' ratio."""
    rates = {"images_per_second": 1000.0, "rounds": 6}
    rows = [{"arm": "dense", "ratio": 1.0, "low": 1.0, "high": 1.0}]
    rows += [{"arm": "zeros, 10 %", "ratio": sum(zeros) / 2, "low": zeros[0], "high": zeros[1]}]
    rows += [{"arm": "filters removed, 10 %", "ratio": 2.0, "low": 1.8, "high": 2.3}]
    return {"training": pd.DataFrame(rows).assign(**rates)}


@pytest.mark.parametrize(
    ("zeros", "outcome"),
    [((0.9, 1.01), "no"), ((0.9, 1.1), "undecided"), ((1.06, 1.1), "yes")],
)
def test_faster_means_by_five_percent_in_every_round(zeros: Any, outcome: str) -> None:
    text = conclusions.speeds(speed_tables(zeros))
    assert f"training, zeros, 10 %: **{outcome}**" in text
    assert "training, filters removed, 10 %: **yes** (2.00 times as fast, 1.80 to 2.30" in text
    assert ("Zeros were not shown" in text) == (outcome != "yes")


def test_epochs_are_counted_on_top_of_the_dense_training() -> None:
    rows = [("one-shot, 50 %", 0, 2.0), ("one-shot, 50 %", 1, NAN), ("filters, 50 %", 0, NAN)]
    table = pd.DataFrame(rows, columns=["arm", "seed", "epoch"])
    text = conclusions.training_time(table, 8)
    assert "one-shot, 50 %: 1 of 2 (median epoch 2); filters, 50 %: 0 of 1." in text
    assert "the whole dense training (8 epochs)" in text


@pytest.fixture
def stored() -> pd.DataFrame:
    """Sizes of a dense, a pruned and a narrower network."""
    rows = [("dense", 1000, 1000, 4000, 3600, 4000), ("one-shot, 10 %", 1000, 100, 4000, 500, 550)]
    rows += [("filters, 10 %", 110, 110, 440, 400, 440)]
    columns = ["arm", "weights", "kept", "dense", "compressed", "sparse"]
    table = pd.DataFrame(rows, columns=columns).assign(emptied=["", "conv9", ""])
    return pruning.split_arms(table.assign(share=table["kept"] / 1000))


def test_sizes_are_shares_of_the_dense_file(stored: pd.DataFrame) -> None:
    text = conclusions.sizes(stored)
    assert "network's 4,000 bytes: one-shot, 10 %: 100.0 % uncompressed, 12.5 %" in text
    assert "signal passes: one-shot, 10 % (conv9)." in text
    figure = figures.sizes(stored)
    lines = {trace.name: list(trace.y) for trace in figure.data}
    assert lines["sparse file (values and index differences)"] == [0.1375, 1.0]
    assert lines["dense file, filters removed"] == [0.11]


def test_accuracy_has_a_line_for_each_method(losses: pd.DataFrame) -> None:
    figure = figures.accuracy(losses)
    assert [trace.name for trace in figure.data] == ["one-shot", "iterative"]
    assert list(figure.data[0].x) == [0.5, 0.1, 0.01]
    assert figure.layout.xaxis.type == "log"
    assert figure.layout.shapes[0].y0 == losses["val_accuracy"].iloc[0]


def test_speeds_leave_the_reference_out() -> None:
    figure = figures.speeds(speed_tables((0.9, 1.0)))
    assert list(figure.data[0].x) == [0.95, 2.0]
    assert list(figure.data[0].error_x.arrayminus) == pytest.approx([0.05, 0.2])


def test_kept_by_layer_has_bars_for_each_way() -> None:
    table = pd.DataFrame({"share": [0.5, 0.1]}, index=["conv1", "all layers"])
    figure = figures.kept_by_layer({"global": table, "per layer": table})
    assert [bar.name for bar in figure.data] == ["global", "per layer"]
    assert list(figure.data[0].y) == [0.5, 0.1]
