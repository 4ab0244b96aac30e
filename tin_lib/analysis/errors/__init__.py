"""Where the networks fail: by class, by pair of classes, by image, and by the object's box.

Functions take predictions tables (columns file, label, predicted, probability; one row an image, of
any network or ensemble) and return data frames.
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
    near_diagonal,
)
from tin_lib.analysis.errors.label_issues import disagreements, duplicates, label_issues, pictures
from tin_lib.analysis.errors.regression import box_regression, verdict
from tin_lib.analysis.errors.tables import (
    PAPER_ERRORS,
    PAPER_IMAGES,
    best_and_worst,
    gallery,
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
    "disagreements",
    "duplicates",
    "gallery",
    "label_issues",
    "most_confused",
    "mutually_confused",
    "near_diagonal",
    "per_class",
    "pictures",
    "short_names",
    "table3",
    "verdict",
]
