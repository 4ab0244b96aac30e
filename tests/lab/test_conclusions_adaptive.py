"""Figures and closing text of class-adaptive augmentation."""

from types import SimpleNamespace

import numpy as np
import pandas as pd
import pytest
from adaptive_toys import first_fits, later_fits

from tin_lib.analysis import adaptive, arms
from tin_lib.lab.conclusions import adaptive as closing
from tin_lib.lab.figures import adaptive as figures

WORST = np.array([False, False, False, True])


@pytest.fixture
def errors(tmp_path) -> pd.DataFrame:
    first = first_fits(tmp_path)
    return adaptive.heldout_errors(first).assign(share=adaptive.class_shares(first), worst=WORST)


def text(tmp_path, fits: arms.Fits) -> str:
    regression = adaptive.regression_to_the_mean(first_fits(tmp_path), fits, WORST)
    return closing.adaptive(adaptive.compare_groups(fits, WORST), regression)


def test_allotment_shows_errors_and_shares_worst_first(errors):
    figure = figures.allotment(errors)
    by_name = {trace.name: trace for trace in figure.data}
    assert by_name["held-out error"].text[0] == "umbrella"
    assert by_name["held-out error"].y[0] == errors["error"][3]
    assert by_name[adaptive.WORST].y.tolist() == [errors["share"][3]]
    assert len(by_name[adaptive.OTHERS].y) == 3


def test_names_are_left_out_where_there_are_too_many(errors):
    named = figures.allotment(errors.assign(class_name=errors["class_name"] + ", a synonym"))
    assert "umbrella" in named.layout.xaxis2.ticktext
    assert figures.allotment(errors).layout.xaxis2.showticklabels
    many = pd.concat([errors] * 20, ignore_index=True)
    assert not figures.allotment(many).layout.xaxis2.showticklabels


def test_changes_have_a_panel_for_each_arm(tmp_path, errors):
    table = adaptive.changes(later_fits(tmp_path, worst=1.0, others=0.4), errors)
    figure = figures.changes(table)
    worst = [trace for trace in figure.data if trace.name == adaptive.WORST]
    assert [trace.xaxis for trace in worst] == ["x", "x2"]
    assert worst[0].y.tolist() == [100 * table[adaptive.ADAPTIVE][3]]
    lines = [trace for trace in figure.data if trace.mode == "lines"]
    assert len(lines) == 2
    assert lines[0].y[1] > lines[0].y[0]  # the hard class gained


def test_an_arm_without_fits_has_an_empty_panel(errors):
    table = errors.assign(adaptive=0.1, shuffled=np.nan)
    lines = [trace for trace in figures.changes(table).data if trace.mode == "lines"]
    assert [trace.xaxis for trace in lines] == ["x"]


@pytest.mark.parametrize(
    ("worst", "others", "head", "pay"),
    [
        (0.95, 0.55, "**Yes**", "the other classes lose accuracy"),
        (0.05, 0.8, "**No**", "whether the other classes lose is undecided"),
        (0.4, 0.8, "**Undecided**", "whether the other classes lose is undecided"),
    ],
)
def test_the_closing_text_gives_outcomes(tmp_path, worst, others, head, pay):
    found = text(tmp_path, later_fits(tmp_path, worst, others))
    assert found.startswith(head)
    assert pay in found
    assert found.count("3 seeds") == 6
    assert "Regression to the mean: the worst classes have" in found


def test_a_gain_that_the_shuffled_shares_share_is_undecided(tmp_path):
    fits = later_fits(tmp_path, worst=0.95)
    same = {(adaptive.SHUFFLED, seed): fits[adaptive.ADAPTIVE, seed] for seed in range(3, 6)}
    assert "not clearly more than with shuffled shares" in text(tmp_path, {**fits, **same})


def test_shuffled_shares_that_are_better_than_the_adaptive_ones_are_named():
    outcomes = {adaptive.UNIFORM: "yes", adaptive.SHUFFLED: "no"}
    found = {(adaptive.WORST, k): SimpleNamespace(outcome=v) for k, v in outcomes.items()}
    assert "assigned at random help the worst classes more" in closing.verdict_text(found)


def test_fits_that_diverged_are_no_verdict(tmp_path):
    lost = {key: arms.DivergedFit(tmp_path) for key in later_fits(tmp_path)}
    found = text(tmp_path, lost)
    assert found.startswith("**Undecided**")
    assert "not tested" in found
    assert "Regression to the mean: not measured" in found
