"""Closing sentences about class errors and boxes."""

import numpy as np
import pandas as pd
from error_toys import names, planted

from tin_lib.analysis import errors
from tin_lib.lab.conclusions.classes import (
    BoxVerdict,
    ClassRecord,
    class_errors_text,
    explanation,
    judge_boxes,
    judge_class_errors,
)

NAN = float("nan")


def classes(wrong: list[int], taken: list[int] | None = None, images: int = 10) -> pd.DataFrame:
    """Per-class errors; ``taken``: of these for thing 3."""
    named = names(len(wrong))
    table = pd.DataFrame({"wnid": list(named), "name": list(named.values())})
    table["images"], table["errors"], table["predicted_as_count"] = images, wrong, taken or wrong
    table["error_rate"] = table.errors / images
    return table.assign(predicted_as=["thing 3" if count else "" for count in wrong])


NO_PAIRS = pd.DataFrame(columns=["label_name", "predicted_name", "count", "images"])


ISSUES = pd.DataFrame([("val", "a"), ("val", "a"), ("train", "a")], columns=["split", "file"])


REGRESSION = pd.DataFrame(
    [
        (view, model, name, 0.1, outcome, "")
        for view in errors.VIEWS
        for model in ("alone", "together")
        for name, outcome in zip(errors.PROPERTIES, ("yes", "no", "undecided", "yes"))
    ],
    columns=["view", "model", "property", "coefficient", "outcome", "note"],
)


def judged(table: pd.DataFrame, pairs: pd.DataFrame = NO_PAIRS) -> ClassRecord:
    return judge_class_errors("vgg16", table, pairs, REGRESSION, ISSUES)


def test_class_errors_with_one_at_each_end() -> None:
    pairs = pd.DataFrame(
        [("thing 3", "thing 1", 4, 10), ("thing 1", "thing 3", 2, 10)], columns=NO_PAIRS.columns
    )
    record = judged(classes([1, 5, 6, 9]), pairs)
    assert record.above_chance
    assert (record.best, record.best_rate) == (("thing 0",), 0.1)
    assert (record.worst, record.worst_rate) == (("thing 3",), 0.9)
    assert record.predicted_as == "thing 3"
    assert (record.confused, record.confused_images) == ((("thing 3", "thing 1"),), 4)
    assert record.issues == 2
    assert judged(classes([1, 5, 6, 9], [1, 1, 1, 4])).predicted_as == ""


def test_class_errors_that_tie_and_a_network_without_errors() -> None:
    record = judged(classes([0] * 7 + [3, 3]))
    assert record.best == tuple(f"thing {number}" for number in range(7))
    assert record.worst == ("thing 7", "thing 8")
    assert record.predicted_as == ""
    perfect = judged(classes([0, 0]))
    assert (perfect.best, perfect.worst, perfect.confused) == ((), (), ())
    assert perfect.best_rate == 0
    text = class_errors_text(perfect)
    assert "; all classes have the same error rate, 0.0 %." in text
    assert "No image is predicted as another class" in text


def test_confusions_that_tie() -> None:
    pairs = pd.DataFrame([("a", "b", 1, 9), ("b", "a", 1, 9)], columns=NO_PAIRS.columns)
    assert judged(classes([1, 2]), pairs).confused == (("a", "b"), ("b", "a"))


def test_a_network_at_chance_gets_no_verdict_on_classes_and_boxes() -> None:
    record = judged(classes([9] * 9 + [8]))
    assert not record.above_chance
    text = class_errors_text(record)
    assert "No verdicts" in text
    assert "explanation" not in text
    # always naming the class that has most images is chance, too
    largest = classes([0] + [10] * 9)
    largest.loc[0, "images"] = 90
    assert not judged(largest).above_chance


def test_box_verdicts_hold_outcomes_or_a_plain_reason() -> None:
    first = judge_boxes(REGRESSION)[0]
    assert (first.view, first.model, first.reason) == ("all images", "alone", "")
    assert first.outcomes == dict(zip(errors.PROPERTIES, ("yes", "no", "undecided", "yes")))
    few = REGRESSION.assign(coefficient=NAN, outcome="undecided", note="too few classes (10 < 20)")
    assert {verdict.reason for verdict in judge_boxes(few)} == {"too few classes (10 < 20)"}
    assert len(explanation(judge_boxes(few))) == 1  # one reason for all: one line
    mixed = judge_boxes(pd.concat([few[:4], REGRESSION[4:]]))
    assert [verdict.reason != "" for verdict in mixed] == [True, False, False, False, False, False]
    lines = explanation((BoxVerdict("within classes", "alone", first.outcomes, ""), mixed[0]))
    assert len(lines) == 3


def test_the_box_section_works_without_boxes() -> None:
    predictions, boxes = planted({}, classes=3, per_class=10)
    boxed = errors.box_table(predictions, np.full_like(boxes, -1))
    verdicts = judge_boxes(errors.box_regression(boxed))
    assert {verdict.reason for verdict in verdicts} == {"the images have no bounding boxes"}
    assert "no bounding boxes" in explanation(verdicts)[0]
