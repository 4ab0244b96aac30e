"""Intervals, paired tests and their verdicts; regressions are in ``analysis.logit``.

scipy and statsmodels compute. They are imported where they are used: a notebook's first cell would
otherwise take a second longer.
"""

from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike
from scipy import special

from tin_lib.analysis.arrays import flags, real

CHANCE_LEVEL = 0.01  # significance level of ``above_chance``


def wilson(
    correct: ArrayLike, total: ArrayLike, level: float = 0.95
) -> tuple[np.ndarray, np.ndarray]:
    """Wilson score interval of a proportion (E. B. Wilson, JASA 22, 1927).

    Parameters
    ----------
    correct, total: counts of matching shapes, 0 <= correct <= total; need not be whole numbers.
    level: confidence level, between 0 and 1.

    Returns
    -------
    Lower and upper ends, float64, in 0..1; NaN where ``total`` is 0.
    """
    correct, total = real("correct", correct), real("total", total)
    if not 0 < level < 1:
        raise ValueError(f"level must lie between 0 and 1, got {level}")
    if (correct < 0).any() or (correct > total).any():
        raise ValueError("correct must lie between 0 and total")
    z = special.ndtri((1 + level) / 2)
    n = np.where(total > 0, total, np.nan)
    p = correct / n
    centre = (p + z**2 / (2 * n)) / (1 + z**2 / n)
    half = z / (1 + z**2 / n) * np.sqrt(p * (1 - p) / n + z**2 / (4 * n**2))
    return np.clip(centre - half, 0, 1), np.clip(centre + half, 0, 1)


@dataclass(frozen=True)
class Comparison:
    """A paired comparison of a with b: how much larger a is, on average.

    All figures are NaN where they cannot be computed.
    """

    mean: float  # of the differences a - b
    low: float  # 95 % interval of the mean
    high: float
    p: float  # two-sided p-value against no difference, not adjusted
    n: int  # pairs

    @property
    def difference(self) -> float:
        """The mean; for two classifiers, the difference of their accuracies."""
        return self.mean


def paired_difference(a: ArrayLike, b: ArrayLike) -> Comparison:
    """Paired t test of ``a`` against ``b``, (N,) values of the same images or seeds in one order.

    Pairs with a NaN are left out. With fewer than two pairs, or where all differences are the same
    number other than 0, there is no interval and no p-value (NaN).
    """
    from scipy import stats

    a, b = real("a", a), real("b", b)
    if a.shape != b.shape or a.ndim != 1:
        raise ValueError(f"a and b must be paired values (N,), got {a.shape} and {b.shape}")
    differences = (a - b)[~np.isnan(a - b)]
    n, nan = len(differences), float("nan")
    if n == 0:
        return Comparison(nan, nan, nan, nan, 0)
    mean = float(differences.mean())
    if n > 1 and not differences.any():
        return Comparison(0.0, 0.0, 0.0, 1.0, n)
    if np.ptp(differences) <= 1e-12 * np.abs(differences).max():
        return Comparison(mean, nan, nan, nan, n)
    result = stats.ttest_1samp(differences, 0.0)
    low, high = result.confidence_interval()
    return Comparison(mean, float(low), float(high), float(result.pvalue), n)


def mcnemar(a_correct: ArrayLike, b_correct: ArrayLike) -> Comparison:
    """Exact McNemar test of two classifiers on the same images.

    ``a_correct``, ``b_correct``: bool (N,). The p-value is exact (binomial, over the images that
    only one of them gets right); the interval of the difference of accuracies is Newcombe's for
    paired proportions (method 10, Statistics in Medicine 17, 1998). NaN without images.
    """
    from scipy import stats

    a, b = flags("a_correct", a_correct), flags("b_correct", b_correct)
    if a.shape != b.shape or a.ndim != 1:
        raise ValueError(f"expected bool (N,) for the same images, got {a.shape} and {b.shape}")
    n, nan = len(a), float("nan")
    if n == 0:
        return Comparison(nan, nan, nan, nan, 0)
    only_a, only_b = int((a & ~b).sum()), int((b & ~a).sum())
    p = stats.binomtest(only_a, only_a + only_b).pvalue if only_a + only_b else 1.0
    low, high = _newcombe(a, b)
    return Comparison((only_a - only_b) / n, low, high, float(p), n)


def _newcombe(a: np.ndarray, b: np.ndarray) -> tuple[float, float]:
    """Interval of mean(a) - mean(b) from Wilson's intervals of both and their correlation."""
    n, rates = len(a), np.array([a.mean(), b.mean()])
    low, high = wilson([a.sum(), b.sum()], [n, n])
    phi = _phi(a, b)
    below, above = rates - low, high - rates
    difference = rates[0] - rates[1]

    def reach(x: float, y: float) -> float:
        return float(np.sqrt(max(x**2 - 2 * phi * x * y + y**2, 0)))

    return (
        float(difference - reach(below[0], above[1])),
        float(difference + reach(above[0], below[1])),
    )


def _phi(a: np.ndarray, b: np.ndarray) -> float:
    """Correlation of two bool arrays, with Newcombe's continuity correction; 0 for a constant."""
    n = float(len(a))
    margins = float(a.sum() * b.sum()) * float((~a).sum() * (~b).sum())
    if not margins:
        return 0.0
    product = float((a & b).sum() * (~a & ~b).sum()) - float((a & ~b).sum() * (b & ~a).sum())
    if product > 0:
        product = max(product - n / 2, 0)
    return product / margins**0.5


def holm(p_values: ArrayLike) -> np.ndarray:
    """Holm-adjusted p-values, float64 in the order given, for all comparisons of one table.

    NaN stands for a test that was not made: it stays NaN and does not count.
    """
    from statsmodels.stats.multitest import multipletests

    p = real("p_values", p_values)
    adjusted, made = np.full(p.shape, np.nan), ~np.isnan(p)
    if not ((p[made] >= 0) & (p[made] <= 1)).all():
        raise ValueError(f"p_values: must lie between 0 and 1, not {p}")
    if made.any():
        adjusted[made] = multipletests(p[made], method="holm")[1]
    return adjusted


def decide(low: float, high: float) -> str:
    """Whether a difference is above 0, from its interval: yes, no (it is below 0) or undecided."""
    if low > 0:
        return "yes"
    return "no" if high < 0 else "undecided"


def verdict(comparison: Comparison, p_adjusted: float, alpha: float = 0.05) -> str:
    """Whether a is better than b: yes, no (it is worse) or undecided.

    ``p_adjusted``: the p-value by ``holm`` over the table that the comparison belongs to.
    """
    if not p_adjusted < alpha:  # also NaN
        return "undecided"
    return decide(comparison.mean, comparison.mean)


def above_chance(correct: int, total: int, classes: int, commonest: int = 0) -> bool:
    """Whether an accuracy is clearly above chance: one-sided exact binomial test at 1 %.

    Chance is to name any of the ``classes``, or always the class with the most images
    (``commonest``: how many of the ``total`` it has) where classes differ in size.
    """
    from scipy import stats

    counts = np.array([total, classes, correct, commonest], float)
    if not np.isfinite(counts).all() or (counts < 0).any() or (counts % 1).any():
        raise ValueError(f"total, classes, correct, commonest: {counts} are not all counts")
    if total == 0 or classes < 1:
        return False
    chance = min(max(1 / classes, commonest / total), 1.0)
    test = stats.binomtest(int(correct), int(total), chance, alternative="greater")
    return bool(test.pvalue < CHANCE_LEVEL)


def crossed_difference(a: ArrayLike, b: ArrayLike) -> Comparison:
    """Difference of two arms whose fits share seeds and images, for other seeds and other images.

    ``a``, ``b``: (S, N), a value for each of S seeds and N images, e.g. 1 where the fit is right.
    The difference a - b of a seed and an image is the effect plus a random effect of the seed, one
    of the image, and the rest. The variance of the mean is estimated by the sum of the two mean
    squares; the rest is counted twice, since subtracting it gives intervals that are too narrow for
    three seeds. The t test has Satterthwaite's degrees of freedom (Searle, Casella and McCulloch,
    Variance Components, 1992). With one seed, the interval is for other images alone. NaN where it
    cannot be computed; ``n`` is the number of images.
    """
    from scipy import stats

    a, b = real("a", a), real("b", b)
    if a.shape != b.shape or a.ndim != 2 or not len(a):
        raise ValueError(f"a and b must be paired values (S, N), got {a.shape} and {b.shape}")
    differences, (seeds, n) = a - b, a.shape
    if seeds < 2 or n < 2 or not np.ptp(differences):
        return paired_difference(a.mean(0), b.mean(0))
    mean = float(differences.mean())
    of_seeds = n * float(differences.mean(1).var(ddof=1))  # mean squares
    of_images = seeds * float(differences.mean(0).var(ddof=1))
    total = of_seeds + of_images
    freedom = total**2 / (of_seeds**2 / (seeds - 1) + of_images**2 / (n - 1))
    error = (total / differences.size) ** 0.5
    reach = float(stats.t.ppf(0.975, freedom)) * error
    p = 2 * float(stats.t.sf(abs(mean) / error, freedom))
    return Comparison(mean, mean - reach, mean + reach, p, n)
