"""Paired comparisons of networks and votes on the same images."""

import itertools

import pandas as pd

from tin_lib.analysis import statistics
from tin_lib.analysis.ensemble import Tables, above_chance, errors

COLUMNS = ["a", "b", "images", "difference", "low", "high", "p", "p_adjusted", "outcome"]


def pairwise(tables: Tables, classes: int) -> pd.DataFrame:
    """Compare every two of the tables (networks and votes) on the same images: McNemar's test.

    Only tables clearly above chance are compared (``classes``: number of classes). Columns: a, b,
    images, difference (accuracy of a minus that of b), low, high (95 % interval), p (exact),
    p_adjusted (Holm, over all rows), outcome (is a better than b? yes, no or undecided).
    """
    wrong = errors(tables)
    names = [name for name, table in tables.items() if above_chance(table, classes)]
    pairs = [(a, b) for b, a in itertools.combinations(names, 2)]  # votes, which are last, first
    tests = [statistics.mcnemar(~wrong[a], ~wrong[b]) for a, b in pairs]
    adjusted = statistics.holm([test.p for test in tests])
    rows = [
        {"a": a, "b": b, "images": test.n, "difference": test.mean, "low": test.low}
        | {"high": test.high, "p": test.p, "p_adjusted": p}
        | {"outcome": statistics.verdict(test, p)}
        for (a, b), test, p in zip(pairs, tests, adjusted)
    ]
    return pd.DataFrame(rows, columns=COLUMNS)
