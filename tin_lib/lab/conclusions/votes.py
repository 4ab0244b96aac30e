"""Whether voting paid, and why."""

from typing import Any

import pandas as pd

from tin_lib import catalog
from tin_lib.analysis.ensemble import mean_correlation
from tin_lib.lab.formatting import percent, rows, titles


def ensemble(table: pd.DataFrame, correlation: pd.DataFrame, errors: pd.DataFrame) -> str:
    """Whether voting paid, and why.

    ``table``: by ``ensemble_table``; ``correlation``: by ``error_correlation``; ``errors``: bool
    (N images, M networks).
    """
    networks, votes = table[table.kind == "network"], table[table.kind == "vote"]
    top = networks.accuracy.max()
    best = list(networks.name[networks.accuracy == top])
    verb = "is" if len(best) == 1 else "are"
    said = [f"Best alone {verb} {titles(best)} with {percent(top)}."]
    said += [one_vote(vote, top) for vote in rows(votes)]
    said.append(alike(correlation, len(networks)))
    missed = errors.all(axis=1).mean()
    who = "All of them miss" if len(networks) > 1 else "It misses"
    said.append(
        f"{who} {percent(missed)} of the images"
        + (f", and at least one finds {percent(1 - missed)}." if len(networks) > 1 else ".")
    )
    return " ".join(said)


def one_vote(vote: Any, best: float) -> str:
    """What one way of voting reaches beside the best single network (accuracy 0..1)."""
    points = 100 * (vote.accuracy - best)
    told = (
        f"The {vote.name} reaches **{percent(vote.accuracy)}** (95 % interval "
        f"{percent(vote.low)} to {percent(vote.high)}): "
    )
    if abs(points) < 0.05:
        return told + "neither gain nor loss."
    change = f"it {'gains' if points > 0 else 'loses'} {abs(points):.1f} points"
    if vote.low <= best <= vote.high:
        return told + f"{change}, less than the interval can tell from none."
    return told + f"{change}."


def alike(correlation: pd.DataFrame, voters: int) -> str:
    """How alike the networks' errors are, beside the paper's figure for its three networks."""
    mean = mean_correlation(correlation)
    if voters < 2:
        return "One network alone has nothing to correlate with."
    if mean != mean:  # NaN: errors that do not vary
        return "The errors have no correlation to give: at most one network's vary."
    note = "the paper's figure" if voters == 3 else f"{voters} voted here; the paper's three have"
    return (
        f"The networks' errors correlate with {mean:.3f} on average ({note} "
        f"{catalog.ERROR_CORRELATION})."
    )
