"""Notebook 06."""

from typing import Any

import pandas as pd

from tin_lib.lab.exercises.marking import mark


def three_voters(answer: Any, accuracy: float = 0.6) -> str:
    """Probability that at least two of three independent networks are right."""
    look = (
        "Add the probability that all three are right and three times the probability that two "
        "given ones are right and the third is wrong."
    )
    return mark(answer, accuracy**3 + 3 * accuracy**2 * (1 - accuracy), look, within=0.005)


def one_of_two(answer: Any, mistakes: pd.DataFrame) -> str:
    """Images that exactly one of the first two networks gets right."""
    first, second = (mistakes.iloc[:, column] for column in (0, 1))
    look = "Compare the first two columns of `mistakes`, and count the rows where they differ."
    return mark(answer, int((first != second).sum()), look)


def best_of_any(answer: Any, mistakes: pd.DataFrame) -> str:
    """Share, 0..1, of the images that at least one network gets right."""
    look = (
        "Find the rows of `mistakes` in which all columns are True; the others are images that "
        "at least one network gets right. Divide their number by the number of rows."
    )
    return mark(answer, 1 - float(mistakes.all(axis=1).mean()), look, within=0.001)
