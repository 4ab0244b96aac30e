"""Intervals for proportions and a logistic regression with cluster-robust intervals, in NumPy."""

from dataclasses import dataclass
from statistics import NormalDist

import numpy as np
import pandas as pd
from numpy.typing import ArrayLike

STEPS = 50  # Newton's method needs about 8 where an estimate exists


def wilson(
    correct: ArrayLike, total: ArrayLike, level: float = 0.95
) -> tuple[np.ndarray, np.ndarray]:
    """Wilson's score interval for a proportion (E. B. Wilson, JASA 22, 1927).

    Parameters
    ----------
    correct, total: counts of any matching shape, 0 <= correct <= total; need not be whole numbers.
    level: share of intervals that cover the true proportion, between 0 and 1.

    Returns
    -------
    Lower and upper ends, float64, in 0..1; NaN where ``total`` is 0.
    """
    correct, total = np.asarray(correct, float), np.asarray(total, float)
    if not 0 < level < 1:
        raise ValueError(f"level must lie between 0 and 1, got {level}")
    if (correct < 0).any() or (correct > total).any():
        raise ValueError("correct must lie between 0 and total")
    z = NormalDist().inv_cdf((1 + level) / 2)
    n = np.where(total > 0, total, np.nan)
    p = correct / n
    centre = (p + z**2 / (2 * n)) / (1 + z**2 / n)
    half = z / (1 + z**2 / n) * np.sqrt(p * (1 - p) / n + z**2 / (4 * n**2))
    return np.clip(centre - half, 0, 1), np.clip(centre + half, 0, 1)


def t_quantile(probability: float, freedom: float) -> float:
    """Quantile of Student's t (Abramowitz and Stegun 26.7.5); within 1 % from 5 degrees upwards.

    NaN where ``freedom`` is below 1.
    """
    if freedom < 1:
        return float("nan")
    z = NormalDist().inv_cdf(probability)
    first = (z**3 + z) / 4
    second = (5 * z**5 + 16 * z**3 + 3 * z) / 96
    third = (3 * z**7 + 19 * z**5 + 17 * z**3 - 15 * z) / 384
    return z + first / freedom + second / freedom**2 + third / freedom**3


@dataclass(frozen=True, eq=False)
class Logistic:
    """A fitted logistic regression."""

    names: tuple[str, ...]
    coefficients: np.ndarray  # float64 (K,), change of the log odds per unit
    covariance: np.ndarray  # float64 (K, K)
    freedom: float  # degrees of freedom of the intervals: clusters - 1, or infinite
    loglikelihood: float

    def table(self, level: float = 0.95) -> pd.DataFrame:
        """Columns term, coefficient, se, low, high, odds_ratio, odds_low, odds_high."""
        se = np.sqrt(np.diag(self.covariance))
        half = t_quantile((1 + level) / 2, self.freedom) * se
        low, high = self.coefficients - half, self.coefficients + half
        table = pd.DataFrame({"term": self.names, "coefficient": self.coefficients, "se": se})
        table = table.assign(low=low, high=high, odds_ratio=np.exp(self.coefficients))
        return table.assign(odds_low=np.exp(low), odds_high=np.exp(high))


def logistic(x: pd.DataFrame, y: np.ndarray, clusters: np.ndarray | None = None) -> Logistic:
    """Maximum-likelihood logistic regression by Newton's method, float64.

    Parameters
    ----------
    x: (N, K) regressors, without missing values; add a column of ones for an intercept.
    y: bool or 0/1 (N,) outcomes.
    clusters: (N,) group of each row; then the covariance is the cluster-robust sandwich with the
        factor G/(G-1) * (N-1)/(N-K), and intervals use t with G-1 degrees of freedom. Without
        it, the covariance is the inverse information.

    Raises ValueError where no finite estimate exists (separation, or collinear columns).
    """
    matrix, outcome = x.to_numpy(np.float64), np.asarray(y, np.float64)
    beta, bread = _newton(matrix, outcome)
    logits = matrix @ beta
    likelihood = float((outcome * logits - np.logaddexp(0, logits)).sum())
    covariance, freedom = bread, float("inf")
    if clusters is not None:
        residuals = outcome - _sigmoid(logits)
        covariance, freedom = _sandwich(matrix * residuals[:, None], bread, clusters)
    return Logistic(tuple(x.columns), beta, covariance, freedom, likelihood)


def _sigmoid(logits: np.ndarray) -> np.ndarray:
    return np.exp(-np.logaddexp(0, -logits))


def _newton(x: np.ndarray, y: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Coefficients (K,) and the inverse of the information matrix (K, K)."""
    beta = np.zeros(x.shape[1])
    for _ in range(STEPS):
        p = _sigmoid(x @ beta)
        inverse = _inverse(x.T @ (x * (p * (1 - p))[:, None]))
        step = inverse @ (x.T @ (y - p))
        beta = beta + step
        if np.abs(step).max() < 1e-10 * (1 + np.abs(beta).max()):
            return beta, inverse
    raise ValueError("the regression has no finite estimate: some regressors separate the outcomes")


def _inverse(information: np.ndarray) -> np.ndarray:
    """Inverse of the information, refused where a column is a combination of the others."""
    scale = np.sqrt(np.diag(information))
    with np.errstate(divide="ignore", invalid="ignore"):
        unit = information / np.outer(scale, scale)
    if not np.isfinite(unit).all() or np.linalg.cond(unit) > 1e12:
        raise ValueError(
            "the regression has no unique estimate: drop a constant or repeated column"
        )
    return np.linalg.inv(unit) / np.outer(scale, scale)


def _sandwich(
    scores: np.ndarray, bread: np.ndarray, clusters: np.ndarray
) -> tuple[np.ndarray, float]:
    """Cluster-robust covariance (Liang and Zeger, 1986) and its degrees of freedom."""
    _, codes = np.unique(clusters, return_inverse=True)
    groups, (rows, columns) = codes.max() + 1, scores.shape
    if groups < 2:
        raise ValueError("clusters: at least two are needed for cluster-robust intervals")
    sums = np.zeros((groups, columns))
    np.add.at(sums, codes, scores)
    factor = groups / (groups - 1) * (rows - 1) / (rows - columns)
    return factor * bread @ (sums.T @ sums) @ bread, float(groups - 1)
