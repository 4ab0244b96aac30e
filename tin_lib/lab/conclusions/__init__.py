"""The notebooks' closing texts, as Markdown.

``judge_…`` decides and returns a small record of verdicts and numbers; ``…_text`` formats it.
"""

from tin_lib.lab.conclusions.classes import (
    class_errors,
    mistakes,
    named_prediction,
    selected_network,
)
from tin_lib.lab.conclusions.images import audit, data, normalisation, technique_counts
from tin_lib.lab.conclusions.inside import filter_pair, filters
from tin_lib.lab.conclusions.maps import resolution, saliency
from tin_lib.lab.conclusions.training import penalty_share, recipe_table, training
from tin_lib.lab.conclusions.votes import ensemble

__all__ = [
    "audit",
    "class_errors",
    "data",
    "ensemble",
    "filter_pair",
    "filters",
    "mistakes",
    "named_prediction",
    "normalisation",
    "penalty_share",
    "recipe_table",
    "resolution",
    "saliency",
    "selected_network",
    "technique_counts",
    "training",
]
