"""Figures and sentences of experiments: effects, gaps and curves of arms."""

import json
from pathlib import Path
from types import SimpleNamespace

import pandas as pd
import pytest

from tin_lib.analysis.arms import DIVERGED, DivergedFit
from tin_lib.lab.conclusions import effects
from tin_lib.lab.figures import experiments

NAN = float("nan")


@pytest.fixture
def table() -> pd.DataFrame:
    rows = [
        ("plain", 0.90, 0.40, 0.01, "", NAN, NAN, NAN, NAN, ""),
        ("more", 0.80, 0.45, 0.02, "plain", 0.05, 0.02, 0.08, 0.004, "yes"),
        ("less", 0.95, 0.35, 0.01, "plain", -0.05, -0.09, -0.01, 0.03, "no"),
        ("same", 0.90, 0.41, 0.03, "plain", 0.01, -0.02, 0.04, 0.6, "undecided"),
        ("lost", NAN, NAN, NAN, "plain", NAN, NAN, NAN, NAN, "undecided"),
    ]
    columns = ["arm", "train_accuracy", "val_accuracy", "val_std", "against", "difference"]
    table = pd.DataFrame(rows, columns=[*columns, "low", "high", "p_adjusted", "outcome"])
    return table.assign(paired=3)


def test_effects_are_drawn_by_outcome_in_points(table: pd.DataFrame) -> None:
    figure = experiments.effects(table)
    named = {trace.name: trace for trace in figure.data}
    assert set(named) == {"better", "worse", "undecided"}
    better = named["better"]
    assert better.x[0] == pytest.approx(5)
    assert better.error_x.array[0] == pytest.approx(3)
    assert better.error_x.arrayminus[0] == pytest.approx(3)
    assert list(better.y) == ["more − plain"]
    assert "adjusted p 0.004" in better.text[0]
    assert list(figure.layout.yaxis.categoryarray) == [
        "same − plain",
        "less − plain",
        "more − plain",
    ]


def test_effects_without_a_comparison_say_so(table: pd.DataFrame) -> None:
    figure = experiments.effects(table[:1])
    assert not figure.data
    assert "nothing to compare" in figure.layout.annotations[0].text


def test_gaps_show_both_accuracies(table: pd.DataFrame) -> None:
    figure = experiments.gaps(table)
    named = {trace.name: trace for trace in figure.data if trace.name}
    assert list(named["validation"].x) == [0.40, 0.45, 0.35, 0.41]
    assert list(named["training"].y) == ["plain", "more", "less", "same"]
    assert list(named["validation"].error_x.array) == [0.01, 0.02, 0.01, 0.03]


def fit(values: list[float]) -> SimpleNamespace:
    epochs = range(1, len(values) + 1)
    return SimpleNamespace(history=lambda: pd.DataFrame({"epoch": epochs, "val_accuracy": values}))


def test_curves_show_mean_and_range(tmp_path: Path) -> None:
    record = {"epoch": 1, "message": "", "history": []}
    (tmp_path / DIVERGED).write_text(json.dumps(record))
    fits = {("a", 0): fit([0.1, 0.4]), ("a", 1): fit([0.3, 0.6]), ("b", 0): fit([0.2])}
    fits |= {("lost", 0): DivergedFit(tmp_path)}
    figure = experiments.curves(fits, columns={"b": "other"})
    lines = {trace.name: trace for trace in figure.data if trace.name}
    assert list(lines) == ["a", "b"]  # nothing to draw of a fit lost in its first epoch
    assert list(lines["a"].y) == pytest.approx([0.2, 0.5])
    assert list(figure.data[0].y) == [0.3, 0.6, 0.4, 0.1]  # the band, there and back
    assert lines["b"].xaxis != lines["a"].xaxis


def test_a_high_first_loss_does_not_flatten_the_other_curves() -> None:
    fits = {(arm, 0): fit(losses) for arm, losses in {"a": [9.0, 2, 1], "b": [3.0, 2, 1]}.items()}
    for each in fits.values():
        table = each.history().rename(columns={"val_accuracy": "val_loss"})
        each.history = lambda table=table: table
    layout = experiments.curves(fits, "val_loss", {"a": "left", "b": "right"}).layout
    assert layout.yaxis.range == layout.yaxis2.range == pytest.approx((0, 2.2))
    texts = {each.xref: each.text for each in layout.annotations if each.text.startswith("↑")}
    assert texts == {"x domain": "↑ first epoch: 9.0"}  # the right panel has nothing above
    together = experiments.curves({key: fits[key] for key in [("b", 0)]}, "val_loss").layout
    assert together.yaxis.range is None


@pytest.mark.parametrize(
    ("arm", "against", "label"),
    [
        ("more", "plain", "more − plain"),
        ("VGG-like, a, 0.5", "VGG-like, b, 0.5", "VGG-like: a, 0.5 − b, 0.5"),
        ("net, drop, mean", "net, drop", "net: drop, mean − drop"),
        ("probe", "probe, untrained", "probe − probe, untrained"),
    ],
)
def test_what_both_names_begin_with_is_named_once(arm: str, against: str, label: str) -> None:
    assert experiments.difference(arm, against) == label


def test_sentences_give_outcome_and_numbers(table: pd.DataFrame) -> None:
    rows = {row.arm: row for row in table.itertuples()}
    said = effects.outcome_sentence("more is better", rows["more"])
    assert said == (
        "**Yes**: more is better (+5.0 points, 95 % interval 2.0 to 8.0, 3 seeds, "
        "adjusted p = 0.004)."
    )
    assert effects.outcome_sentence("less is better", rows["less"]).startswith("**No**: less")
    assert effects.outcome_sentence("it differs", rows["same"]).startswith("**Undecided**")
    assert "not tested" in effects.outcome_sentence("it differs", rows["lost"])
    tiny = table.assign(p_adjusted=1e-9).iloc[1]
    assert "adjusted p < 0.001" in effects.effect(tiny)


def test_a_single_seed_is_named_as_such(table: pd.DataFrame) -> None:
    row = table.assign(paired=1).iloc[1]
    assert "1 seed (so the interval does not cover the variation between seeds)" in effects.effect(
        row
    )
    assert effects.mean_and_deviation(0.455, NAN) == "45.5 % (one seed)"
    assert effects.mean_and_deviation(0.455, 0.012) == "45.5 % ± 1.2 points"
