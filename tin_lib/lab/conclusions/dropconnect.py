"""Whether DropConnect beats dropout at the same rate, and no dropping at all."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import pandas as pd

from tin_lib import catalog
from tin_lib.analysis.arms import Fits
from tin_lib.lab.conclusions.effects import effect
from tin_lib.lab.formatting import percent, rows

NONE, DROPOUT, DROPCONNECT = "nothing dropped", "dropout", "DropConnect"
MEAN = "mean weights"  # what the inference by moments is compared with
DENSE_RATE = 0.5  # the networks' own rate of dropout after dense 1; their option multiplies it
LARGEST = 0.95  # rate of dropout in the networks, whatever the option says
CLAIMS = {
    DROPOUT: "{network}: DropConnect is more accurate than dropout at the same rate",
    NONE: "{network}: DropConnect is more accurate than no dropout",
    MEAN: "{network}: DropConnect is more accurate with inference by moments than by mean weights",
}


@dataclass(frozen=True)
class Verdict:
    """The answer to one question for one network, over all rates."""

    network: str
    against: str  # a key of CLAIMS
    outcome: str  # yes, no or undecided
    rows: tuple[tuple[float, Any], ...]  # rate of DropConnect, and row of the comparison


def options(method: str, rate: float = 0.0, per: str = "example") -> dict[str, Any]:
    """Options of the networks for one arm, in which nothing but dense 1 drops.

    ``method``: NONE, DROPOUT or DROPCONNECT; ``per``: example or batch, whose masks DropConnect's
    are. Raises ValueError for a rate that the two cannot both have.
    """
    if method != NONE and not 0 < rate <= LARGEST:
        raise ValueError(f"rate {rate}: rates must be above 0 and at most {LARGEST}")
    given: dict[str, Any] = {"variant": "dense", "dropout": 0.0}
    if method == DROPOUT:
        given["dropout"] = rate / DENSE_RATE
    if method == DROPCONNECT:
        given |= {"dropconnect": rate, "dropconnect_per": per}
    return given


def arm_table(fits: Fits) -> pd.DataFrame:
    """One row an arm, from the fits' recipes: arm, network, method, rate (0 if nothing drops)."""
    found = {}
    for (arm, _), fit in fits.items():
        given = fit.recipe["network_options"]
        rates = {
            DROPCONNECT: given.get("dropconnect", 0.0),
            DROPOUT: given.get("dropout", 1.0) * DENSE_RATE,
            NONE: 0.0,
        }
        method = next((name for name, rate in rates.items() if rate), NONE)
        found[arm] = {"network": fit.recipe["network"], "method": method, "rate": rates[method]}
    return pd.DataFrame([{"arm": arm} | row for arm, row in found.items()])


def partners(table: pd.DataFrame, method: str) -> dict[str, str]:
    """For each arm with DropConnect, the same network's with ``method``, at the same rate if any.

    ``table``: of ``arm_table``.
    """
    same = ["network"] if method == NONE else ["network", "rate"]
    pairs = table[table["method"] == DROPCONNECT].merge(table[table["method"] == method], on=same)
    return dict(zip(pairs["arm_x"], pairs["arm_y"]))


def judge(table: pd.DataFrame, compared: Mapping[str, pd.DataFrame]) -> tuple[Verdict, ...]:
    """The verdicts for each question and network.

    ``table``: of ``arm_table``; ``compared``: by key of CLAIMS, a table of comparisons of the arms
    with DropConnect. Yes: better at one rate or more, and worse at none; no: the reverse.
    """
    arms = {row.arm: row for row in rows(table)}
    found = []
    for against, each in compared.items():
        tested = [row for row in rows(each) if row.against]
        for network in dict.fromkeys(table["network"]):
            own = [row for row in tested if arms[row.arm].network == network]
            outcome = combined({row.outcome for row in own})
            pairs = tuple((float(arms[row.arm].rate), row) for row in own)
            found.append(Verdict(network, against, outcome, pairs))
    return tuple(found)


def combined(outcomes: set[str]) -> str:
    """One outcome for several comparisons, each corrected for all of them."""
    decided = outcomes & {"yes", "no"}
    return decided.pop() if len(decided) == 1 else "undecided"


def verdict_text(verdict: Verdict) -> str:
    """The record as text."""
    claim = CLAIMS[verdict.against].format(network=catalog.title(verdict.network))
    tested = [(rate, row) for rate, row in verdict.rows if row.p_adjusted == row.p_adjusted]
    details = [f"at rate {rate:g} {effect(row)}" for rate, row in tested]
    how = "; ".join(details) or "not tested: at chance level, or no finished fits in common"
    return f"**{verdict.outcome.capitalize()}** · {claim} ({how})."


def gap_text(table: pd.DataFrame, accuracies: pd.DataFrame) -> str:
    """How much training accuracy exceeds validation accuracy, by network and method.

    ``accuracies``: of ``arms.compare``.
    """
    gaps = table.merge(accuracies[["arm", "gap"]], on="arm")
    lines = []
    for network, part in gaps.groupby("network", sort=False):
        means = part.groupby("method", sort=False)["gap"].mean()
        texts = ", ".join(f"{percent(gap)} with {method}" for method, gap in means.items())
        lines.append(f"{catalog.title(str(network))} {texts}")
    return f"Training minus validation accuracy, mean over the rates: {'; '.join(lines)}."


def dropconnect(
    table: pd.DataFrame, compared: Mapping[str, pd.DataFrame], accuracies: pd.DataFrame
) -> str:
    """The notebook's closing text; arguments as of ``judge`` and ``gap_text``."""
    lines = "\n".join(f"- {verdict_text(each)}" for each in judge(table, compared))
    return f"{lines}\n\n{gap_text(table, accuracies)}"
