"""Sentences for the notebooks, made from the numbers of a run (Markdown text)."""

from tin_lib.lab.conclusions.classes import class_errors, mistakes, named_prediction
from tin_lib.lab.conclusions.images import audit, data, normalisation, technique_counts
from tin_lib.lab.conclusions.inside import filter_pair, filters
from tin_lib.lab.conclusions.maps import saliency
from tin_lib.lab.conclusions.training import (
    beside_paper,
    overfitting,
    penalty_share,
    recipe_table,
    training,
)
from tin_lib.lab.conclusions.votes import ensemble
from tin_lib.lab.formatting import percent

__all__ = [
    "audit",
    "beside_paper",
    "class_errors",
    "data",
    "ensemble",
    "filter_pair",
    "filters",
    "mistakes",
    "named_prediction",
    "normalisation",
    "overfitting",
    "penalty_share",
    "percent",
    "recipe_table",
    "saliency",
    "technique_counts",
    "training",
]
