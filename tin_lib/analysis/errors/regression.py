"""Logistic regression of a right answer on the box's properties, and what it says of the paper."""

from collections.abc import Iterable

import numpy as np
import pandas as pd

from tin_lib.analysis.errors.boxes import PROPERTIES, VIEWS
from tin_lib.analysis.statistics import logistic
from tin_lib.lab.formatting import listed

# Property -> (unit of the odds ratio, sign of the coefficient by the paper's explanation). The
# paper does not name boxes that reach the border; they stand for objects cut off.
TERMS = {
    "area": ("twice the area", 1),
    "elongation": ("twice the elongation", -1),
    "distance": ("10 pixels further from the centre", -1),
    "cut": ("reaching the border", -1),
}
ESTIMATES = ["coefficient", "se", "low", "high", "odds_ratio", "odds_low", "odds_high"]
COLUMNS = ["view", "model", "property", "unit", "expected", "images", "classes", *ESTIMATES, "note"]
FEWEST_CLASSES = 20  # to compare classes by; with fewer, cluster-robust intervals are too narrow


def terms(table: pd.DataFrame) -> pd.DataFrame:
    """Regressors of a ``box_table``: log2 area, log2 elongation, distance / 10, cut; (N, 4)."""
    columns = {
        "area": np.log2(table.area),
        "elongation": np.log2(table.elongation),
        "distance": table.distance / 10,
        "cut": table.cut,
    }
    return pd.DataFrame(columns)


def box_regression(table: pd.DataFrame, level: float = 0.95) -> pd.DataFrame:
    """Regress a right answer on the properties of a ``box_table``, for each of ``boxes.VIEWS``.

    - all images: the properties and an intercept.
    - within classes: an intercept for each class (fixed effects), so that only images of the same
      class are compared. Classes that are all right or all wrong tell nothing and drop out.
    - across classes: the class means of the properties in place of the image's own, and at least 20
      classes: do classes with such boxes fare worse?

    Each with two models: ``alone``, one property at a time, which is what the paper claims; and
    ``together``, all four at once, which tells whether it is that property or one that goes with
    it (thin boxes are small ones, too).

    Intervals are cluster-robust, classes as clusters (``statistics.logistic``). Columns: view,
    model, property, unit, expected (of the odds ratio, by the paper's explanation: above or below
    1), images, classes, coefficient, se, low, high, odds_ratio, odds_low, odds_high, note.
    Where there is no estimate, those are NaN and note says why.
    """
    parts = [_view(table, view, level) for view in VIEWS]
    return pd.concat(parts, ignore_index=True)


def _view(table: pd.DataFrame, view: str, level: float) -> pd.DataFrame:
    table = _informative(table) if view == "within classes" else table
    x = _regressors(table, view)
    varying = _varying(x, table, view)
    alone = [_fitted(x[[name]], table, view, level) for name in varying]
    parts = {"alone": pd.concat(alone) if alone else _no_estimates("")}
    parts["together"] = _fitted(x[varying], table, view, level)
    result = pd.concat([_complete(part).assign(model=name) for name, part in parts.items()])
    result = result.assign(view=view, images=len(table), classes=table.wnid.nunique())
    return result[COLUMNS]


def _complete(estimates: pd.DataFrame) -> pd.DataFrame:
    """One row for each property, also those without an estimate."""
    units = [
        (name, unit, "above 1" if sign > 0 else "below 1") for name, (unit, sign) in TERMS.items()
    ]
    table = pd.DataFrame(units, columns=["property", "unit", "expected"])
    table = table.merge(estimates, on="property", how="left")
    return table.assign(note=table.note.fillna("the property does not vary"))


def _informative(table: pd.DataFrame) -> pd.DataFrame:
    """Without the classes whose images are all right or all wrong."""
    share = table.groupby("wnid").correct.transform("mean")
    return table[(share > 0) & (share < 1)].reset_index(drop=True)


def _regressors(table: pd.DataFrame, view: str) -> pd.DataFrame:
    x = terms(table)
    return x.groupby(table.wnid).transform("mean") if view == "across classes" else x


def _varying(x: pd.DataFrame, table: pd.DataFrame, view: str) -> list[str]:
    """The columns with any variation to compare by: within a class where classes are fixed."""
    if view == "within classes":
        x = x - x.groupby(table.wnid).transform("mean")
    return [str(name) for name in x.columns if len(x) and np.ptp(x[name]) > 1e-9]


def _fitted(x: pd.DataFrame, table: pd.DataFrame, view: str, level: float) -> pd.DataFrame:
    """Estimates by property, with NaN and a note where there are none."""
    classes = table.wnid.nunique()
    if view == "across classes" and classes < FEWEST_CLASSES:
        note = f"{classes} classes are too few to compare ({FEWEST_CLASSES} are needed)"
        return _no_estimates(note, x.columns)
    design = pd.concat([x, _intercepts(table, view)], axis=1)
    try:
        fit = logistic(design, table.correct.to_numpy(), table.wnid.to_numpy())
    except ValueError as error:
        return _no_estimates(str(error), x.columns)
    estimates = fit.table(level).rename(columns={"term": "property"})
    return estimates[estimates.property.isin(x.columns)].assign(note="")


def _no_estimates(note: str, properties: Iterable[str] = ()) -> pd.DataFrame:
    table = pd.DataFrame({"property": list(properties)}, dtype=str)
    return table.assign(**dict.fromkeys(ESTIMATES, float("nan"))).assign(note=note)


def _intercepts(table: pd.DataFrame, view: str) -> pd.DataFrame:
    if view == "within classes":
        return pd.get_dummies(table.wnid, dtype=np.float64)
    return pd.DataFrame({"intercept": np.ones(len(table))})


def judge(row: pd.Series) -> str:
    """agree, disagree or undecided: where the interval lies of zero, by the paper's sign."""
    sign = TERMS[row.property][1]
    if np.isnan(row.low) or row.low <= 0 <= row.high:
        return "undecided"
    return "agree" if np.sign(row.coefficient) == sign else "disagree"


def verdict(regression: pd.DataFrame, binned: pd.DataFrame | None = None) -> list[str]:
    """Say in plain words whether the data agree with the paper's explanation, view by view.

    ``regression``: by ``box_regression``. ``binned``: rows of ``accuracy_by_box`` for any of the
    views; where given, a detail names the accuracy at both ends of the property's range.
    """
    judged = regression.assign(judgement=[judge(row) for _, row in regression.iterrows()])
    sentences = []
    for view, rows in judged.groupby("view", sort=False):
        sentences.append(_summary(str(view), rows))
        for name, pair in rows.groupby("property", sort=False):
            sentences.append(f"- {PROPERTIES[str(name)].split(' (')[0]}: {_detail(pair, binned)}.")
    return sentences


def _summary(view: str, rows: pd.DataFrame) -> str:
    if rows.coefficient.isna().all():
        return f"{view.capitalize()}: undecided, since {rows.note.iloc[0]}."
    alone, together = (_sorted(rows[rows.model == model]) for model in ("alone", "together"))
    return (
        f"{view.capitalize()}: one property at a time, the data {alone}; "
        f"with the others held equal, they {together}."
    )


def _sorted(rows: pd.DataFrame) -> str:
    """Which properties agree with the paper, which do not, and which are open."""
    said = {"agree": "agree with the explanation on", "disagree": "contradict it on"}
    said["undecided"] = "leave open"
    names = {word: listed(rows.property[rows.judgement == word]) for word in said}
    return ", ".join(f"{text} {names[word]}" for word, text in said.items() if names[word])


def _detail(pair: pd.DataFrame, binned: pd.DataFrame | None) -> str:
    """Both models' odds ratios of one property in one view."""
    alone, together = pair.iloc[0], pair.iloc[1]
    if np.isnan(alone.low) and np.isnan(together.low):
        return f"undecided, since {alone.note}"
    return (
        f"for {alone.unit}, the odds of a right answer are {_odds(alone)} alone, "
        f"{_odds(together)} with the others held equal" + _ends(alone, binned)
    )


def _odds(row: pd.Series) -> str:
    if np.isnan(row.low):
        return f"unknown ({row.note})"
    return f"× {row.odds_ratio:.2f} ({row.odds_low:.2f} to {row.odds_high:.2f}, {row.judgement})"


def _ends(row: pd.Series, binned: pd.DataFrame | None) -> str:
    if binned is None:
        return ""
    rows = binned[(binned["view"] == row["view"]) & (binned.property == row.property)]
    if rows.empty:
        return ""
    first, last = rows.iloc[0].accuracy, rows.iloc[-1].accuracy
    return f"; accuracy {first:.3f} in the lowest bin, {last:.3f} in the highest"
