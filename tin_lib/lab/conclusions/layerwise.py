"""Whether layer-wise pre-training serves a network better than the same updates from scratch."""

from collections.abc import Mapping
from typing import Any

import pandas as pd

from tin_lib.analysis.layerwise import PAPER
from tin_lib.lab.conclusions.effects import mean_and_deviation, outcome_sentence
from tin_lib.lab.formatting import join_and, percent, rows

LAYERWISE, SCRATCH = "layer-wise", "from scratch"
CLAIM = (
    "layer-wise pre-training ({kind}) gives a more accurate network than the same number of "
    "updates from scratch"
)


def arm(way: str, kind: str) -> str:
    """Name of an arm: a way of training (LAYERWISE or SCRATCH) and a kind of recipe."""
    return f"{way}, {kind}"


def partners(kinds: Mapping[str, Any]) -> dict[str, str]:
    """For the layer-wise arm of each kind of recipe, the arm from scratch."""
    return {arm(LAYERWISE, kind): arm(SCRATCH, kind) for kind in kinds}


def columns(kinds: Mapping[str, Any]) -> dict[str, str]:
    """The kind of recipe of each arm: its panel in the figure."""
    return {arm(way, kind): kind for kind in kinds for way in (LAYERWISE, SCRATCH)}


def reached(table: pd.DataFrame) -> str:
    """The validation accuracy of every arm, with the standard deviation over its seeds."""
    found = []
    for row in rows(table):
        lost = f", {row.diverged} diverged" if row.diverged else ""
        figures = mean_and_deviation(row.val_accuracy, row.val_std)
        found.append(f"{row.arm}: {figures}{lost}" if row.seeds else f"{row.arm}: diverged")
    return f"Validation accuracies, mean and standard deviation over the seeds: {'; '.join(found)}."


def outcomes(table: pd.DataFrame) -> str:
    """One sentence for each kind of recipe, of ``arms.compare`` against ``partners``."""
    tested = rows(table[table["against"] != ""])
    kinds = [row.arm.removeprefix(f"{LAYERWISE}, ") for row in tested]
    claims = [CLAIM.format(kind=kind) for kind in kinds]
    lines = [outcome_sentence(claim, row) for claim, row in zip(claims, tested, strict=True)]
    return "\n".join(f"- {line}" for line in lines)


def by_stage(stages: pd.DataFrame) -> str:
    """Where in the chain the accuracy comes from, of ``layerwise.stage_table``."""
    found = []
    for name, part in stages.groupby("arm", sort=False):
        each = rows(part)
        first, last = each[0], each[-1]
        best = max(each, key=lambda row: row.val_accuracy)
        text = f"{name}: {percent(first.val_accuracy)} after the first stage"
        text += f", {percent(last.val_accuracy)} after the last"
        if best.stage != last.stage:
            text += f", the highest ({percent(best.val_accuracy)}) after stage {best.stage}"
        found.append(text)
    return f"By stage, {'; '.join(found)}."


def time(stages: pd.DataFrame, scratch: pd.DataFrame) -> str:
    """Seconds of training of chains and of fits from scratch (of ``arms.by_fit``)."""
    chains = stages.groupby("arm", sort=False)["seconds"].sum()
    whole = scratch.groupby("arm", sort=False)["seconds"].mean()
    parts = [f"{name} {seconds:.1f} s" for name, seconds in [*chains.items(), *whole.items()]]
    return (
        f"Training one network took {join_and(parts)} (without evaluation; fits ran in parallel)."
    )


def layerwise(table: pd.DataFrame, stages: pd.DataFrame, scratch: pd.DataFrame) -> str:
    """The notebook's closing text.

    ``table``: of ``arms.compare`` over the last fits of the chains and the fits from scratch;
    ``stages``: of ``layerwise.stage_table``; ``scratch``: of ``arms.by_fit``, from scratch.
    """
    paper = (
        f"The paper's network without dropout, penalties and augmentation reached a validation "
        f"accuracy of {percent(PAPER['layer-wise'])} with layer-wise pre-training and "
        f"{percent(PAPER['plain'])} with standard training (one run each)."
    )
    return "\n\n".join(
        [outcomes(table), reached(table), by_stage(stages), time(stages, scratch), paper]
    )
