"""Explanations of predictions: maps, the paper's three views of them, and tests of their worth."""

from tin_lib.analysis.saliency.evaluate import Subjects, evaluate, subjects
from tin_lib.analysis.saliency.methods import METHODS, explain, listed
from tin_lib.analysis.saliency.sanity_checks import randomisation
from tin_lib.analysis.saliency.views import (
    VIEWS,
    absolute,
    five,
    full_strength,
    negative,
    overlay,
    positive,
    preprocessed,
    to_uint8,
)
from tin_lib.lab.widgets.saliency.static import write_static_browser

__all__ = [
    "METHODS",
    "VIEWS",
    "Subjects",
    "absolute",
    "evaluate",
    "explain",
    "five",
    "full_strength",
    "listed",
    "negative",
]
__all__ += ["overlay", "positive", "preprocessed", "randomisation", "subjects", "to_uint8"]
__all__ += ["write_static_browser"]
