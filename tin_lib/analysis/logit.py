"""Logistic regression with cluster-robust intervals, and conditional logistic regression."""

import warnings
from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd
from scipy import special, stats
from statsmodels.discrete.conditional_models import ConditionalLogit
from statsmodels.discrete.discrete_model import Logit

FEWEST_CLUSTERS = 20  # with fewer, cluster-robust intervals are too narrow
STEPS = 50  # of Newton's method, which needs about 8 where an estimate exists
SEPARATED = "no finite estimate: the property separates right from wrong answers"
LOG_ZERO = -1e30  # finite, so that no NaN arises
COLLINEAR = "no unique estimate: the properties determine each other"


class NoEstimate(ValueError):
    """The regression has no estimate; the message is the reason in plain words."""


@dataclass(frozen=True, eq=False)
class Estimates:
    """Coefficients of a fitted regression."""

    names: tuple[str, ...]
    coefficients: np.ndarray  # float64 (K,), change of the log odds per unit
    covariance: np.ndarray  # float64 (K, K)
    freedom: float = float("inf")  # degrees of freedom of t: clusters - 1, or infinite (normal)

    def table(self, level: float = 0.95) -> pd.DataFrame:
        """Columns term, coefficient, se, low, high, p, odds_ratio, odds_low, odds_high."""
        se = np.sqrt(np.diag(self.covariance))
        half = stats.t.ppf((1 + level) / 2, self.freedom) * se
        low, high = self.coefficients - half, self.coefficients + half
        p = 2 * stats.t.sf(np.abs(self.coefficients) / se, self.freedom)
        table = pd.DataFrame({"term": self.names, "coefficient": self.coefficients, "se": se})
        table = table.assign(low=low, high=high, p=p, odds_ratio=np.exp(self.coefficients))
        return table.assign(odds_low=np.exp(low), odds_high=np.exp(high))


def logistic(x: pd.DataFrame, y: np.ndarray, clusters: np.ndarray | None = None) -> Estimates:
    """Maximum-likelihood logistic regression (statsmodels).

    Parameters
    ----------
    x: (N, K) regressors without missing values; an intercept is added as the last term.
    y: bool (N,) outcomes.
    clusters: (N,) group of each row. With it, the covariance is cluster-robust and intervals use t
        with G - 1 degrees of freedom; without it, the covariance is the inverse information.

    Raises NoEstimate for fewer than 20 clusters, separated outcomes or collinear columns.
    """
    groups = 0 if clusters is None else len(np.unique(clusters))
    if clusters is not None and groups < FEWEST_CLUSTERS:
        raise NoEstimate(f"too few classes ({groups} < {FEWEST_CLUSTERS})")
    design = x.assign(intercept=1.0).astype(np.float64)
    _check(design.to_numpy(), np.asarray(y, bool))
    options: dict[str, Any] = {"disp": False, "maxiter": STEPS}
    if clusters is not None:
        codes = np.unique(clusters, return_inverse=True)[1]
        options |= {"cov_type": "cluster", "cov_kwds": {"groups": codes}, "use_t": True}
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("error")
            fit = Logit(np.asarray(y, float), design).fit(**options)
    except (Warning, np.linalg.LinAlgError):  # statsmodels warns if it does not converge
        raise NoEstimate(SEPARATED) from None
    freedom = float(groups - 1) if groups else float("inf")
    covariance = np.asarray(fit.cov_params())
    return Estimates(tuple(design.columns), np.asarray(fit.params), covariance, freedom)


def _check(design: np.ndarray, outcome: np.ndarray) -> None:
    """Raise NoEstimate for constant outcomes and for constant or collinear columns."""
    if outcome.all() or not outcome.any():
        raise NoEstimate(one_outcome(outcome))
    lengths = np.linalg.norm(design, axis=0)
    if not lengths.all() or np.linalg.matrix_rank(design / lengths, tol=1e-6) < design.shape[1]:
        raise NoEstimate(COLLINEAR)


def one_outcome(outcome: np.ndarray) -> str:
    """Why there is no estimate if outcomes (N,) are constant, overall or within each class."""
    if outcome.all():
        return "every answer is right"
    return "no class has both right and wrong answers" if outcome.any() else "every answer is wrong"


def conditional_logit(x: pd.DataFrame, y: np.ndarray, groups: np.ndarray) -> Estimates:
    """Conditional logistic regression (statsmodels): effects within groups, such as classes.

    The likelihood of the outcomes given how many of each group are 1 (McFadden 1974). It has no
    intercepts to estimate, and so avoids the bias of a regression with a dummy variable per group.

    Parameters
    ----------
    x: (N, K) regressors without missing values.
    y: bool (N,) outcomes.
    groups: (N,) group of each row. Groups of one outcome carry no information and are left out.

    The covariance is cluster-robust, groups as clusters, from 20 groups upwards; with fewer it is
    the inverse information. Raises NoEstimate for separated outcomes, collinear columns, or no
    group with both outcomes.
    """
    outcome, codes = pd.Series(np.asarray(y, float)), np.unique(groups, return_inverse=True)[1]
    kept = (outcome.groupby(codes).transform("nunique") > 1).to_numpy()
    if not kept.any():
        raise NoEstimate(one_outcome(outcome.to_numpy(bool)))
    design = x.reset_index(drop=True)[kept].astype(np.float64)
    design = design - design.groupby(codes[kept]).transform("mean")  # does not change the estimate
    _check(design.to_numpy(), outcome[kept].to_numpy(bool))
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("error")
            model = BatchedConditionalLogit(outcome[kept].to_numpy(), design, groups=codes[kept])
            fit = model.fit(method="newton", maxiter=STEPS)
    except (Warning, np.linalg.LinAlgError):
        raise NoEstimate(SEPARATED) from None
    inverse, scores = np.asarray(fit.cov_params()), model.group_scores(fit.params)
    count, terms = len(scores), tuple(design.columns)
    if count < FEWEST_CLUSTERS:
        return Estimates(terms, np.asarray(fit.params), inverse)
    robust = inverse @ (scores.T @ scores) @ inverse * count / (count - 1)  # Liang and Zeger 1986
    return Estimates(terms, np.asarray(fit.params), robust, float(count - 1))


class BatchedConditionalLogit(ConditionalLogit):
    """statsmodels' model with its recursion on all groups at once, about a hundred times as fast.

    statsmodels finds the maximum; this class computes the likelihood and its derivatives.
    """

    def __init__(self, endog: np.ndarray, exog: pd.DataFrame, groups: np.ndarray) -> None:
        super().__init__(endog, exog, groups=groups)
        sizes = np.array(self._groupsize)
        self.exists = np.arange(sizes.max()) < sizes[:, None]  # bool (G, n): groups are padded
        self.rows = np.zeros((*self.exists.shape, self.k_params))  # regressors, (G, n, K)
        self.rows[self.exists] = np.concatenate(self._exog_grp)
        self.ones = np.array(self._n1, int)  # outcomes that are 1, (G,)
        self.observed = np.stack(self._xy)  # sum of their regressors, (G, K)

    def loglike(self, params: np.ndarray) -> float:
        """Log of the conditional likelihood."""
        return float((self.observed @ params - self._moments(params)[0]).sum())

    def group_scores(self, params: np.ndarray) -> np.ndarray:
        """Gradient of each group's log likelihood, (G, K)."""
        return self.observed - self._moments(np.asarray(params))[1]

    def score(self, params: np.ndarray) -> np.ndarray:
        """Gradient of the log likelihood, (K,)."""
        return self.group_scores(params).sum(axis=0)

    def hessian(self, params: np.ndarray) -> np.ndarray:
        """Second derivatives of the log likelihood, (K, K)."""
        return -self._moments(params)[2].sum(axis=0)

    def _moments(self, params: np.ndarray) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        """Of the regressors' sum over the outcomes that are 1, given their number in each group.

        Log of the normalising constant (G,), mean (G, K) and covariance (G, K, K). By recursion
        over the rows: for every number j of ones among the rows so far at once.
        """
        logits = np.where(self.exists, self.rows @ params, LOG_ZERO)  # (G, n)
        groups, numbers, terms = len(logits), self.ones.max() + 1, self.k_params
        weight = np.full((groups, numbers), LOG_ZERO)
        weight[:, 0] = 0  # no ones yet
        mean = np.zeros((groups, numbers, terms))
        covariance = np.zeros((groups, numbers, terms, terms))
        for row, logit in zip(self.rows.swapaxes(0, 1), logits.T):
            joined = weight[:, :-1] + logit[:, None]  # this row is 1: from j - 1 to j
            chance = special.expit(joined - weight[:, 1:])[..., None]
            weight[:, 1:] = np.logaddexp(weight[:, 1:], joined)
            moved = mean[:, :-1] + row[:, None] - mean[:, 1:]
            within = chance[..., None] * (covariance[:, :-1] - covariance[:, 1:])
            between = (chance * (1 - chance) * moved)[..., None] * moved[:, :, None]
            covariance[:, 1:] += within + between
            mean[:, 1:] += chance * moved
        at = np.arange(groups), self.ones
        return weight[at], mean[at], covariance[at]
