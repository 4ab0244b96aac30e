"""Plotly figures: each function takes a table or an array and returns a figure."""

from tin_lib.lab.figures import (
    boxes,
    data,
    ensemble,
    errors,
    experiments,
    filters,
    images,
    saliency,
    training,
)

__all__ = ["boxes", "data", "ensemble", "errors", "experiments", "filters", "images"]
__all__ += ["saliency", "training"]
