"""Errors by class, by pair of classes, by image, and by the object's bounding box.

Functions take predictions tables (columns file, label, predicted, probability; one row per image,
of a network or a vote) and return data frames.
"""

from tin_lib.analysis.errors.agreement import agreement, by_image, by_network
from tin_lib.analysis.errors.boxes import (
    PROPERTIES,
    VIEWS,
    accuracy_by_box,
    box_properties,
    box_table,
)
from tin_lib.analysis.errors.confusion import (
    cell,
    class_order,
    confusion_matrix,
    most_confused,
    mutually_confused,
)
from tin_lib.analysis.errors.label_issues import issue_images, label_issues
from tin_lib.analysis.errors.regression import box_regression
from tin_lib.analysis.errors.tables import (
    PAPER_ERRORS,
    PAPER_IMAGES,
    best_and_worst,
    examples,
    per_class,
    short_names,
    table3,
)

__all__ = [
    "PAPER_ERRORS",
    "PAPER_IMAGES",
    "PROPERTIES",
    "VIEWS",
    "accuracy_by_box",
    "agreement",
    "best_and_worst",
    "box_properties",
    "box_regression",
    "box_table",
    "by_image",
    "by_network",
    "cell",
    "class_order",
    "confusion_matrix",
    "examples",
    "issue_images",
    "label_issues",
    "most_confused",
    "mutually_confused",
    "per_class",
    "short_names",
    "table3",
]
