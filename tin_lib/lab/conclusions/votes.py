"""Whether the votes are better than the single networks, and how similar their errors are."""

from dataclasses import dataclass
from typing import Any

import pandas as pd

from tin_lib.analysis import paper
from tin_lib.analysis.ensemble import mean_correlation
from tin_lib.lab.formatting import percent, rows, titles

OUTCOMES = ("yes", "no", "undecided")


@dataclass(frozen=True)
class VoteVerdict:
    """Whether one vote is better than the single networks."""

    name: str
    accuracy: float  # 0..1, with its 95 % interval
    low: float
    high: float
    against: tuple[tuple[str, str], ...]  # each network above chance, and the outcome against it

    @property
    def outcome(self) -> str:
        """Better than every one of them: yes, no (worse than one) or undecided."""
        outcomes = {outcome for _, outcome in self.against}
        if outcomes == {"yes"}:
            return "yes"
        return "no" if "no" in outcomes else "undecided"


@dataclass(frozen=True)
class EnsembleRecord:
    """The findings of notebook 06."""

    best: tuple[str, ...]  # networks with the highest accuracy
    accuracy: float  # theirs, 0..1
    votes: tuple[VoteVerdict, ...]  # of the votes above chance
    at_chance: tuple[str, ...]  # networks and votes without a verdict
    comparisons: int  # number of tests in Holm's correction
    networks: int
    correlation: float  # mean over the pairs of networks; NaN if errors do not vary
    missed: float  # share of the images that every network misses, 0..1


def judge_ensemble(
    table: pd.DataFrame, compared: pd.DataFrame, correlation: pd.DataFrame, errors: pd.DataFrame
) -> EnsembleRecord:
    """The record of an ensemble.

    ``table``: from ``ensemble_table``; ``compared``: from ``compare.pairwise``; ``correlation``:
    from ``error_correlation``; ``errors``: bool (N images, M networks).
    """
    networks, votes = table[table.kind == "network"], table[table.kind == "vote"]
    top = networks.accuracy.max()
    return EnsembleRecord(
        best=tuple(networks.name[networks.accuracy == top]),
        accuracy=float(top),
        votes=tuple(judge_vote(vote, compared) for vote in rows(votes[votes.above_chance])),
        at_chance=tuple(table.name[~table.above_chance]),
        comparisons=len(compared),
        networks=len(networks),
        correlation=mean_correlation(correlation),
        missed=float(errors.all(axis=1).mean()),
    )


def judge_vote(vote: Any, compared: pd.DataFrame) -> VoteVerdict:
    """The verdict on one row of the ensemble table."""
    tests = compared[(compared.a == vote.name) & compared.b.isin(vote.members.split(", "))]
    against = tuple(zip(tests.b, tests.outcome, strict=True))
    return VoteVerdict(vote.name, vote.accuracy, vote.low, vote.high, against)


def ensemble(
    table: pd.DataFrame, compared: pd.DataFrame, correlation: pd.DataFrame, errors: pd.DataFrame
) -> str:
    """Whether the votes are better than the networks; arguments as ``judge_ensemble``."""
    return ensemble_text(judge_ensemble(table, compared, correlation, errors))


def ensemble_text(record: EnsembleRecord) -> str:
    """The record as text."""
    lines = [summary(record)]
    if record.at_chance:
        lines.append(f"No verdict for {titles(record.at_chance)}: not clearly above chance.")
    lines += [vote_text(vote) for vote in record.votes]
    if record.comparisons:
        lines.append(
            f"Outcomes: exact McNemar tests on the same images, Holm's correction over "
            f"{record.comparisons} comparisons. A vote counts as better only if it is better than "
            "each network, since the best one was chosen on these images."
        )
    return "\n".join(f"- {line}" for line in [*lines, *similarity(record)])


def summary(record: EnsembleRecord) -> str:
    """The best network, and whether each vote is better than every network, in one sentence."""
    verb = "network is" if len(record.best) == 1 else "networks are"
    best = f"The best single {verb} {titles(record.best)} ({percent(record.accuracy)})"
    votes = [f"{v.name} **{v.outcome}** ({percent(v.accuracy)})" for v in record.votes if v.against]
    return f"{best}; better than every network: {', '.join(votes)}." if votes else f"{best}."


def vote_text(vote: VoteVerdict) -> str:
    """One vote's accuracy and verdict."""
    accuracy = (
        f"The {vote.name} classifies **{percent(vote.accuracy)}** of the images correctly (95 % "
        f"interval {percent(vote.low)} to {percent(vote.high)})"
    )
    if not vote.against:
        return f"{accuracy}; there is no single network to compare it with."
    groups = {word: [name for name, each in vote.against if each == word] for word in OUTCOMES}
    details = "; ".join(f"{word}: {titles(names)}" for word, names in groups.items() if names)
    return f"{accuracy}. Better than every single network: **{vote.outcome}** ({details})."


def similarity(record: EnsembleRecord) -> list[str]:
    """How similar the networks' errors are."""
    if record.networks < 2:
        return ["There is only one network, so there is no correlation of errors."]
    missed = (
        f"Every network misclassifies {percent(record.missed)} of the images; at least one "
        f"classifies the other {percent(1 - record.missed)} correctly."
    )
    if record.correlation != record.correlation:  # NaN
        return ["The error correlation is undefined: at most one network's errors vary.", missed]
    theirs = f"{paper.ERROR_CORRELATION} in the paper, for three networks"
    return [f"The mean correlation of errors is {record.correlation:.3f} ({theirs}).", missed]
