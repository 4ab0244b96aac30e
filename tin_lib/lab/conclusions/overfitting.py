"""What reduces overfitting most, and whether a small network overfits less."""

from collections.abc import Hashable, Sequence
from dataclasses import dataclass

import numpy as np
import pandas as pd

from tin_lib import runs
from tin_lib.analysis import statistics
from tin_lib.analysis.arms import Fits, check_parameters, finished, over_seeds
from tin_lib.analysis.statistics import Comparison
from tin_lib.lab.conclusions.effects import effect, points
from tin_lib.lab.conclusions.maps import fit_above_chance
from tin_lib.lab.formatting import count_noun, join_and, percent, rows
from tin_lib.recipes.base import RANGES

NAN = float("nan")
HEADS = {"yes": "**Yes**", "no": "**No**", "undecided": "**Undecided**"}


@dataclass(frozen=True)
class Impact:
    """Whether augmentation changes accuracy more than any other step."""

    outcome: str  # yes, no or undecided
    helps: str  # yes, no or undecided: is it better than the plain network?
    added: str  # is adding it worth more than adding any other step?
    removed: str  # does taking it away cost more than taking away any other step?
    rows: tuple  # of all these comparisons


@dataclass(frozen=True)
class Growth:
    """Whether the gap between training and validation accuracy grows with a network's width."""

    outcome: str  # yes, no, undecided; untested where a width is at chance
    slope: float  # accuracy (0..1) per doubling of the width, mean over the seeds
    widest: Comparison  # gap of the widest minus that of the narrowest network, over the seeds
    widths: tuple[float, float]  # the narrowest and the widest


def check_widths(vgg_widths: Sequence[float]) -> None:
    """Raise ValueError unless these are two or more different widths that recipes take."""
    low, high = RANGES["width"]
    check_parameters(vgg_widths=vgg_widths)
    if len(vgg_widths) < 2 or min(vgg_widths) < low or max(vgg_widths) > high:
        raise ValueError(f"vgg_widths={vgg_widths}: give at least two, from {low} to {high}")


def changes_of_gap(fits: Fits, reference: dict[str, str]) -> pd.DataFrame:
    """How much each arm's gap differs from that of the arm it is compared with, over the seeds.

    Columns: arm, against, difference (of the gaps, training - validation accuracy), low, high
    (95 %, paired t), p, p_adjusted (Holm over the table), seeds, outcome: is the gap larger? yes,
    no or undecided.
    """
    gaps = gap_by_seed(fits)
    pairs = [(arm, against) for arm, against in reference.items() if arm != against]
    tests = [paired_gaps(gaps, arm, against) for arm, against in pairs]
    adjusted = statistics.holm([test.p for test in tests])
    names = zip(pairs, tests, adjusted, strict=True)
    found = [
        {"arm": arm, "against": against, "difference": test.mean, "low": test.low}
        | {"high": test.high, "p": test.p, "p_adjusted": p, "seeds": test.n}
        | {"outcome": statistics.verdict(test, p)}
        for (arm, against), test, p in names
    ]
    return pd.DataFrame(found)


def gap_by_seed(fits: Fits) -> dict[str, dict[Hashable, float]]:
    """Training - validation accuracy by arm and seed, of the fits that did not diverge."""
    gaps: dict[str, dict[Hashable, float]] = {}
    for (arm, seed), fit in finished(fits).items():
        gaps.setdefault(arm, {})[seed] = gap_of(fit)
    return gaps


def gap_of(fit: runs.Fit) -> float:
    """Training - validation accuracy; both are measured after training, on unchanged images."""
    return float(fit.summary["train_accuracy"] - fit.summary["val_accuracy"])


def paired_gaps(gaps: dict[str, dict[Hashable, float]], arm: str, against: str) -> Comparison:
    """The gaps of two arms, paired by seed."""
    own, other = gaps.get(arm, {}), gaps.get(against, {})
    seeds = [seed for seed in own if seed in other]
    return statistics.paired_difference([own[s] for s in seeds], [other[s] for s in seeds])


def judge_impact(table: pd.DataFrame, arm: str) -> Impact:
    """Whether augmentation is the step with the largest effect.

    ``table``: of ``arms.corrected``: ``arm``, the one with augmentation alone, against the plain
    network; the other single steps against it; and the arms without one of the other steps against
    the arm without augmentation. Yes: augmentation helps, every other single step is worse than it,
    and without it every other combination is better. No: it makes the network worse, another single
    step is better, or another one is missed more.
    """
    (own,) = rows(table[table["arm"] == arm])
    others = rows(table[table["against"] == arm])
    without = rows(table[(table["arm"] != arm) & (table["against"] != arm)])
    first = together([row.outcome for row in others], "no")
    second = together([row.outcome for row in without], "yes")
    outcome = "yes" if (own.outcome, first, second) == ("yes", "yes", "yes") else "undecided"
    outcome = "no" if "no" in (own.outcome, first, second) else outcome
    return Impact(outcome, own.outcome, first, second, (own, *others, *without))


def together(outcomes: list[str], wanted: str) -> str:
    """yes if all outcomes are as wanted, no if one is the opposite, else undecided."""
    if outcomes and all(outcome == wanted for outcome in outcomes):
        return "yes"
    return "no" if any(o not in (wanted, "undecided") for o in outcomes) else "undecided"


def impact_text(impact: Impact) -> str:
    """The record as text."""
    words = "of all steps, augmentation has the largest effect on validation accuracy"
    lines = [
        f"- {row.arm} against {row.against}: {effect(row)}"
        if row.p_adjusted == row.p_adjusted
        else f"- {row.arm} against {row.against}: not tested, both at chance level"
        for row in impact.rows
    ]
    return (
        f"{HEADS[impact.outcome]}: {words}. Better than the plain network: {impact.helps}; better "
        f"than every other single step: {impact.added}; larger loss when removed than every "
        f"other: {impact.removed}. The comparisons:\n\n" + "\n".join(lines)
    )


def width_table(fits: Fits) -> pd.DataFrame:
    """One row a width of the same network, from narrow to wide.

    Columns: width, parameters, seeds, train_accuracy, val_accuracy, gap (means over the seeds),
    gap_std, above_chance (seeds that clearly are). Fits that diverged are left out.
    """
    found = []
    for fit in finished(fits).values():
        row = {"width": float(fit.recipe["width"]), "gap": gap_of(fit)}
        names = ("parameters", "train_accuracy", "val_accuracy")
        row |= {name: fit.summary[name] for name in names}
        found.append(row | {"above_chance": fit_above_chance(fit)})
    table = over_seeds(
        pd.DataFrame(found),
        ["width"],
        ["gap", "train_accuracy", "val_accuracy"],
        parameters=("parameters", "first"),
        gap_std=("gap", "std"),
        above_chance=("above_chance", "sum"),
    )
    columns = ["width", "parameters", "seeds", "train_accuracy", "val_accuracy", "gap", "gap_std"]
    return table.sort_values("width", ignore_index=True)[[*columns, "above_chance"]]


def gap_slopes(fits: Fits) -> pd.Series:
    """Slope of the gap over log2 of the width, accuracy per doubling, by seed (at least 2 widths).

    Seeds with a fit that diverged are left out.
    """
    done = finished(fits)
    lost = {seed for arm, seed in fits if (arm, seed) not in done}
    seeds = [seed for seed in dict.fromkeys(seed for _, seed in fits) if seed not in lost]
    found = {}
    for seed in seeds:
        own = [fit for (_, other), fit in done.items() if other == seed]
        widths = np.log2([fit.recipe["width"] for fit in own])
        found[seed] = np.polyfit(widths, [gap_of(fit) for fit in own], 1)[0]
    return pd.Series(found, dtype=float)


def judge_growth(fits: Fits, table: pd.DataFrame) -> Growth:
    """Whether the gap grows with the width, by the widest against the narrowest network.

    ``fits``: of one network by (arm, seed), an arm being a width; ``table``: of ``width_table``.
    """
    by_width: dict[float, dict[Hashable, float]] = {}
    for (_, seed), fit in finished(fits).items():
        by_width.setdefault(float(fit.recipe["width"]), {})[seed] = gap_of(fit)
    narrow, wide = min(by_width), max(by_width)
    seeds = [seed for seed in by_width[wide] if seed in by_width[narrow]]
    gaps = [[by_width[width][seed] for seed in seeds] for width in (wide, narrow)]
    test = statistics.paired_difference(*gaps)
    learnt = bool((table["above_chance"] == table["seeds"]).all())
    outcome = statistics.verdict(test, test.p) if learnt else "untested"
    return Growth(outcome, float(gap_slopes(fits).mean()), test, (narrow, wide))


def growth_text(growth: Growth, table: pd.DataFrame) -> str:
    """The record as text; ``table``: of ``width_table``."""
    head = HEADS.get(growth.outcome, HEADS["undecided"])
    test, (narrow, wide) = growth.widest, growth.widths
    gaps = join_and(
        f"{points(row.gap)} at width {row.width:g} ({row.parameters:,} parameters, validation "
        f"accuracy {percent(row.val_accuracy)})"
        for row in rows(table)
    )
    known = test.low == test.low
    interval = f"95 % interval {100 * test.low:.1f} to {100 * test.high:.1f}"
    interval = interval if known else "no interval"  # of a single seed
    text = (
        f"{head}: the gap grows with the width of the VGG-like network. It is {gaps}; the slope is "
        f"{points(growth.slope)} per doubling of the width. Width {wide:g} minus width {narrow:g}: "
        f"{points(test.mean)}, {interval} over {count_noun(test.n, 'seed')}."
    )
    if growth.outcome == "untested":
        text += " No verdict: not every network is clearly above chance."
    return text


def overfitting(impact: Impact, growth: Growth, widths: pd.DataFrame) -> str:
    """The notebook's closing text; ``widths``: of ``width_table``."""
    return f"{impact_text(impact)}\n\n{growth_text(growth, widths)}"
