"""Sentences for the outcomes of comparisons: yes, no or undecided, with the numbers."""

from collections.abc import Hashable
from typing import Any, Protocol

from tin_lib.lab.formatting import count_noun, percent

WORDS = {"yes": "Yes", "no": "No", "undecided": "Undecided"}


class Row(Protocol):
    """A row of ``arms.compare`` or ``arms.compare_values``, as a named tuple or Series."""

    arm: Hashable
    paired: Any
    difference: Any
    low: Any
    high: Any
    p_adjusted: Any
    outcome: Any


def points(share: float) -> str:
    """Format a difference of accuracies: 0.032 as ``+3.2 points``."""
    return f"{100 * share:+.1f} points"


def mean_and_deviation(mean: float, deviation: float) -> str:
    """Format an accuracy over seeds: ``45.5 % ± 1.2 points``; a single seed has no deviation."""
    spread = f" ± {100 * deviation:.1f} points" if deviation == deviation else " (one seed)"
    return f"{percent(mean)}{spread}"


def outcome_sentence(claim: str, row: Row) -> str:
    """The outcome of a comparison as a sentence.

    ``claim``: says that the row's arm is better than what it is compared with, e.g. "dropout
    raises the validation accuracy". ``row``: of a table of comparisons. Where nothing could be
    tested the sentence says so.
    """
    head = f"**{WORDS.get(row.outcome, 'Undecided')}**: {claim}"
    if row.p_adjusted != row.p_adjusted:  # NaN
        return f"{head}: not tested (both arms at chance level, or no finished fits in common)."
    return f"{head} ({effect(row)})."


def effect(row: Row) -> str:
    """Difference, interval, seeds in common and adjusted p-value in words."""
    interval = f"95 % interval {100 * row.low:.1f} to {100 * row.high:.1f}"
    p = "< 0.001" if row.p_adjusted < 0.001 else f"= {row.p_adjusted:.3f}"
    seeds = count_noun(row.paired, "seed")
    seeds += (
        " (so the interval does not cover the variation between seeds)" if row.paired == 1 else ""
    )
    return f"{points(row.difference)}, {interval}, {seeds}, adjusted p {p}"
