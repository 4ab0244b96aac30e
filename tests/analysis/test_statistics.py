"""Intervals, paired tests, verdicts and regressions, against published values and simulation."""

import math

import hypothesis.strategies as st
import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from statsmodels.discrete.conditional_models import ConditionalLogit
from statsmodels.stats import contingency_tables

from tin_lib.analysis import statistics
from tin_lib.analysis.logit import NoEstimate, conditional_logit, logistic
from tin_lib.analysis.statistics import Comparison, holm, mcnemar, paired_difference, wilson

NAN = float("nan")

# Spector and Mazzeo (1980), as in Greene, "Econometric Analysis": grade point average, test score,
# taught by the new method, grade improved.
SPECTOR = """
2.66 20 0 0  2.89 22 0 0  3.28 24 0 0  2.92 12 0 0  4.00 21 0 1  2.86 17 0 0  2.76 17 0 0
2.87 21 0 0  3.03 25 0 0  3.92 29 0 1  2.63 20 0 0  3.32 23 0 0  3.57 23 0 0  3.26 25 0 1
3.53 26 0 0  2.74 19 0 0  2.75 25 0 0  2.83 19 0 0  3.12 23 1 0  3.16 25 1 1  2.06 22 1 0
3.62 28 1 1  2.89 14 1 0  3.51 26 1 0  3.54 24 1 1  2.83 27 1 1  3.39 17 1 1  2.67 24 1 0
3.65 21 1 1  4.00 23 1 1  3.10 21 1 0  2.39 19 1 1
"""


@pytest.fixture(scope="module")
def spector() -> tuple[pd.DataFrame, np.ndarray]:
    values = np.array(SPECTOR.split(), float).reshape(-1, 4)
    return pd.DataFrame(values[:, :3], columns=["gpa", "tuce", "psi"]), values[:, 3]


def test_logistic_matches_published_estimates(spector: tuple[pd.DataFrame, np.ndarray]) -> None:
    fit = logistic(*spector)
    # Greene's table
    assert fit.names == ("gpa", "tuce", "psi", "intercept")
    assert fit.coefficients == pytest.approx([2.826113, 0.095158, 2.378688, -13.021347], abs=1e-5)
    assert np.sqrt(np.diag(fit.covariance)) == pytest.approx(
        [1.262941, 0.141554, 1.064564, 4.931324], abs=1e-5
    )


def test_logistic_table_gives_odds_and_interval(spector: tuple[pd.DataFrame, np.ndarray]) -> None:
    row = logistic(*spector).table().set_index("term").loc["psi"]
    assert row.odds_ratio == pytest.approx(math.exp(2.378688), rel=1e-5)
    assert row.low == pytest.approx(2.378688 - 1.959964 * 1.064564, abs=1e-4)
    assert row.odds_high == pytest.approx(math.exp(row.high))
    assert row.p == pytest.approx(0.0255, abs=1e-4)


def grouped(
    groups: int, size: int, effect: list[float], seed: int = 0
) -> tuple[pd.DataFrame, np.ndarray, np.ndarray]:
    """Outcomes with a level of each group's own, and regressors that differ within groups."""
    rng = np.random.default_rng(seed)
    x, codes = rng.normal(size=(groups * size, len(effect))), np.repeat(np.arange(groups), size)
    logits = rng.normal(0, 1, groups)[codes] + x @ np.array(effect)
    names = [f"x{number}" for number in range(len(effect))]
    return pd.DataFrame(x, columns=names), rng.random(len(x)) < 1 / (1 + np.exp(-logits)), codes


def test_robust_intervals_cover_where_plain_ones_do_not() -> None:
    """A regressor that is constant in a cluster: plain intervals are far too narrow."""
    rng, covered = np.random.default_rng(0), np.zeros(2)
    clusters = np.repeat(np.arange(60), 20)
    for _ in range(100):
        level, x = rng.normal(0, 1, 60), rng.normal(0, 1, 60)
        y = rng.random(1200) < 1 / (1 + np.exp(-level[clusters]))
        frame = pd.DataFrame({"x": x[clusters]})
        for number, given_clusters in enumerate((clusters, None)):
            row = logistic(frame, y, given_clusters).table().iloc[0]
            covered[number] += row.low <= 0 <= row.high
    assert 89 <= covered[0] <= 100
    assert covered[1] < 80


def test_conditional_logit_has_no_bias_where_dummies_have() -> None:
    """The incidental parameters: 10 images a class, a true effect of 0.5."""
    x, y, codes = grouped(3000, 10, [0.5])
    row = conditional_logit(x, y, codes).table().iloc[0]
    assert row.low < 0.5 < row.high < 0.555
    few = codes < 300  # dummies of more classes take long
    mixed = pd.Series(y[few]).groupby(codes[few]).transform("nunique").to_numpy() > 1
    dummies = pd.get_dummies(codes[few][mixed], dtype=float).iloc[:, 1:].add_prefix("class ")
    kept = x[few][mixed].reset_index(drop=True)
    biased = logistic(pd.concat([kept, dummies], axis=1), y[few][mixed]).coefficients[0]
    unbiased = conditional_logit(x[few], y[few], codes[few]).coefficients[0]
    assert biased / unbiased == pytest.approx(10 / 9, abs=0.02)  # as theory has it: n / (n - 1)


def test_conditional_logit_matches_statsmodels_and_is_robust_with_enough_groups() -> None:
    for groups, robust in ((15, False), (40, True)):
        x, y, codes = grouped(groups, 8, [0.5, -0.3])
        kept = pd.Series(y).groupby(codes).transform("nunique").to_numpy() > 1
        expected = ConditionalLogit(y[kept].astype(float), x[kept], groups=codes[kept]).fit()
        fit = conditional_logit(x, y, codes)
        assert fit.coefficients == pytest.approx(expected.params.to_numpy(), abs=1e-3)
        se = np.sqrt(np.diag(fit.covariance))
        assert se == pytest.approx(np.asarray(expected.bse), rel=0.5 if robust else 1e-3)
        assert math.isfinite(fit.freedom) == robust


@pytest.mark.parametrize("regress", [logistic, conditional_logit])
def test_what_has_no_estimate_says_why(regress: object) -> None:
    x, y, codes = grouped(30, 10, [0.5])

    def reason(x: pd.DataFrame, y: np.ndarray) -> str:
        with pytest.raises(NoEstimate) as error:
            regress(x, y, codes)  # type: ignore[operator]
        return str(error.value)

    separated = "no finite estimate: the property separates right from wrong answers"
    assert reason(x, x.x0.to_numpy() > 0) == separated
    rare = (x.x0 > 1.2).to_numpy()  # such images are always wrong
    assert reason(pd.DataFrame({"rare": rare * 1.0}), y & ~rare) == separated
    collinear = "no unique estimate: the properties determine each other"
    assert reason(x.assign(again=2 * x.x0), y) == collinear
    assert reason(x, np.ones(300, bool)) == "every answer is right"
    assert reason(x, np.zeros(300, bool)) == "every answer is wrong"


def test_clusters_and_groups_that_tell_nothing() -> None:
    x, y, codes = grouped(19, 10, [0.5])
    with pytest.raises(NoEstimate, match=r"^too few classes \(19 < 20\)$"):
        logistic(x, y, codes)
    with pytest.raises(NoEstimate, match="no class has both right and wrong answers"):
        conditional_logit(x, codes % 2 == 0, codes)


def test_wilson_matches_known_values() -> None:
    # Newcombe, Statistics in Medicine 17 (1998), Table I: 81/263, 15/148, 0/20, 1/29
    low, high = wilson([81, 15, 0, 1], [263, 148, 20, 29])
    assert low == pytest.approx([0.2553, 0.0624, 0.0000, 0.0061], abs=6e-5)
    assert high == pytest.approx([0.3662, 0.1605, 0.1611, 0.1718], abs=6e-5)


@given(st.integers(1, 500), st.data())
@settings(deadline=None)
def test_wilson_encloses_the_share_within_0_and_1(total: int, data: st.DataObject) -> None:
    correct = data.draw(st.integers(0, total))
    low, high = wilson(correct, total)
    assert 0 <= low <= correct / total + 1e-12
    assert correct / total - 1e-12 <= high <= 1
    mirrored_low, mirrored_high = wilson(total - correct, total)
    assert (1 - high, 1 - low) == pytest.approx((float(mirrored_low), float(mirrored_high)))


def test_wilson_says_nothing_without_images_and_refuses_nonsense() -> None:
    assert np.isnan(wilson(0, 0)).all()
    with pytest.raises(ValueError, match="between 0 and total"):
        wilson(3, 2)
    with pytest.raises(ValueError, match="level"):
        wilson(1, 2, level=1.0)


@pytest.mark.parametrize(
    ("values", "quantile"), [([1, 2], 12.7062), ([1, 2, 4], 4.3027), ([1, 2, 4, 8, 9, 3], 2.5706)]
)
def test_paired_intervals_with_few_degrees_of_freedom(values: list[float], quantile: float) -> None:
    """One and two degrees of freedom were wrong: two and three seeds an arm."""
    found = paired_difference(np.array(values) + 5.0, np.full(len(values), 5.0))
    half = quantile * np.std(values, ddof=1) / len(values) ** 0.5
    assert found.mean == pytest.approx(np.mean(values))
    assert (found.low, found.high) == pytest.approx(
        (np.mean(values) - half, np.mean(values) + half), rel=1e-4
    )


def test_paired_difference_at_its_ends() -> None:
    a = np.array([0.3, 0.5, NAN, 0.9])
    found = paired_difference(a, np.array([0.1, 0.5, 0.2, NAN]))
    assert found.n == 2
    assert found.mean == pytest.approx(0.1)
    one = paired_difference([0.5], [0.2])
    assert (one.mean, one.n) == (pytest.approx(0.3), 1)
    assert np.isnan([one.low, one.high, one.p]).all()
    assert paired_difference([1, 2], [1, 2]) == Comparison(0.0, 0.0, 0.0, 1.0, 2)
    constant = paired_difference([1, 2, 3], [0, 1, 2])
    assert constant.mean == 1
    assert np.isnan(constant.p)
    assert paired_difference([], []).n == 0
    with pytest.raises(ValueError, match="paired"):
        paired_difference([1, 2], [1])


def outcomes(both: int, only_a: int, only_b: int, neither: int) -> tuple[np.ndarray, np.ndarray]:
    """Right answers of a and b from a table's four counts."""
    counts = [both, only_a, only_b, neither]
    return np.repeat([True, True, False, False], counts), np.repeat(
        [True, False, True, False], counts
    )


@pytest.mark.parametrize(
    "counts", [(794, 150, 86, 570), (43, 0, 7, 0), (10, 5, 5, 3), (2, 1, 0, 0)]
)
def test_mcnemar_matches_statsmodels(counts: tuple[int, ...]) -> None:
    a, b = outcomes(*counts)
    expected = contingency_tables.mcnemar(np.reshape(counts, (2, 2)), exact=True)
    found = mcnemar(a, b)
    assert found.p == pytest.approx(expected.pvalue)
    assert found.difference == pytest.approx(a.mean() - b.mean())
    assert found.low <= found.difference <= found.high
    back = mcnemar(b, a)
    assert (back.difference, back.low) == pytest.approx((-found.difference, -found.high))


def test_mcnemar_interval_of_a_large_sample() -> None:
    """Agresti, Categorical Data Analysis, 10.1: approval in two surveys, 0.04 ± 0.02."""
    found = mcnemar(*outcomes(794, 150, 86, 570))
    assert (found.low, found.high) == pytest.approx((0.021, 0.059), abs=1e-3)
    covered = []
    rng = np.random.default_rng(0)
    for _ in range(400):  # correlated classifiers whose accuracies differ by 0.1
        level = rng.random(60)
        each = mcnemar(level < 0.7, np.where(rng.random(60) < 0.7, level, rng.random(60)) < 0.6)
        covered.append(each.low <= 0.1 <= each.high)
    assert 0.92 < np.mean(covered) < 0.995


def test_mcnemar_of_equal_classifiers_and_of_nothing() -> None:
    a, _ = outcomes(5, 0, 0, 5)
    found = mcnemar(a, a)
    assert (found.difference, found.p) == (0, 1)
    assert found.low < 0 < found.high
    assert np.isnan(mcnemar([], []).p)
    with pytest.raises(ValueError, match="same images"):
        mcnemar([True], [True, False])


def test_holm_leaves_out_tests_that_were_not_made() -> None:
    assert holm([0.01, 0.04, 0.03]) == pytest.approx([0.03, 0.06, 0.06])
    assert holm([0.01, NAN, 0.03]) == pytest.approx([0.02, NAN, 0.03], nan_ok=True)
    assert np.isnan(holm([NAN, NAN])).all()
    assert len(holm([])) == 0


def test_verdicts_have_three_outcomes() -> None:
    assert statistics.decide(0.1, 0.2) == "yes"
    assert statistics.decide(-0.2, -0.1) == "no"
    assert {statistics.decide(*ends) for ends in ((-1, 1), (0, 1), (NAN, NAN))} == {"undecided"}
    better = Comparison(0.1, 0.01, 0.2, 0.02, 50)
    worse = Comparison(-0.1, -0.2, -0.01, 0.02, 50)
    assert statistics.verdict(better, 0.04) == "yes"
    assert statistics.verdict(worse, 0.04) == "no"
    assert statistics.verdict(better, 0.06) == "undecided"  # the interval alone would say yes
    assert statistics.verdict(better, NAN) == "undecided"


def test_above_chance() -> None:
    assert statistics.above_chance(30, 100, 10)
    assert not statistics.above_chance(15, 100, 10)
    assert not statistics.above_chance(0, 0, 10)
    assert not statistics.above_chance(100, 100, 1)
    # always naming a class that has half of the images is no skill
    assert statistics.above_chance(52, 100, 10)
    assert not statistics.above_chance(52, 100, 10, commonest=50)
