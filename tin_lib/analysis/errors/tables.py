"""Errors by class (the paper's Table 3) and example images of a class (its Figure 7)."""

from collections import Counter
from collections.abc import Mapping, Sequence

import pandas as pd

from tin_lib import catalog
from tin_lib.analysis.statistics import wilson

PAPER_ERRORS = catalog.BEST_CLASSES | catalog.WORST_CLASSES  # name -> errors
PAPER_IMAGES = 50  # of a class, on which the paper counts them


def short_names(class_ids: Sequence[str], class_names: Sequence[str]) -> dict[str, str]:
    """Wnid -> first of its WordNet names, in class order; a name used twice has the wnid added."""
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
    predictions: columns label and predicted (wnids), one row an image; of any network or ensemble.
    names: wnid -> name of all classes in class order, by ``short_names``.

    Returns
    -------
    One row a class, in class order: wnid, name, images, errors, error_rate, low, high (0..1, 95 %
    Wilson interval; NaN without images), taken_for (name most often given instead; the first in
    class order of several; empty without errors), taken_count, paper_errors (VGG-16's of 50 images
    in Table 3, for all 200 classes; NaN for classes not in it).
    """
    check_labels(predictions, names)
    wrong = predictions[predictions.predicted != predictions.label]
    table = pd.DataFrame({"wnid": list(names), "name": list(names.values())})
    table["images"] = _count(predictions.label, names)
    table["errors"] = _count(wrong.label, names)
    table["error_rate"] = table.errors / table.images.where(table.images > 0)
    table["low"], table["high"] = wilson(table.errors, table.images)
    taken = {label: _commonest(group, names) for label, group in wrong.groupby("label").predicted}
    table["taken_for"] = [names.get(taken.get(wnid, ("", 0))[0], "") for wnid in names]
    table["taken_count"] = [taken.get(wnid, ("", 0))[1] for wnid in names]
    return table.assign(paper_errors=table.name.map(PAPER_ERRORS).astype(float))


def check_labels(predictions: pd.DataFrame, names: Mapping[str, str]) -> None:
    """Raise ValueError unless all labels and predictions are known classes."""
    for column in ("label", "predicted"):
        unknown = set(predictions[column]) - set(names)
        if unknown:
            raise ValueError(
                f"predictions: {column} {sorted(unknown)[0]!r} is none of the {len(names)} classes;"
                " use a labelled split and the class order of the same fit"
            )


def _count(wnids: pd.Series, names: Mapping[str, str]) -> list[int]:
    return wnids.value_counts().reindex(list(names), fill_value=0).astype(int).tolist()


def _commonest(wnids: pd.Series, names: Mapping[str, str]) -> tuple[str, int]:
    counts = wnids.value_counts().reindex(list(names), fill_value=0)
    return str(counts.idxmax()), int(counts.max())


def best_and_worst(classes: pd.DataFrame, k: int = 5) -> pd.DataFrame:
    """The k classes with the lowest and the k with the highest error rate of a ``per_class`` table.

    Adds end (best or worst) and rank (1 is the best, or the worst). Classes with the same rate
    stand in class order among the best, and in the opposite order among the worst, so that none
    stands in both. Raises ValueError where 2 k exceeds the number of classes with images.
    """
    ranked = classes[classes.images > 0].sort_values("error_rate", kind="stable")
    if not 1 <= k <= len(ranked) // 2:
        raise ValueError(f"k: {k} best and {k} worst do not fit into {len(ranked)} classes")
    worst = ranked.iloc[::-1].head(k)  # from the other end of one order: no class stands in both
    parts = [ranked.head(k).assign(end="best"), worst.assign(end="worst")]
    table = pd.concat([part.assign(rank=range(1, k + 1)) for part in parts], ignore_index=True)
    return table[["end", "rank", *classes.columns]]


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


def gallery(predictions: pd.DataFrame, wnid: str, count: int = 6) -> pd.DataFrame:
    """Choose images that show how a class fares (the paper's Figure 7).

    Returns up to ``count`` rows of each group, the most confident first: ``right`` (of the class
    and found), ``wrong`` (of the class, taken for another), ``taken for it`` (of another class).
    Columns: group, row (of predictions, hence of the split), file, label, predicted, probability.
    """
    if wnid not in set(predictions.label):
        raise ValueError(f"wnid: no image is labelled {wnid!r}")
    table = predictions.assign(row=range(len(predictions)))
    table = table.sort_values("probability", ascending=False, kind="stable", ignore_index=True)
    of_class, found = table.label == wnid, table.predicted == wnid
    wrong, taken = of_class & ~found, ~of_class & found
    groups = {"right": of_class & found, "wrong": wrong, "taken for it": taken}
    parts = [table[mask].head(count).assign(group=name) for name, mask in groups.items()]
    columns = ["group", "row", "file", "label", "predicted", "probability"]
    return pd.concat(parts, ignore_index=True)[columns]
