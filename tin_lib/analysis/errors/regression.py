"""Logistic regression of a right answer on the box's properties: the paper's explanation tested."""

from typing import Any

import numpy as np
import pandas as pd

from tin_lib.analysis.errors.boxes import VIEWS
from tin_lib.analysis.statistics import above_chance, decide, holm

# Property -> (unit of the odds ratio, sign of the coefficient that the paper's explanation
# predicts). The paper does not name boxes that reach the border; they indicate cut-off objects.
TERMS = {
    "area": ("twice the area", 1),
    "elongation": ("twice the elongation", -1),
    "distance": ("10 pixels further from the centre", -1),
    "cut": ("reaching the border", -1),
}
ESTIMATES = ["coefficient", "se", "low", "high", "p", "odds_ratio", "odds_low", "odds_high"]
CONTEXT = ["view", "model", "property", "unit", "expected", "images", "classes"]
COLUMNS = [*CONTEXT, *ESTIMATES, "p_adjusted", "outcome", "note"]
MODELS = ("alone", "together")
CONSTANT, NO_BOXES = "the property does not vary", "the images have no bounding boxes"
ALPHA = 0.05


def terms(table: pd.DataFrame) -> pd.DataFrame:
    """Regressors of a ``box_table``: log2 area, log2 elongation, distance / 10, cut; (N, 4)."""
    columns = {
        "area": np.log2(table.area),
        "elongation": np.log2(table.elongation),
        "distance": table.distance / 10,
        "cut": table.cut,
    }
    return pd.DataFrame(columns)


def box_regression(table: pd.DataFrame) -> pd.DataFrame:
    """Regress a right answer on the properties of a ``box_table``, for each of ``boxes.VIEWS``.

    - all images: the properties and an intercept.
    - within classes: conditional logistic regression, which compares only images of the same class.
      Classes that are all right or all wrong carry no information and are left out.
    - across classes: the class means of the properties instead of the image's own.

    Each with two models: ``alone``, one property at a time, which is the paper's claim, and
    ``together``, all four at once, which separates a property from those it is correlated with.

    Intervals (95 %) are cluster-robust, classes as clusters. All images and across classes need 20
    classes for them; within fewer classes the intervals are those of the model.

    Columns: view, model, property, unit, expected (of the odds ratio, by the paper's explanation:
    above or below 1), images, classes, coefficient, se, low, high, p, odds_ratio, odds_low,
    odds_high, p_adjusted (Holm, over all tests of the table), outcome (does the data support the
    explanation: yes, no or undecided; undecided if the accuracy is not clearly above chance), note
    (why there is no estimate; then all figures are NaN).
    """
    result = pd.concat([_view(table, view) for view in VIEWS], ignore_index=True)
    result["p_adjusted"] = holm(result.p)
    result["outcome"] = "undecided"
    if _above_chance(table):
        result["outcome"] = [_outcome(row) for row in result.itertuples()]
    return result[COLUMNS]


def _above_chance(table: pd.DataFrame) -> bool:
    sizes = table.wnid.value_counts()
    return above_chance(int(table.correct.sum()), len(table), len(sizes), max(sizes, default=0))


def _outcome(row: Any) -> str:
    """Whether the effect has the sign that the explanation predicts."""
    if not row.p_adjusted < ALPHA:
        return "undecided"
    effect = row.coefficient * TERMS[row.property][1]
    return decide(effect, effect)


def _view(table: pd.DataFrame, view: str) -> pd.DataFrame:
    """One row for each model and property."""
    used = _informative(table) if view == "within classes" else table
    x = _regressors(used, view)
    varying = _varying(x, used, view)
    found = {("alone", name): _fitted(x[[name]], used, view)[name] for name in varying}
    together = _fitted(x[varying], used, view) if varying else {}
    found |= {("together", name): row for name, row in together.items()}
    absent = {"note": _nothing_to_compare(table, used)}
    rows = [
        {"view": view, "model": model, "property": name, "unit": unit}
        | {"expected": "above 1" if sign > 0 else "below 1"}
        | {"images": len(used), "classes": used.wnid.nunique()}
        | found.get((model, name), absent)
        for model in MODELS
        for name, (unit, sign) in TERMS.items()
    ]
    return pd.DataFrame(rows, columns=[*CONTEXT, *ESTIMATES, "note"])


def _nothing_to_compare(table: pd.DataFrame, used: pd.DataFrame) -> str:
    """Why a property has no estimate where it does not vary among the images used."""
    from tin_lib.analysis.logit import one_outcome

    if table.empty:
        return NO_BOXES
    return CONSTANT if len(used) else one_outcome(table.correct.to_numpy(bool))


def _informative(table: pd.DataFrame) -> pd.DataFrame:
    """The classes that have both right and wrong answers."""
    share = table.groupby("wnid").correct.transform("mean")
    return table[(share > 0) & (share < 1)].reset_index(drop=True)


def _regressors(table: pd.DataFrame, view: str) -> pd.DataFrame:
    x = terms(table)
    return x.groupby(table.wnid).transform("mean") if view == "across classes" else x


def _varying(x: pd.DataFrame, table: pd.DataFrame, view: str) -> list[str]:
    """The columns that vary among the images compared: within a class, if classes are fixed."""
    if view == "within classes":
        x = x - x.groupby(table.wnid).transform("mean")
    return [str(name) for name in x.columns if len(x) and np.ptp(x[name]) > 1e-9]


def _fitted(x: pd.DataFrame, table: pd.DataFrame, view: str) -> dict[str, Any]:
    """Estimates by property, or a note that says why there are none."""
    from tin_lib.analysis.logit import NoEstimate, conditional_logit, logistic

    correct, classes = table.correct.to_numpy(bool), table.wnid.to_numpy(str)
    fit = conditional_logit if view == "within classes" else logistic
    try:
        estimates = fit(x, correct, classes).table().set_index("term").T
    except NoEstimate as reason:
        return {str(name): {"note": str(reason)} for name in x.columns}
    return {str(name): {**estimates[name].to_dict(), "note": ""} for name in x.columns}
