"""Notebook 01."""

from typing import Any

import numpy as np

from tin_lib import augment
from tin_lib.data import TinyImageNet
from tin_lib.lab.exercises.marking import mark


def black_pixel(answer: Any, images: TinyImageNet) -> str:
    """The red value of a black pixel, normalised."""
    look = (
        "The red value is 0. Subtract the mean of the red channel from it, then divide by the "
        "standard deviation; both are in the table under Normalisation."
    )
    return mark(answer, float(-images.mean[0] / images.std[0]), look, within=0.02)


def always_one_class(answer: Any, images: TinyImageNet) -> str:
    """Validation accuracy, 0..1, of always predicting the most frequent class."""
    look = (
        "Count the validation images of each class (np.bincount) and divide the largest count by "
        "the number of validation images."
    )
    counts = np.bincount(images.val.labels)
    return mark(answer, float(counts.max() / counts.sum()), look, within=0.001)


def unchanged_of_100(answer: Any, epoch: augment.EpochPlan) -> str:
    """Of 100 images of an epoch, how many are unchanged."""
    look = (
        "For N images there are N unchanged ones and 5 × N / 3 copies. Divide the first number by "
        "the sum of both, and multiply by 100."
    )
    unchanged = epoch.technique == augment.Technique.NONE
    return mark(answer, float(100 * unchanged.double().mean()), look, within=0.5)
