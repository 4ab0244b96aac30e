"""Confusion matrix, a class order that shows groups, and the most confused pairs."""

from collections.abc import Mapping

import numpy as np
import pandas as pd

from tin_lib.analysis.errors.tables import check_labels
from tin_lib.analysis.statistics import wilson
from tin_lib.analysis.whole_numbers import whole


def confusion_matrix(predictions: pd.DataFrame, names: Mapping[str, str]) -> pd.DataFrame:
    """Count images by label (rows) and prediction (columns), int (C, C), wnids in class order."""
    check_labels(predictions, names)
    order = list(names)
    counts = pd.crosstab(predictions.label, predictions.predicted)
    counts = counts.reindex(index=order, columns=order, fill_value=0).astype(np.int64)
    return counts.rename_axis(index="label", columns="predicted")


def cell(predictions: pd.DataFrame, label: str, predicted: str) -> pd.DataFrame:
    """The images of one cell, the most confident first: all columns, and row (in the split)."""
    table = predictions.assign(row=range(len(predictions)))
    chosen = table[(table.label == label) & (table.predicted == predicted)]
    return chosen.sort_values("probability", ascending=False, kind="stable", ignore_index=True)


def class_order(counts: pd.DataFrame) -> list[str]:
    """Order classes so that classes with similar confusions are neighbours.

    Average-linkage clustering of the cosine distances between the classes' confusions in both
    directions, with optimal leaf ordering (Bar-Joseph et al. 2001). ``counts``: (C, C) from
    ``confusion_matrix``. Returns the C wnids.
    """
    from scipy.cluster.hierarchy import leaves_list, linkage
    from scipy.spatial.distance import squareform

    if len(counts) < 3:
        return list(counts.index)
    distances = squareform(_distances(counts.to_numpy(np.float64)), checks=False)
    leaves = leaves_list(linkage(distances, "average", optimal_ordering=True))
    return [counts.index[leaf] for leaf in leaves]


def _distances(counts: np.ndarray) -> np.ndarray:
    """1 - cosine similarity of symmetrised confusion profiles, float64 (C, C), zero diagonal."""
    shares = counts / np.maximum(counts.sum(axis=1, keepdims=True), 1)
    profiles = shares + shares.T
    lengths = np.linalg.norm(profiles, axis=1, keepdims=True)
    profiles = profiles / np.where(lengths > 0, lengths, 1)
    distances = np.clip(1 - profiles @ profiles.T, 0, None)
    np.fill_diagonal(distances, 0)
    return distances


def most_confused(counts: pd.DataFrame, names: Mapping[str, str], k: int = 20) -> pd.DataFrame:
    """The k most frequent confusions in one direction: a label and its wrong prediction.

    Columns: label, predicted (wnids), label_name, predicted_name, count, images (of the label),
    share (count / images), low, high (0..1, 95 % Wilson interval). Pairs that never occur are left
    out; ties are in class order.
    """
    k = whole("k", k, 1)
    table = counts.reset_index(names="label").melt(
        "label", var_name="predicted", value_name="count"
    )
    table["images"] = table.label.map(counts.sum(axis=1))
    table = table[(table.label != table.predicted) & (table["count"] > 0)]
    table = table.assign(share=table["count"] / table.images)
    table = table.sort_values("share", ascending=False, kind="stable", ignore_index=True).head(k)
    low, high = wilson(table["count"], table.images)
    table = table.assign(low=low, high=high)
    table.insert(2, "label_name", table.label.map(names))
    table.insert(3, "predicted_name", table.predicted.map(names))
    return table


def mutually_confused(counts: pd.DataFrame, names: Mapping[str, str], k: int = 20) -> pd.DataFrame:
    """The k pairs of classes most often predicted as each other, at least once in each direction.

    Ranked by the smaller of the two shares, then by their sum. Columns: first, second (wnids),
    first_name, second_name, forth, back (images of the first predicted as the second, and the
    reverse), forth_share, back_share (0..1, of the label's images).
    """
    k = whole("k", k, 1)
    matrix = counts.to_numpy()
    shares = matrix / np.maximum(matrix.sum(axis=1, keepdims=True), 1)
    i, j = np.nonzero(np.triu((matrix > 0) & (matrix.T > 0), k=1))
    ids = counts.index.to_numpy()
    table = pd.DataFrame({"first": ids[i], "second": ids[j]})
    table["first_name"], table["second_name"] = (
        table["first"].map(names),
        table["second"].map(names),
    )
    table = table.assign(forth=matrix[i, j], back=matrix[j, i])
    table = table.assign(forth_share=shares[i, j], back_share=shares[j, i])
    both = table[["forth_share", "back_share"]]
    ranked = np.lexsort((-both.sum(axis=1), -both.min(axis=1)))
    return table.iloc[ranked[:k]].reset_index(drop=True)
