"""Overfitting: the verdicts on augmentation and on width, their texts and the figure."""

from types import SimpleNamespace
from typing import Any

import numpy as np
import pandas as pd
import pytest

from tin_lib import runs
from tin_lib.lab.conclusions import overfitting
from tin_lib.lab.figures import overfitting as figures


class MadeFit(runs.Fit):
    """A fit with these figures, without files."""

    def __init__(self, width: float, gap: float, right: int = 80) -> None:
        labels = np.arange(100) % 10
        predicted = np.where(np.arange(100) < right, labels, (labels + 1) % 10)
        table = pd.DataFrame({"label": labels.astype(str), "predicted": predicted.astype(str)})
        summary = {"train_accuracy": 0.5 + gap, "val_accuracy": 0.5, "parameters": int(100 * width)}
        made = {"recipe": {"width": width}, "summary": summary, "predictions": lambda split: table}
        self.__dict__.update(made, meta={"class_ids": list("abcdefghij")})


def by_width(slope: float, noise: float = 0.005, right: int = 80) -> dict[Any, Any]:
    """Fits of three seeds at four widths, the gap rising by ``slope`` per doubling."""
    drawn = np.random.default_rng(0)
    return {
        (f"width {width}", seed): MadeFit(
            width, 0.2 + slope * np.log2(width) + noise * drawn.standard_normal(), right
        )
        for width in (0.5, 1, 2, 4)
        for seed in range(3)
    }


@pytest.mark.parametrize(
    ("slope", "noise", "right", "outcome"),
    [
        (0.05, 0.005, 80, "yes"),
        (-0.05, 0.005, 80, "no"),
        (0.0, 0.05, 80, "undecided"),
        (0.05, 0.005, 10, "untested"),
    ],
)
def test_whether_the_gap_grows(slope: float, noise: float, right: int, outcome: str) -> None:
    fits = by_width(slope, noise, right)
    table = overfitting.width_table(fits)
    growth = overfitting.judge_growth(fits, table)
    assert growth.outcome == outcome
    assert growth.slope == pytest.approx(slope, abs=2 * noise)
    assert growth.widest.n == 3
    text = overfitting.growth_text(growth, table)
    assert ("No verdict" in text) == (outcome == "untested")
    assert "Width 4 minus width 0.5" in text


def test_slopes_are_exact_without_noise_and_leave_out_seeds_that_diverged() -> None:
    fits = by_width(0.03, noise=0)
    np.testing.assert_allclose(overfitting.gap_slopes(fits), [0.03] * 3)
    fits["width 4", 1] = SimpleNamespace(recipe={"width": 4})
    assert list(overfitting.gap_slopes(fits).index) == [0, 2]
    assert overfitting.judge_growth(fits, overfitting.width_table(fits)).widest.n == 2


def test_table_and_figure_of_widths() -> None:
    table = overfitting.width_table(by_width(0.03, noise=0))
    assert list(table["width"]) == [0.5, 1, 2, 4]
    assert list(table["parameters"]) == [50, 100, 200, 400]
    np.testing.assert_allclose(table["gap"], [0.17, 0.2, 0.23, 0.26])
    figure = figures.by_width(table)
    assert [trace.name for trace in figure.data] == ["training", "validation", "gap"]
    np.testing.assert_allclose(figure.data[2].y, 100 * table["gap"])


def compared(outcomes: dict[str, str], against: str) -> pd.DataFrame:
    """What the verdict reads of a table of arms.compare; the reference has no outcome."""
    rows = [
        {"arm": arm, "against": against if outcome else "", "outcome": outcome, "paired": 3}
        | {"difference": 0.1, "low": 0.05, "high": 0.15, "p_adjusted": 0.01}
        for arm, outcome in outcomes.items()
    ]
    return pd.DataFrame(rows)


@pytest.mark.parametrize(
    ("helps", "added", "removed", "outcome"),
    [
        ("yes", ("no", "no"), ("yes", "yes"), "yes"),
        ("yes", ("no", "undecided"), ("yes", "yes"), "undecided"),
        ("yes", ("no", "no"), ("yes", "undecided"), "undecided"),
        ("undecided", ("no", "no"), ("yes", "yes"), "undecided"),
        ("yes", ("yes", "no"), ("yes", "yes"), "no"),
        ("yes", ("no", "no"), ("no", "undecided"), "no"),
        ("no", ("no", "no"), ("yes", "yes"), "no"),
    ],
)
def test_whether_augmentation_has_the_largest_effect(
    helps: str, added: tuple[str, str], removed: tuple[str, str], outcome: str
) -> None:
    names = ("dropout", "penalties")
    plain = compared({"+ augmentation": helps}, "plain")
    others = compared({f"+ {n}": o for n, o in zip(names, added)}, "+ augmentation")
    without = compared({f"− {n}": o for n, o in zip(names, removed)}, "− augmentation")
    impact = overfitting.judge_impact(pd.concat([plain, others, without]), "+ augmentation")
    assert impact.outcome == outcome
    text = overfitting.impact_text(impact)
    assert text.startswith(f"**{outcome.capitalize()}**")
    assert text.count("\n- ") == 5


@pytest.mark.parametrize("widths", [[], [0.5], [0.5, 0.5], [0, 1], [0.5, 100], ["a", "b"]])
def test_widths_that_cannot_be_compared_are_refused(widths: list) -> None:
    with pytest.raises(ValueError, match="vgg_widths"):
        overfitting.check_widths(widths)


def test_one_seed_has_no_interval_of_the_gap() -> None:
    fits: dict[Any, Any] = {(f"{w}", 0): MadeFit(w, 0.1 * w) for w in (1, 2)}
    table = overfitting.width_table(fits)
    text = overfitting.growth_text(overfitting.judge_growth(fits, table), table)
    assert text.startswith("**Undecided**")
    assert "no interval over 1 seed" in text


def test_changes_of_the_gap_are_paired_by_seed() -> None:
    drawn = np.random.default_rng(0)
    fits: dict[Any, Any] = {}
    for seed in range(4):
        level = drawn.normal(0.3, 0.2)  # seeds differ more than arms
        fits["plain", seed] = MadeFit(1, level)
        fits["+ dropout", seed] = MadeFit(1, level - 0.1 + drawn.normal(0, 0.01))
        fits["+ tint", seed] = MadeFit(1, level + drawn.normal(0, 0.05))
    reference = dict.fromkeys(("plain", "+ dropout", "+ tint"), "plain")
    table = overfitting.changes_of_gap(fits, reference).set_index("arm")
    assert list(table.index) == ["+ dropout", "+ tint"]
    assert table.loc["+ dropout", "outcome"] == "no"
    assert table.loc["+ dropout", "difference"] == pytest.approx(-0.1, abs=0.02)
    assert table.loc["+ tint", "outcome"] == "undecided"
    assert list(table["seeds"]) == [4, 4]
