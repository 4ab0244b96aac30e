"""Whether noisy filters are a sign of too little regularisation."""

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
import pandas as pd

from tin_lib import catalog
from tin_lib.analysis import runs
from tin_lib.lab.conclusions.maps import fit_above_chance
from tin_lib.lab.formatting import percent, titles
from tin_lib.lab.formatting import rows as rows_of

PLACES = ("first", "last")
OUTCOMES = ("yes", "no", "undecided")


@dataclass(frozen=True)
class Smoothness:
    """Whether one layer's kernels are smoother than before training."""

    network: str
    place: str  # first or last conv layer
    roughness: float  # mean over the filters; white noise: 1; NaN where it cannot be measured
    outcome: str  # yes, no or undecided


@dataclass(frozen=True)
class FilterRecord:
    """The findings on the run's filters."""

    smoothness: tuple[Smoothness, ...]
    dead: tuple[str, str, float] | None  # title, layer and largest share; None if not measured
    at_chance: tuple[str, ...]  # networks without a verdict


@dataclass(frozen=True)
class ArmVerdict:
    """Whether unregularised networks have rougher kernels than penalised ones, in one layer."""

    place: str
    penalised: float  # mean roughness over the seeds
    unregularised: float
    spread: float  # standard deviation over a layer's filters, mean over the networks
    low: float  # 95 % interval of the difference, unregularised - penalised
    high: float
    seeds: int
    outcome: str  # rougher without regularisation: yes, no or undecided


@dataclass(frozen=True)
class ArmRecord:
    """The verdicts of the pair, and the accuracies of its networks."""

    verdicts: tuple[ArmVerdict, ...]
    accuracies: dict[str, float]  # validation accuracy by arm, mean over the seeds
    at_chance: int  # networks not clearly above chance; if there is one, there is no verdict


def judge_filters(compared: pd.DataFrame, tested: pd.DataFrame, run: runs.Run) -> FilterRecord:
    """The record of a run's filters.

    ``compared``: of ``filters.compare`` with networks by title; ``tested``: of
    ``filters.against_untrained``.
    """
    learnt = [name for name, fit in run.fits.items() if fit_above_chance(fit)]
    smoothness = tuple(
        Smoothness(row.network, row.place, row.roughness, row.outcome)
        for row in rows_of(tested[tested.network.isin(learnt)])
    )
    own = [catalog.title(name) for name in run.fits]
    rows = compared[(compared.figure == "dead") & compared.network.isin(own)]
    rows, dead = rows.dropna(subset=["mean"]), None
    if len(rows):
        worst = rows.iloc[int(rows["mean"].to_numpy().argmax())]
        dead = (str(worst["network"]), str(worst["layer"]), float(worst["mean"]))
    at_chance = tuple(name for name in run.fits if name not in learnt)
    return FilterRecord(smoothness, dead, at_chance)


def filters(compared: pd.DataFrame, tested: pd.DataFrame, run: runs.Run) -> str:
    """Whether the trained filters are smoother than untrained ones, and where filters are dead."""
    return filters_text(judge_filters(compared, tested, run))


def filters_text(record: FilterRecord) -> str:
    """The record as text."""
    parts = [place_text(record, place) for place in PLACES]
    if record.at_chance:
        parts.append(f"No verdict for {titles(record.at_chance)}: not clearly above chance.")
    if record.dead and record.dead[2]:
        name, layer, share = record.dead
        parts.append(
            f"The largest share of dead filters among these layers is {percent(share)} "
            f"({name}, {layer})."
        )
    elif record.dead:
        parts.append("No filter of these layers is dead.")
    return " ".join(parts)


def place_text(record: FilterRecord, place: str) -> str:
    """The roughness in one place, and whether it is smaller than before training."""
    rows = [each for each in record.smoothness if each.place == place]
    rows = [each for each in rows if not np.isnan(each.roughness)]
    values = ", ".join(f"{catalog.title(each.network)} {each.roughness:.2f}" for each in rows)
    groups = {word: [r.network for r in rows if r.outcome == word] for word in OUTCOMES}
    outcomes = [f"{word} for {titles(names)}" for word, names in groups.items() if names]
    smoother = f"; smoother than before training: {'; '.join(outcomes)}" if rows else ""
    return (
        f"Roughness of the {place} convolution's kernels (white noise: 1): "
        f"{values or 'not measured'}{smoother}."
    )


def judge_arms(compared: pd.DataFrame, fits: Mapping[tuple[str, int], runs.Fit]) -> ArmRecord:
    """The record of the pair: ``compared`` of ``filters.compare_arms``, ``fits`` by (arm, seed)."""
    verdicts = tuple(
        ArmVerdict(
            str(row["place"]),
            float(row["penalised"]),
            float(row["unregularised"]),
            float(row["spread"]),
            float(row["low"]),
            float(row["high"]),
            int(row["n"]),
            str(row["outcome"]),
        )
        for _, row in compared.iterrows()
    )
    reached: dict[str, list[float]] = {}
    for (arm, _), fit in fits.items():
        reached.setdefault(arm, []).append(float(fit.summary["val_accuracy"]))
    accuracies = {arm: float(np.mean(values)) for arm, values in reached.items()}
    at_chance = sum(not fit_above_chance(fit) for fit in fits.values())
    return ArmRecord(verdicts, accuracies, at_chance)


def filter_pair(compared: pd.DataFrame, fits: Mapping[tuple[str, int], runs.Fit]) -> str:
    """Whether networks without regularisation have the rougher filters."""
    return arms_text(judge_arms(compared, fits))


def arms_text(record: ArmRecord) -> str:
    """The record as text."""
    reached = " and ".join(f"{percent(v)} ({arm})" for arm, v in record.accuracies.items())
    accuracies = f"The mean validation accuracies are {reached}."
    if record.at_chance:
        return (
            f"No verdict on this comparison: {record.at_chance} of its networks are not clearly "
            f"above chance. {accuracies}"
        )
    return " ".join([*(arm_text(each) for each in record.verdicts), accuracies])


def arm_text(verdict: ArmVerdict) -> str:
    """One layer's verdict as text."""
    if np.isnan(verdict.penalised) or np.isnan(verdict.unregularised):
        return f"The roughness of the {verdict.place} convolution cannot be measured."
    conclusion = {
        "yes": "rougher without regularisation, as the paper supposes",
        "no": "rougher with penalties, contrary to what the paper supposes",
        "undecided": "undecided",
    }[verdict.outcome]
    return (
        f"In the {verdict.place} convolution, roughness is {verdict.penalised:.3f} with penalties "
        f"and {verdict.unregularised:.3f} without regularisation (standard deviation over "
        f"filters {verdict.spread:.2f}); 95 % interval of the difference over {verdict.seeds} "
        f"seeds: {verdict.low:+.3f} to {verdict.high:+.3f}. Outcome: {conclusion}."
    )
