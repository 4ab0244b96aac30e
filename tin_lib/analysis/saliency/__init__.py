"""Explanations of predictions: maps, the paper's three views of them, and tests of their worth."""

from tin_lib.analysis.saliency.evaluation import Evaluation, evaluate
from tin_lib.analysis.saliency.images import ExplainedImages, images_to_explain
from tin_lib.analysis.saliency.methods import (
    METHODS,
    explain,
    methods_for,
    parse_methods,
    predicted_classes,
    unavailable,
)
from tin_lib.analysis.saliency.sanity_checks import parameter_randomisation
from tin_lib.analysis.saliency.views import (
    VIEWS,
    absolute,
    figure5_rows,
    full_strength,
    negative,
    overlay,
    positive,
    preprocessed,
    to_uint8,
)

__all__ = [
    "METHODS",
    "VIEWS",
    "Evaluation",
    "ExplainedImages",
    "absolute",
    "evaluate",
    "explain",
    "figure5_rows",
    "full_strength",
    "images_to_explain",
    "methods_for",
    "negative",
    "overlay",
    "parameter_randomisation",
    "parse_methods",
    "positive",
    "predicted_classes",
    "preprocessed",
    "to_uint8",
    "unavailable",
]
