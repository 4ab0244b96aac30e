"""Errors by class (the paper's Table 3) and example images of a class (its Figure 7)."""

from collections import Counter
from collections.abc import Mapping, Sequence

import pandas as pd

from tin_lib.analysis.statistics import wilson
from tin_lib.analysis.whole_numbers import whole

PAPER_ERRORS = {  # of the paper's VGG-16, by class name: its best and worst five (Table 3)
    "goldfish": 4,
    "school bus": 6,
    "bullet train": 7,
    "monarch": 8,
    "ladybug": 8,
    "umbrella": 39,
    "punching bag": 39,
    "wooden spoon": 39,
    "syringe": 41,
    "plunger": 42,
}
PAPER_IMAGES = 50  # validation images per class in the paper


def short_names(class_ids: Sequence[str], class_names: Sequence[str]) -> dict[str, str]:
    """Wnid -> first of its WordNet names, in class order; the wnid is added to ambiguous names."""
    first = [name.split(",")[0].strip() for name in class_names]
    used = Counter(first)
    return {
        wnid: name if used[name] == 1 else f"{name} ({wnid})"
        for wnid, name in zip(class_ids, first)
    }


def per_class(predictions: pd.DataFrame, names: Mapping[str, str]) -> pd.DataFrame:
    """Count errors of every class.

    Parameters
    ----------
    predictions: columns label and predicted (wnids), one row per image; of a network or a vote.
    names: wnid -> name of all classes in class order, from ``short_names``.

    Returns
    -------
    One row per class, in class order: wnid, name, images, errors, error_rate, low, high (0..1, 95 %
    Wilson interval; NaN without images), predicted_as (class most often predicted instead; the
    first in class order for a tie; empty without errors), predicted_as_count (images), paper_errors
    (errors of 50 images by the paper's VGG-16; NaN for classes that its Table 3 does not list).
    """
    check_labels(predictions, names)
    wrong = predictions[predictions.predicted != predictions.label]
    table = pd.DataFrame({"wnid": list(names), "name": list(names.values())})
    table["images"] = _count(predictions.label, names)
    table["errors"] = _count(wrong.label, names)
    table["error_rate"] = table.errors / table.images.where(table.images > 0)
    table["low"], table["high"] = wilson(table.errors, table.images)
    instead = {
        label: _most_frequent(group, names) for label, group in wrong.groupby("label").predicted
    }
    table["predicted_as"] = [names.get(instead.get(wnid, ("", 0))[0], "") for wnid in names]
    table["predicted_as_count"] = [instead.get(wnid, ("", 0))[1] for wnid in names]
    return table.assign(paper_errors=table.name.map(PAPER_ERRORS).astype(float))


def check_labels(predictions: pd.DataFrame, names: Mapping[str, str]) -> None:
    """Raise ValueError unless all labels and predictions are in ``names``."""
    for column in ("label", "predicted"):
        unknown = set(predictions[column]) - set(names)
        if unknown:
            raise ValueError(
                f"predictions: {column} {sorted(unknown)[0]!r} is none of the {len(names)} classes;"
                " use a labelled split and the class order of the same fit"
            )


def _count(wnids: pd.Series, names: Mapping[str, str]) -> list[int]:
    return wnids.value_counts().reindex(list(names), fill_value=0).astype(int).tolist()


def _most_frequent(wnids: pd.Series, names: Mapping[str, str]) -> tuple[str, int]:
    counts = wnids.value_counts().reindex(list(names), fill_value=0)
    return str(counts.idxmax()), int(counts.max())


def best_and_worst(classes: pd.DataFrame, k: int = 5) -> pd.DataFrame:
    """The k classes with the lowest and the k with the highest error rate of a ``per_class`` table.

    Adds end (best or worst) and rank (1 is the best, or the worst). Every best class has a lower
    error rate than every worst one: with fewer than 2 k classes, or where the same rate would be in
    both lists, the lists are shorter, and empty if all classes have the same rate. Classes with the
    same rate are in class order. Raises ValueError for k < 1.
    """
    if k < 1:
        raise ValueError(f"k: at least 1 class is needed, got {k}")
    k = whole("k", k, 1)
    ranked = classes[classes.images > 0].sort_values("error_rate", kind="stable")
    k = min(k, len(ranked) // 2)
    worst = ranked.sort_values("error_rate", ascending=False, kind="stable").head(k)
    best, worst = _separated(ranked.head(k), worst)
    parts = [best.assign(end="best"), worst.assign(end="worst")]
    table = pd.concat([part.assign(rank=range(1, len(part) + 1)) for part in parts])
    return table.reset_index(drop=True)[["end", "rank", *classes.columns]]


def _separated(best: pd.DataFrame, worst: pd.DataFrame) -> tuple[pd.DataFrame, pd.DataFrame]:
    """Both lists without an error rate that is in both; a list of that rate alone keeps it."""
    shared = worst.error_rate.min()
    if not best.error_rate.max() >= shared:
        return best, worst
    lower, higher = best[best.error_rate < shared], worst[worst.error_rate > shared]
    if lower.empty and higher.empty:
        return lower, higher
    return (best if lower.empty else lower), (worst if higher.empty else higher)


def table3(
    predictions: Mapping[str, pd.DataFrame], names: Mapping[str, str], k: int = 5
) -> pd.DataFrame:
    """Table 3 for several networks or ensembles: ``best_and_worst`` with a column network."""
    parts = [
        best_and_worst(per_class(table, names), k).assign(network=network)
        for network, table in predictions.items()
    ]
    table = pd.concat(parts, ignore_index=True)
    return table[["network", *table.columns.drop("network")]]


def examples(predictions: pd.DataFrame, wnid: str, count: int = 6) -> pd.DataFrame:
    """Choose example images of a class (the paper's Figure 7).

    Returns up to ``count`` rows of each group, the most confident first: ``correct`` (of the
    class, and predicted as it), ``missed`` (of the class, predicted as another), ``false positive``
    (of another class, predicted as this one).
    Columns: group, row (of predictions, hence of the split), file, label, predicted, probability.
    """
    if wnid not in set(predictions.label):
        raise ValueError(f"wnid: no image is labelled {wnid!r}")
    table = predictions.assign(row=range(len(predictions)))
    table = table.sort_values("probability", ascending=False, kind="stable", ignore_index=True)
    of_class, found = table.label == wnid, table.predicted == wnid
    groups = {"correct": of_class & found, "missed": of_class & ~found}
    groups["false positive"] = ~of_class & found
    parts = [table[mask].head(count).assign(group=name) for name, mask in groups.items()]
    columns = ["group", "row", "file", "label", "predicted", "probability"]
    return pd.concat(parts, ignore_index=True)[columns]
