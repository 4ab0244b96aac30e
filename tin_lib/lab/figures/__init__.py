"""Plotly figures: a table or an array in, a figure out; one module a topic."""

from tin_lib.lab.figures import boxes, data, ensemble, errors, filters, images, saliency, training

__all__ = ["boxes", "data", "ensemble", "errors", "filters", "images"]
__all__ += ["saliency", "training"]
