"""Statistics of measured maps: means with intervals, and methods against baselines."""

import numpy as np
import pandas as pd

from tin_lib.analysis.statistics import holm, paired_difference, verdict, wilson

MEASURES = (
    "mass inside",
    "beyond the box",
    "times the box",
    "pointing",
    "insertion",
    "deletion",
)
COMPARED = ("mass inside", "insertion", "deletion")
LOW_IS_GOOD = ("deletion",)


def summarise(per_image: pd.DataFrame) -> pd.DataFrame:
    """Mean of every measure with its 95 % interval.

    ``per_image``: of an ``Evaluation``. Columns: network, method, kind, measure, mean, low, high,
    n (images), empty (maps that are 0 everywhere, left out of the measures). ``times the box`` is
    the mean of ``mass inside`` over the mean share of the boxes.
    """
    rows = []
    for (network, method, kind), part in per_image.groupby(
        ["network", "method", "kind"], sort=False
    ):
        label = {"network": network, "method": method, "kind": kind}
        counted = {"empty": int(part["empty"].sum())}
        kept = part[~part["empty"]]
        for measure in MEASURES:
            if found := _interval_of(kept, measure):
                rows.append(label | {"measure": measure} | found | counted)
    return pd.DataFrame(rows)


def _interval_of(part: pd.DataFrame, measure: str) -> dict[str, float] | None:
    """Mean, low, high and n of a measure; None where it was not measured."""
    if measure == "times the box" and "mass inside" in part:
        mass = part["mass inside"].to_numpy()
        return interval(times_the_box(mass, mass - part["beyond the box"].to_numpy()))
    if measure not in part:
        return None
    values = part[measure].to_numpy()
    return proportion(values) if measure == "pointing" else interval(values)


def times_the_box(inside: np.ndarray, area: np.ndarray) -> np.ndarray:
    """The mean share of map within the box over the mean share of image, spread over images: (N,).

    Linear in the images (the delta method), so that the mean of the values is the ratio of means,
    and their interval the ratio's: the mean of each image's ratio would be that of tiny boxes.
    """
    if not len(inside):
        return inside
    ratio = inside.mean() / area.mean()
    return ratio + (inside - ratio * area) / area.mean()


def interval(values: np.ndarray) -> dict[str, float]:
    """Mean of (N,) values with its 95 % interval by Student's t: mean, low, high, n.

    NaN for what cannot be computed: the interval of one value, the mean of none.
    """
    from scipy import stats  # slow to import

    n = len(values)
    mean = float(values.mean()) if n else float("nan")
    half = float("nan")
    if n > 1:
        half = float(stats.t.ppf(0.975, n - 1)) * float(values.std(ddof=1)) / n**0.5
    return {"mean": mean, "low": mean - half, "high": mean + half, "n": n}


def proportion(values: np.ndarray) -> dict[str, float]:
    """Mean of (N,) values in 0..1 with Wilson's 95 % interval: mean, low, high, n."""
    n = len(values)
    mean = float(values.mean()) if n else float("nan")
    low, high = wilson(float(values.sum()), n)
    return {"mean": mean, "low": float(low), "high": float(high), "n": n}


def against_baselines(per_image: pd.DataFrame) -> pd.DataFrame:
    """Every method against every baseline on the same images, by paired t tests.

    ``per_image``: of an ``Evaluation``. Columns: network, method, measure (of COMPARED), baseline,
    difference (mean over images, positive where the method is better), low, high (95 %), p,
    p_adjusted (Holm's correction over the whole table), n (images; those with an empty map are left
    out), outcome: whether the method is better, ``yes``, ``no`` (it is worse) or ``undecided``.
    """
    rows, tests = [], []
    for network, part in per_image.groupby("network", sort=False):
        by_method = dict(list(part.groupby("method", sort=False)))
        kinds = part.drop_duplicates("method").set_index("method")["kind"]
        for measure in [name for name in COMPARED if name in part]:
            sign = -1 if measure in LOW_IS_GOOD else 1
            for method in kinds.index[kinds == "method"]:
                for baseline in kinds.index[kinds == "baseline"]:
                    a, b = (by_method[name][measure].to_numpy() for name in (method, baseline))
                    tests.append(paired_difference(sign * a, sign * b))
                    rows.append((network, method, measure, baseline))
    table = pd.DataFrame(rows, columns=["network", "method", "measure", "baseline"])
    for column, name in {"difference": "mean", "low": "low", "high": "high", "p": "p"}.items():
        table[column] = [getattr(test, name) for test in tests]
    table["p_adjusted"] = holm(table["p"])
    table["n"] = [test.n for test in tests]
    pairs = zip(tests, table["p_adjusted"], strict=True)
    return table.assign(outcome=[verdict(test, p) for test, p in pairs])
