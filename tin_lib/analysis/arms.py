"""Experiments: arms of several fits with the same seeds, compared on the same images."""

import math
from collections.abc import Hashable, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from tin_lib import files, networks, runs
from tin_lib.analysis import statistics
from tin_lib.analysis.statistics import Comparison
from tin_lib.recipes import Recipe

DIVERGED = "diverged.json"
NAN = float("nan")
ALPHA = 0.05  # of Holm-adjusted p-values
TESTED = ["against", "paired", "difference", "low", "high", "p", "p_adjusted", "outcome"]


@dataclass(frozen=True, eq=False)
class DivergedFit:
    """The folder of a fit whose loss became infinite or NaN, read lazily."""

    path: Path

    @cached_property
    def record(self) -> dict[str, Any]:
        """What was recorded: epoch, message, and the history of the epochs before."""
        return files.read_object(self.path / DIVERGED)

    @cached_property
    def recipe(self) -> dict[str, Any]:
        """The recipe's fields."""
        return files.read_object(self.path / "recipe.json")

    @property
    def epoch(self) -> int:
        """The epoch in which the loss ceased to be finite."""
        return int(self.record["epoch"])

    @property
    def message(self) -> str:
        """The error message."""
        return str(self.record["message"])

    def history(self) -> pd.DataFrame:
        """One row for each epoch before, as ``runs.Fit.history`` gives them; may be empty."""
        return pd.DataFrame(self.record["history"])


AnyFit = runs.Fit | DivergedFit
Key = tuple[str, Hashable]  # arm and seed
Fits = Mapping[Key, AnyFit]


def check_parameters(**given: Any) -> None:
    """Raise ValueError, naming the parameter, unless each is a whole number of at least 1, or a
    list of numbers above 0, each once."""
    for name, value in given.items():
        if isinstance(value, list | tuple):
            plain = all(isinstance(each, int | float) and 0 < each < math.inf for each in value)
            fits, what = plain and 0 < len(value) == len(set(value)), "numbers above 0, each once"
        else:
            fits = isinstance(value, int) and not isinstance(value, bool) and value >= 1
            what = "a whole number of at least 1"
        if not fits:
            raise ValueError(f"{name}={value!r}: must be {what}")


def unregularised(recipe: Recipe) -> Recipe:
    """The recipe without dropout, penalties, weight decay, smoothing or mixing; the rest stays.

    Dropout is switched off by the network's option of that name, if it has one.
    """
    off = {"dropout": 0.0} if "dropout" in networks.options(recipe.network) else {}
    zero = dict.fromkeys(("weight_decay", "label_smoothing", "mixup", "cutmix"), 0.0)
    options = recipe.network_options | off
    return recipe.replace(network_options=options, penalties="none", **zero)


def correct(fit: runs.Fit, split: str = "val") -> np.ndarray:
    """Whether the fit is right, bool (N,), image by image in the order of the split."""
    table = fit.predictions(split)
    return (table["label"] == table["predicted"]).to_numpy()


def finished(fits: Fits) -> dict[Key, runs.Fit]:
    """The fits that did not diverge."""
    return {key: fit for key, fit in fits.items() if isinstance(fit, runs.Fit)}


def by_fit(fits: Fits) -> pd.DataFrame:
    """One row a fit.

    Columns: arm, seed, train_accuracy and val_accuracy (0..1, NaN if it diverged), gap (training -
    validation accuracy), epochs, seconds (of training), diverged_in (epoch, NaN if it did not
    diverge), fit (name of its folder).
    """
    rows = []
    for (arm, seed), fit in fits.items():
        row: dict[str, Any] = {"arm": arm, "seed": seed}
        if isinstance(fit, runs.Fit):
            row |= {name: fit.summary[name] for name in ("train_accuracy", "val_accuracy")}
            row |= {"gap": row["train_accuracy"] - row["val_accuracy"]}
            row |= {name: fit.summary[name] for name in ("epochs", "seconds")}
        else:
            row |= {"diverged_in": fit.epoch}
        rows.append(row | {"fit": fit.path.name})
    columns = ["arm", "seed", "train_accuracy", "val_accuracy", "gap", "epochs", "seconds"]
    return pd.DataFrame(rows).reindex(columns=[*columns, "diverged_in", "fit"])


def compare(fits: Fits, reference: str | Mapping[str, str]) -> pd.DataFrame:
    """Compare arms by validation accuracy, on the same seeds and images.

    ``reference``: the arm that all others are compared with, or one for each arm (an arm without
    an entry is not compared). Fits that diverged are left out of means and comparisons; two arms
    that are both not clearly above chance are not tested.

    Returns one row an arm: arm, seeds (of its finished fits), diverged (number of the others),
    train_accuracy, val_accuracy, val_std (standard deviation over the seeds), gap (training -
    validation accuracy), gap_std, against (the other arm), paired (number of seeds that both have),
    difference (of the validation accuracies), low, high (95 %), p
    (``statistics.crossed_difference``), p_adjusted (Holm, over the table), outcome (better than the
    other arm? yes, no or undecided; "" where nothing is compared).
    Raises ValueError for fits of other validation images.
    """
    done = finished(fits)
    check_images(done)
    values = {key: correct(fit) for key, fit in done.items()}
    tested = compare_values(values, reference, above_chance(done, values)).set_index("arm")
    rows = []
    for arm, part in by_fit(fits).groupby("arm", sort=False):
        row = {"arm": arm, "seeds": int(part["val_accuracy"].count())}
        row |= {"diverged": int(part["diverged_in"].count())}
        row |= {name: part[name].mean() for name in ("train_accuracy", "val_accuracy")}
        row |= {"val_std": part["val_accuracy"].std(), "gap": part["gap"].mean()}
        rows.append(row | {"gap_std": part["gap"].std()})
    table = pd.DataFrame(rows).join(tested[TESTED], on="arm")
    table["paired"] = table["paired"].fillna(0).astype(int)
    return table.assign(**{name: table[name].fillna("") for name in ("against", "outcome")})


def over_seeds(
    fits: pd.DataFrame, by: Sequence[str], means: Sequence[str], **others: Any
) -> pd.DataFrame:
    """A table of fits summarised over their seeds, in the order of the fits.

    ``by``: the columns that tell the rows of the summary apart. Returns them, seeds (number of
    fits), the means of the columns ``means``, and ``others``: (column, function) by name, as in
    pandas' named aggregation, e.g. ``val_std=("val_accuracy", "std")``.
    """
    averages = {name: pd.NamedAgg(name, "mean") for name in means}
    groups = fits.groupby(list(by), sort=False)
    return groups.agg(seeds=(means[0], "size"), **averages, **others).reset_index()


def check_images(fits: Mapping[Key, runs.Fit]) -> None:
    """Raise ValueError, naming a fit, unless all have the same validation images and classes."""
    first: runs.Fit | None = None
    for fit in fits.values():
        first = first or fit
        if (fit.class_ids, fit.meta["fingerprint"]) != (first.class_ids, first.meta["fingerprint"]):
            raise ValueError(f"{fit.path} was made from other data than {first.path}")


def above_chance(fits: Mapping[Key, runs.Fit], values: Mapping[Key, np.ndarray]) -> set[str]:
    """The arms whose mean number of correct images is clearly above chance."""
    found = set()
    for arm in dict.fromkeys(arm for arm, _ in fits):
        rows = [values[key] for key in fits if key[0] == arm]
        classes = next(len(fit.class_ids) for key, fit in fits.items() if key[0] == arm)
        if statistics.above_chance(round(float(np.sum(rows)) / len(rows)), len(rows[0]), classes):
            found.add(arm)
    return found


def compare_values(
    values: Mapping[Key, np.ndarray],
    reference: str | Mapping[str, str],
    worth_testing: set[str] | None = None,
) -> pd.DataFrame:
    """Compare arms by any measure of images, on the same seeds and images.

    ``values``: (N,) values by (arm, seed), of the same N images. ``worth_testing``: a comparison is
    only made if at least one of its arms is among these; None: all are. Columns: arm, seeds, mean,
    std (of the seeds' means), and from ``against`` as in ``compare``.
    """
    by_arm: dict[str, dict[Hashable, np.ndarray]] = {}
    for (arm, seed), row in values.items():
        by_arm.setdefault(arm, {})[seed] = np.asarray(row, float)
    others = dict.fromkeys(by_arm, reference) if isinstance(reference, str) else reference
    rows, tests = [], []
    for arm, own in by_arm.items():
        means = pd.Series([row.mean() for row in own.values()])
        rows.append({"arm": arm, "seeds": len(own), "mean": means.mean(), "std": means.std()})
        other = others.get(arm, arm)
        known = worth_testing is None or {arm, other} & worth_testing
        tests.append(paired(own, by_arm.get(other, {})) if other != arm and known else None)
        rows[-1]["against"] = other if other != arm else ""
        shared = own.keys() & by_arm.get(other, {}).keys()
        rows[-1]["paired"] = len(shared) if other != arm else 0
    return with_outcomes(pd.DataFrame(rows), tests)


def paired(own: Mapping[Hashable, np.ndarray], other: Mapping[Hashable, np.ndarray]) -> Comparison:
    """Compare two arms on the seeds that both have."""
    seeds = [seed for seed in own if seed in other]
    if not seeds:
        return Comparison(NAN, NAN, NAN, NAN, 0)
    a, b = (np.stack([arm[seed] for seed in seeds]) for arm in (own, other))
    return statistics.crossed_difference(a, b)


def with_outcomes(table: pd.DataFrame, tests: list[Comparison | None]) -> pd.DataFrame:
    """``table`` with its tests (None: nothing was compared), corrected over all of them."""
    adjusted = statistics.holm([test.p if test else NAN for test in tests])
    pairs = list(zip(tests, adjusted, strict=True))
    compared = table["against"] != ""
    table = table.assign(
        **{
            name: [getattr(test, key) if test else NAN for test in tests]
            for name, key in (("difference", "mean"), ("low", "low"), ("high", "high"), ("p", "p"))
        },
        p_adjusted=adjusted,
        outcome=[statistics.verdict(test, p) if test else "undecided" for test, p in pairs],
    )
    return table.assign(outcome=table["outcome"].where(compared, ""))


def corrected(*tables: pd.DataFrame) -> pd.DataFrame:
    """The compared rows of several tables as one, with Holm's correction and outcomes over all."""
    table = pd.concat([each[each["against"] != ""] for each in tables], ignore_index=True)
    table["p_adjusted"] = statistics.holm(table["p"])
    better = table["difference"].map(lambda mean: statistics.decide(mean, mean))
    return table.assign(outcome=better.where(table["p_adjusted"] < ALPHA, "undecided"))
