"""Which learning rates converge, and whether Nesterov momentum and decay prevent it."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd

from tin_lib import catalog, runs
from tin_lib.analysis.arms import AnyFit, Fits, over_seeds
from tin_lib.lab.conclusions.effects import effect, mean_and_deviation
from tin_lib.lab.conclusions.maps import fit_above_chance
from tin_lib.lab.formatting import join_and, rows

NAN = float("nan")
PAPER_RATE = 0.1  # at which the paper trained the 9-layer ConvNet
PLAIN, NESTEROV = "plain SGD", "Nesterov momentum and decay"
CLAIM = "decay and Nesterov momentum prevent the {network} from converging at the rate {rate:g}"


@dataclass(frozen=True)
class Claim:
    """Whether Nesterov momentum and decay keep a network from converging at a rate."""

    network: str
    rate: float
    outcome: str  # yes, no, undecided; untested: plain SGD does not converge in all seeds either
    converged: dict[str, tuple[int, int]]  # by optimizer: seeds that converged, and all
    compared: Any = None  # row of the comparison with plain SGD, None if there is none


@dataclass(frozen=True)
class Best:
    """The rate of the highest validation accuracy, for one network and optimizer."""

    network: str
    optimizer: str
    rate: float  # NaN if no rate converged in all seeds
    accuracy: float
    std: float
    equal: tuple[float, ...]  # converged rates that are not clearly worse


def check_rates(convnet9_rates: Sequence[float]) -> None:
    """Raise ValueError unless the paper's rate, which the closing sentence is about, is tried."""
    if not np.isclose(PAPER_RATE, convnet9_rates).any():
        raise ValueError(f"convnet9_rates={convnet9_rates}: must contain {PAPER_RATE}, the paper's")


def optimizer_of(recipe: Mapping[str, Any]) -> str:
    """The name of a recipe's optimizer: PLAIN or NESTEROV."""
    return NESTEROV if recipe["nesterov"] else PLAIN


def converged(fit: AnyFit) -> bool:
    """Whether validation is clearly above chance, and the training loss below that of guessing."""
    if not isinstance(fit, runs.Fit):
        return False
    return fit_above_chance(fit) and last_loss(fit) < np.log(len(fit.class_ids))


def last_loss(fit: AnyFit) -> float:
    """Mean training loss of the last epoch (cross-entropy, nats); NaN if the fit diverged."""
    return (
        float(fit.history()["train_loss"].iloc[-1]) if isinstance(fit, runs.Fit) else float("nan")
    )


def rate_table(fits: Fits) -> pd.DataFrame:
    """One row an arm, an arm being a network with an optimizer at one rate.

    Columns: arm, network, optimizer, rate, seeds, diverged (number), train_loss (mean over the
    seeds of the last epoch's), val_accuracy, val_std (over the seeds; without those that diverged),
    converged (number of seeds).
    """
    found = []
    for (arm, _), fit in fits.items():
        recipe, finished = fit.recipe, isinstance(fit, runs.Fit)
        row = {"arm": arm, "network": recipe["network"], "optimizer": optimizer_of(recipe)}
        row |= {"rate": recipe["lr"], "diverged": not finished, "train_loss": last_loss(fit)}
        accuracy = fit.summary["val_accuracy"] if isinstance(fit, runs.Fit) else np.nan
        found.append(row | {"val_accuracy": accuracy, "converged": converged(fit)})
    place = ["arm", "network", "optimizer", "rate"]
    table = over_seeds(
        pd.DataFrame(found),
        place,
        ["train_loss", "val_accuracy"],
        diverged=("diverged", "sum"),
        val_std=("val_accuracy", "std"),
        converged=("converged", "sum"),
    )
    figures = ["seeds", "diverged", "train_loss", "val_accuracy", "val_std", "converged"]
    return table[place + figures]


def plain_partners(table: pd.DataFrame) -> dict[str, str]:
    """For each arm with momentum, the arm of plain SGD at the same rate of the same network."""
    place = ["network", "rate"]
    plain = table[table["optimizer"] == PLAIN].set_index(place)["arm"].to_dict()
    others = rows(table[table["optimizer"] == NESTEROV])
    pairs = {row.arm: plain.get((row.network, row.rate)) for row in others}
    return {arm: partner for arm, partner in pairs.items() if partner}


def best_of_panel(table: pd.DataFrame) -> dict[str, str]:
    """For each arm, the most accurate arm of its network and optimizer; none if none converges.

    Chosen among the arms that converge with every seed.
    """
    found: dict[str, str] = {}
    for _, part in table.groupby(["network", "optimizer"], sort=False):
        learnt = part[part["converged"] == part["seeds"]]
        if len(learnt):
            best = str(learnt.sort_values("val_accuracy")["arm"].iloc[-1])
            found |= dict.fromkeys(part["arm"], best)
    return found


def judge_claim(
    table: pd.DataFrame, compared: pd.DataFrame, network: str = "convnet9", rate: float = 0.1
) -> Claim:
    """The paper's claim about its 9-layer ConvNet.

    ``table``: of ``rate_table``; ``compared``: of ``arms.compare`` against ``plain_partners``. Yes:
    plain SGD converges with every seed and the other with none, or it is clearly worse and does not
    converge with every seed. No: both converge with every seed. ValueError if the rate is not in
    the table.
    """
    part = table[(table["network"] == network) & np.isclose(table["rate"], rate)]
    by_optimizer = {row.optimizer: row for row in rows(part)}
    if by_optimizer.keys() != {PLAIN, NESTEROV}:
        raise ValueError(f"rate {rate:g} was not tried with both optimizers for {network}")
    counts = {name: (int(row.converged), int(row.seeds)) for name, row in by_optimizer.items()}
    pair = rows(compared[compared["arm"] == by_optimizer[NESTEROV].arm])
    worse = bool(pair) and pair[0].outcome == "no"
    return Claim(network, rate, outcome_of(counts, worse), counts, pair[0] if pair else None)


def outcome_of(counts: Mapping[str, tuple[int, int]], worse: bool) -> str:
    """The outcome, from the seeds that converged and whether the accuracy is clearly lower."""
    (plain, plain_seeds), (other, other_seeds) = counts[PLAIN], counts[NESTEROV]
    if plain < plain_seeds:
        return "untested"
    if other == other_seeds:
        return "no"
    return "yes" if other == 0 or worse else "undecided"


def claim_text(claim: Claim) -> str:
    """The record as text."""
    what = CLAIM.format(network=catalog.title(claim.network), rate=claim.rate)
    seeds = join_and(f"{n} of {of} seeds with {name}" for name, (n, of) in claim.converged.items())
    head = {"untested": "Undecided"}.get(claim.outcome, claim.outcome.capitalize())
    text = f"**{head}**: {what}. It converges in {seeds}."
    if claim.outcome == "untested":
        text += " A comparison at this rate needs plain SGD to converge with every seed."
    if claim.compared is not None and claim.compared.p_adjusted == claim.compared.p_adjusted:
        text += f" Difference in validation accuracy to plain SGD: {effect(claim.compared)}."
    return text


def judge_best(table: pd.DataFrame, compared: pd.DataFrame) -> tuple[Best, ...]:
    """The best rate of each network and optimizer.

    ``compared``: of ``arms.compare`` against ``best_of_panel``.
    """
    worse, chosen = set(compared.loc[compared["outcome"] == "no", "arm"]), best_of_panel(table)
    found = []
    for _, part in table.groupby(["network", "optimizer"], sort=False):
        best, learnt = chosen.get(part["arm"].iloc[0]), part[part["converged"] == part["seeds"]]
        names = str(part["network"].iloc[0]), str(part["optimizer"].iloc[0])
        if best is None:
            found.append(Best(*names, NAN, NAN, NAN, ()))
            continue
        row = rows(learnt[learnt["arm"] == best])[0]
        equal = learnt.loc[~learnt["arm"].isin({*worse, best}), "rate"]
        found.append(Best(*names, row.rate, row.val_accuracy, row.val_std, tuple(equal)))
    return tuple(found)


def best_text(best: Best) -> str:
    """One network and optimizer in words."""
    head = f"{catalog.title(best.network)}, {best.optimizer}: "
    if np.isnan(best.rate):
        return head + "no rate converges with every seed, so there is no best one."
    reached = mean_and_deviation(best.accuracy, best.std)
    text = f"{head}{best.rate:g} reaches the highest validation accuracy ({reached})"
    if best.equal:
        equal = join_and(f"{rate:g}" for rate in best.equal)
        return f"{text}; no significant difference from {equal}."
    return f"{text}; the others are clearly worse or do not converge with every seed."


def range_text(spread: pd.DataFrame, best: tuple[Best, ...]) -> str:
    """What the range tests suggest, beside the best rate tried with plain SGD.

    ``spread``: of ``lr_range.spread``, by network.
    """
    tried = {each.network: each.rate for each in best if each.optimizer == PLAIN}
    lines = []
    for name, part in spread.groupby("name", sort=False):
        by_kind = {row.kind: row for row in rows(part)}
        title, seeds = catalog.title(str(name)), by_kind["steepest"].seeds
        if not seeds:
            lines.append(f"{title}: no suggestion, the loss does not clearly fall at any rate.")
            continue
        steepest, tenth = (span(by_kind[kind]) for kind in ("steepest", "tenth"))
        best_rate = tried.get(str(name), float("nan"))
        beside = "none converges" if np.isnan(best_rate) else f"the best is {best_rate:g}"
        lines.append(
            f"{title}: the loss falls fastest at {steepest}; a tenth of the rate with the smallest "
            f"loss is {tenth} (seeds with a suggestion: {seeds}). Of the rates tried, {beside}."
        )
    return "\n".join(f"- {line}" for line in lines)


def span(row: Any) -> str:
    """Geometric mean and range over the seeds."""
    return f"{row.mean:.1e} ({row.low:.1e} to {row.high:.1e})"


def learning_rates(claim: Claim, best: tuple[Best, ...], spread: pd.DataFrame) -> str:
    """The notebook's closing text."""
    by_network = "\n".join(f"- {best_text(each)}" for each in best)
    return (
        f"{claim_text(claim)}\n\nThe best rates:\n\n{by_network}\n\n"
        f"The range test suggests:\n\n{range_text(spread, best)}"
    )
