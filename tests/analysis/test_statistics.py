"""Intervals and the logistic regression, against published values and simulation."""

import math

import hypothesis.strategies as st
import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings

from tin_lib.analysis.statistics import logistic, t_quantile, wilson

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
    x = pd.DataFrame(values[:, :3], columns=["gpa", "tuce", "psi"]).assign(intercept=1.0)
    return x, values[:, 3]


def test_logistic_matches_published_estimates(spector: tuple[pd.DataFrame, np.ndarray]) -> None:
    fit = logistic(*spector)
    # Greene's table, to the digits that statsmodels 0.15 gives
    assert fit.coefficients == pytest.approx([2.826113, 0.095158, 2.378688, -13.021347], abs=1e-5)
    assert np.sqrt(np.diag(fit.covariance)) == pytest.approx(
        [1.262941, 0.141554, 1.064564, 4.931324], abs=1e-5
    )
    assert fit.loglikelihood == pytest.approx(-12.889634, abs=1e-5)


def test_cluster_robust_errors_match_statsmodels(
    spector: tuple[pd.DataFrame, np.ndarray],
) -> None:
    fit = logistic(*spector, clusters=np.arange(32) // 4)
    # statsmodels 0.15, Logit(...).fit(cov_type="cluster") with these groups
    expected = [1.201506, 0.056985, 0.822623, 4.612281]
    assert np.sqrt(np.diag(fit.covariance)) == pytest.approx(expected, abs=1e-5)
    assert fit.freedom == 7


def test_logistic_table_gives_odds_and_interval(spector: tuple[pd.DataFrame, np.ndarray]) -> None:
    row = logistic(*spector).table().set_index("term").loc["psi"]
    assert row.odds_ratio == pytest.approx(math.exp(2.378688), rel=1e-5)
    assert row.low == pytest.approx(2.378688 - 1.959964 * 1.064564, abs=1e-4)
    assert row.odds_high == pytest.approx(math.exp(row.high))


def test_robust_intervals_cover_where_plain_ones_do_not() -> None:
    """A regressor that is constant in a cluster: plain intervals are far too narrow."""
    rng, hits = np.random.default_rng(0), np.zeros(2)
    clusters = np.repeat(np.arange(60), 20)
    for _ in range(100):
        level, x = rng.normal(0, 1, 60), rng.normal(0, 1, 60)
        y = rng.random(1200) < 1 / (1 + np.exp(-level[clusters]))
        frame = pd.DataFrame({"x": x[clusters], "intercept": 1.0})
        for number, given_clusters in enumerate((clusters, None)):
            row = logistic(frame, y, given_clusters).table().iloc[0]
            hits[number] += row.low <= 0 <= row.high
    assert 89 <= hits[0] <= 100
    assert hits[1] < 80


def test_logistic_refuses_what_has_no_estimate() -> None:
    x = pd.DataFrame({"x": [1.0, 2, 3, 4], "intercept": 1.0})
    with pytest.raises(ValueError, match=r"no finite estimate|no unique estimate"):
        logistic(x, np.array([0, 0, 1, 1]))
    with pytest.raises(ValueError, match="no unique estimate"):
        logistic(x.assign(again=x.x), np.array([0, 1, 0, 1]))
    with pytest.raises(ValueError, match="at least two"):
        logistic(x, np.array([0, 1, 0, 1]), np.zeros(4))


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


@pytest.mark.parametrize(("freedom", "expected"), [(5, 2.5706), (9, 2.2622), (199, 1.9720)])
def test_t_quantile(freedom: int, expected: float) -> None:
    assert t_quantile(0.975, freedom) == pytest.approx(expected, rel=0.01)
    assert t_quantile(0.975, math.inf) == pytest.approx(1.959964, abs=1e-6)
    assert math.isnan(t_quantile(0.975, 0))
