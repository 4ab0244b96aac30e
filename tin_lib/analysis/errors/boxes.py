"""Accuracy against properties of the object's bounding box.

The paper explains the hard classes by small, thin and off-centre objects. This module computes the
properties and the accuracy in bins of them; ``errors.regression`` separates their effects.
"""

import numpy as np
import pandas as pd

from tin_lib.analysis.arrays import real
from tin_lib.analysis.statistics import wilson

SIDE = 64  # pixels
PROPERTIES = {
    "area": "box area (share of the image)",
    "elongation": "elongation (long side / short side)",
    "distance": "distance of the centres of box and image (pixels)",
    "cut": "box reaches the image's border",
}
BINNED = ("start", "end", "images", "accuracy", "low", "high")
VIEWS = ("all images", "within classes", "across classes")


def box_properties(boxes: np.ndarray) -> pd.DataFrame:
    """Properties of boxes, int (N, 4) x0, y0, x1, y1 inclusive pixels of a 64×64 image.

    Columns: area (share of the image, 0..1), elongation (long side / short side, from 1), distance
    (between the centres of box and image, pixels, 0..45), cut (0 or 1: the box reaches the border,
    so that the object may be cut off). NaN without a box (-1).
    """
    boxes = real("boxes", boxes).reshape(-1, 4)
    boxes = np.where((boxes >= 0).all(axis=1, keepdims=True), boxes, np.nan)
    sides = boxes[:, 2:] - boxes[:, :2] + 1
    if (sides < 1).any() or (boxes >= SIDE).any():
        raise ValueError(f"boxes: expected x0 <= x1 and y0 <= y1 within 0..{SIDE - 1}, or -1")
    offset = (boxes[:, 2:] + boxes[:, :2]) / 2 - (SIDE - 1) / 2
    cut = (boxes[:, :2] == 0).any(axis=1) | (boxes[:, 2:] == SIDE - 1).any(axis=1)
    properties = {
        "area": sides.prod(axis=1) / SIDE**2,
        "elongation": sides.max(axis=1) / sides.min(axis=1),
        "distance": np.hypot(*offset.T),
        "cut": np.where(np.isnan(sides[:, 0]), np.nan, cut),
    }
    return pd.DataFrame(properties)


def box_table(predictions: pd.DataFrame, boxes: np.ndarray) -> pd.DataFrame:
    """Join predictions with their boxes, rows in the same order; images without a box are left out.

    Columns: row, wnid (the label), correct (bool), and the four of ``box_properties``. Empty for
    data without boxes. Raises ValueError if the lengths differ.
    """
    if len(predictions) != len(boxes):
        raise ValueError(
            f"boxes: {len(boxes)} for {len(predictions)} predictions; take both from one split"
        )
    correct = (predictions.predicted == predictions.label).to_numpy(bool)
    start = {"row": range(len(boxes)), "wnid": predictions.label.to_numpy(), "correct": correct}
    table = pd.concat([pd.DataFrame(start), box_properties(boxes)], axis=1).dropna()
    return table.reset_index(drop=True)


def accuracy_by_box(table: pd.DataFrame, view: str = "all images", bins: int = 5) -> pd.DataFrame:
    """Accuracy in ``bins`` bins of each property of a ``box_table``.

    ``view`` is what is compared:

    - all images: bins of equal numbers of images.
    - within classes: the images of each class are ranked and cut into equal bins, so that every bin
      holds the same number of images of each class and the classes' difficulty cancels. ``cut``
      cannot be ranked and is left to the regression.
    - across classes: classes, by the mean of their boxes.

    Columns: view, property, bin (0..), start, end (smallest and largest value of the property, or
    of the class mean), images, accuracy, low, high (0..1); no rows for an empty table. The 95 %
    Wilson interval uses the effective number of images, since images of a class are not independent
    (Kish's design effect); within classes it uses the number of images.
    """
    if view not in VIEWS:
        raise ValueError(f"view: {view!r} is not one of {', '.join(VIEWS)}")
    if bins < 2:
        raise ValueError(f"bins: at least 2 are needed, got {bins}")
    names = [name for name in PROPERTIES if view != "within classes" or name != "cut"]
    parts = [_binned(table, name, view, bins) for name in names if len(table)]
    if not parts:
        return pd.DataFrame(columns=["view", "property", "bin", *BINNED])
    return pd.concat(parts, ignore_index=True)


def _binned(table: pd.DataFrame, name: str, view: str, bins: int) -> pd.DataFrame:
    values = table[name]
    if view == "across classes":
        values = values.groupby(table.wnid).transform("mean")
    rows = [
        _row(table[codes], values[codes], clustered=view != "within classes")
        for codes in _bins(table, values, view, bins)
    ]
    result = pd.DataFrame(rows)
    result.insert(0, "view", view)
    result.insert(1, "property", name)
    result.insert(2, "bin", range(len(rows)))
    return result


def _bins(table: pd.DataFrame, values: pd.Series, view: str, bins: int) -> list[pd.Series]:
    """Row masks of the bins that are not empty, in ascending order."""
    if view == "within classes":
        # Ties are split in file order: bins of equal size matter more here than exact edges.
        codes = _cut(values.groupby(table.wnid).rank(method="first", pct=True), bins)
    elif view == "across classes":
        means = values.groupby(table.wnid).first()
        codes = table.wnid.map(_cut(means.rank(method="first", pct=True), bins))
    elif values.nunique() <= 2:
        codes = values  # yes or no
    else:
        codes = pd.qcut(values, bins, labels=False, duplicates="drop")
    return [codes == code for code in sorted(codes.unique())]


def _cut(ranks: pd.Series, bins: int) -> pd.Series:
    """Bin numbers 0..bins-1 of ranks in 0..1; a rank on an edge belongs to the bin below."""
    return (ranks * bins - 1e-9).apply(np.ceil) - 1  # 1e-9 against rounding up


def _row(images: pd.DataFrame, values: pd.Series, clustered: bool) -> dict[str, float]:
    accuracy = float(images.correct.mean())
    count = effective_count(images) if clustered else float(len(images))
    low, high = wilson(accuracy * count, count)
    row = {"start": float(values.min()), "end": float(values.max()), "images": len(images)}
    return row | {"accuracy": accuracy, "low": float(low), "high": float(high)}


def effective_count(images: pd.DataFrame) -> float:
    """Number of independent images that would give the same standard error of the accuracy.

    ``images``: columns wnid and correct. Kish's design effect is the variance of the mean with
    classes as clusters over the binomial variance. At most the number of images.
    """
    n, p = len(images), images.correct.mean()
    sums = (images.correct - p).groupby(images.wnid).sum()
    groups = len(sums)
    variance = groups / max(groups - 1, 1) * float((sums**2).sum()) / n**2
    return float(min(n, p * (1 - p) / variance)) if variance > 0 else float(n)
