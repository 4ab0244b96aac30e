"""Notebook 09."""

from typing import Any

import pandas as pd

from tin_lib.analysis.statistics import wilson
from tin_lib.lab.exercises.marking import mark


def accuracy_from_counts(answer: Any, counts: pd.DataFrame) -> str:
    """Accuracy, 0..1, from a confusion matrix."""
    look = (
        "Correct predictions are on the diagonal, where label and prediction are the same. Divide "
        "their sum by the sum of the whole matrix."
    )
    cells = counts.to_numpy()
    return mark(answer, float(cells.trace() / cells.sum()), look, within=0.001)


def no_errors(answer: Any, classes: pd.DataFrame) -> str:
    """Upper end, 0..1, of Wilson's interval for no errors among the first class's images."""
    look = (
        "The upper end is z² / (n + z²) with z = 1.96; n is the number of images of the class, "
        "`classes.images.iloc[0]`."
    )
    return mark(answer, float(wilson(0, classes.images.iloc[0])[1]), look, within=0.005)


def odds_of_a_unit(answer: Any, accuracy: float = 0.5, ratio: float = 0.5) -> str:
    """Accuracy, 0..1, after one more unit of a property with an odds ratio."""
    odds = ratio * accuracy / (1 - accuracy)
    look = (
        "Odds are accuracy / (1 − accuracy), here 1. Multiply them by the odds ratio; the new "
        "accuracy is odds / (1 + odds)."
    )
    return mark(answer, odds / (1 + odds), look, within=0.005)
