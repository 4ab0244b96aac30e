"""Tests of the kernels' roughness: trained against untrained, regularised against not."""

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING

import numpy as np
import pandas as pd

from tin_lib.analysis.filters.measure import kernel_roughness
from tin_lib.analysis.layers import find_layer, weight
from tin_lib.analysis.statistics import Comparison, holm, paired_difference, verdict

if TYPE_CHECKING:
    from tin_lib.networks import Network

PLACES = ("first", "last")  # conv layers compared
Key = tuple[str, int]  # arm and seed
NAN = float("nan")


def against_untrained(
    trained: "Mapping[str, Network]", untrained: "Mapping[str, Network]"
) -> pd.DataFrame:
    """Whether each network's kernels are smoother than those of the same network before training.

    ``untrained``: fresh networks under the same names. Welch's t test over the filters of a layer.
    Columns: network, place (first or last conv layer), layer, roughness and untrained (means),
    difference (untrained - trained), low, high (95 %), p, p_adjusted (Holm's correction over the
    table), n (filters), outcome: smoother, ``yes``, ``no`` (rougher) or ``undecided``. Kernels of
    1×1 have no roughness: NaN and undecided.
    """
    rows, tests = [], []
    for name, network in trained.items():
        for place in PLACES:
            layer = find_layer(network, place)
            own, fresh = (
                kernel_roughness(weight(each, layer)) for each in (network, untrained[name])
            )
            tests.append(welch(fresh, own))
            rows.append((name, place, layer, mean_of(own), mean_of(fresh)))
    columns = ["network", "place", "layer", "roughness", "untrained"]
    return with_tests(pd.DataFrame(rows, columns=columns), tests)


def mean_of(values: np.ndarray) -> float:
    """Mean of the values that are not NaN; NaN without any."""
    values = values[~np.isnan(values)]
    return float(values.mean()) if len(values) else NAN


def welch(a: np.ndarray, b: np.ndarray) -> Comparison:
    """Welch's t test of the means of ``a`` (N,) and ``b`` (M,), NaNs left out; ``n`` is M."""
    from scipy import stats  # slow to import

    a, b = a[~np.isnan(a)], b[~np.isnan(b)]
    if min(len(a), len(b)) < 2 or not (a.std() or b.std()):
        return Comparison(NAN, NAN, NAN, NAN, len(b))
    result = stats.ttest_ind(a, b, equal_var=False)
    low, high = result.confidence_interval()
    mean = float(a.mean() - b.mean())
    return Comparison(mean, float(low), float(high), float(result.pvalue), len(b))


def roughness_by_seed(networks: "Mapping[Key, Network]") -> pd.DataFrame:
    """Roughness of the first and last conv layer's kernels of networks by (arm, seed).

    Columns: arm, seed, place, layer, roughness (mean over the filters), spread (their standard
    deviation), filters (their number).
    """
    rows = []
    for (arm, seed), network in networks.items():
        for place in PLACES:
            layer = find_layer(network, place)
            values = kernel_roughness(weight(network, layer))
            values = values[~np.isnan(values)]
            spread = float(values.std(ddof=1)) if len(values) > 1 else NAN
            rows.append((arm, seed, place, layer, mean_of(values), spread, len(values)))
    columns = ["arm", "seed", "place", "layer", "roughness", "spread", "filters"]
    return pd.DataFrame(rows, columns=columns)


def compare_arms(
    table: pd.DataFrame, arms: tuple[str, str] = ("unregularised", "penalised")
) -> pd.DataFrame:
    """Whether the first arm's kernels are rougher than the second's, paired by seed.

    ``table``: of ``roughness_by_seed``. Columns: place, layer, one with the mean roughness of each
    arm, spread (standard deviation over a layer's filters, mean over networks), difference (first -
    second arm, over seeds), low, high (95 %), p, p_adjusted (Holm's correction over the places), n
    (seeds), outcome: ``yes``, ``no`` (smoother) or ``undecided``.
    """
    rows, tests = [], []
    for place, part in table.groupby("place", sort=False):
        by_arm = {arm: part[part["arm"] == arm].sort_values("seed") for arm in arms}
        a, b = (by_arm[arm]["roughness"].to_numpy() for arm in arms)
        tests.append(paired_difference(a, b))
        means = {arm: mean_of(each) for arm, each in zip(arms, (a, b), strict=True)}
        spread = mean_of(part["spread"].to_numpy())
        rows.append({"place": place, "layer": part["layer"].iloc[0], **means, "spread": spread})
    return with_tests(pd.DataFrame(rows), tests)


def with_tests(table: pd.DataFrame, tests: Sequence[Comparison]) -> pd.DataFrame:
    """``table`` with the columns of its tests, corrected over all of them, and their outcomes."""
    adjusted = holm([test.p for test in tests])
    pairs = zip(tests, adjusted, strict=True)
    return table.assign(
        difference=[test.mean for test in tests],
        low=[test.low for test in tests],
        high=[test.high for test in tests],
        p=[test.p for test in tests],
        p_adjusted=adjusted,
        n=[test.n for test in tests],
        outcome=[verdict(test, p) for test, p in pairs],
    )
