"""The paper's explanation by boxes: geometry by hand, planted effects found, absent ones not."""

import error_toys as toys
import hypothesis.strategies as st
import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings

from tin_lib.analysis import errors
from tin_lib.analysis.errors.boxes import effective_count
from tin_lib.analysis.logit import logistic
from tin_lib.analysis.statistics import holm, wilson


def test_box_properties_by_hand() -> None:
    boxes = np.array([[0, 0, 63, 63], [10, 20, 19, 24], [63, 0, 63, 0], [-1, -1, -1, -1]])
    properties = errors.box_properties(boxes.astype(np.int16))
    assert properties.area.tolist()[:3] == [1.0, 50 / 4096, 1 / 4096]
    assert properties.elongation.tolist()[:3] == [1.0, 2.0, 1.0]
    assert properties.distance.tolist()[:3] == pytest.approx(
        [0, np.hypot(17, 9.5), 31.5 * np.sqrt(2)]
    )
    assert properties.cut.tolist()[:3] == [1, 0, 1]
    assert properties.iloc[3].isna().all()


@pytest.mark.parametrize("box", [[5, 5, 4, 9], [0, 0, 64, 10]])
def test_impossible_boxes_are_refused(box: list[int]) -> None:
    with pytest.raises(ValueError, match="x0 <= x1"):
        errors.box_properties(np.array([box]))


@given(st.tuples(*[st.integers(0, 63)] * 4))
@settings(deadline=None)
def test_box_properties_stay_in_range_and_ignore_mirroring(box: tuple[int, ...]) -> None:
    x0, x1 = sorted(box[:2])
    y0, y1 = sorted(box[2:])
    boxes = np.array([[x0, y0, x1, y1], [63 - x1, y0, 63 - x0, y1], [y0, x0, y1, x1]])
    properties = errors.box_properties(boxes)
    assert properties.area.between(1 / 4096, 1).all()
    assert properties.elongation.between(1, 64).all()
    assert properties.distance.between(0, 45).all()
    for turned in (1, 2):
        assert properties.iloc[turned].tolist() == pytest.approx(properties.iloc[0].tolist())


def test_box_table_joins_by_row_and_leaves_out_images_without_a_box() -> None:
    predictions, boxes = toys.planted({}, classes=3, per_class=4)
    boxes[5] = -1
    table = errors.box_table(predictions, boxes)
    assert table.row.tolist() == [0, 1, 2, 3, 4, 6, 7, 8, 9, 10, 11]
    expected = (predictions.label == predictions.predicted).tolist()
    assert table.correct.tolist() == [expected[row] for row in table.row]
    with pytest.raises(ValueError, match="one split"):
        errors.box_table(predictions, boxes[1:])


def test_data_without_boxes_has_no_estimates_and_says_why() -> None:
    predictions, boxes = toys.planted({}, classes=3, per_class=4)
    table = errors.box_table(predictions, np.full_like(boxes, -1))
    assert table.empty
    assert errors.accuracy_by_box(table).empty
    rows = errors.box_regression(table)
    assert len(rows) == 24
    assert set(rows.note) == {"the images have no bounding boxes"}
    assert set(rows.outcome) == {"undecided"}


@pytest.mark.parametrize("view", errors.VIEWS)
def test_bins_hold_every_image_once(view: str) -> None:
    table = errors.box_table(*toys.planted({}))
    binned = errors.accuracy_by_box(table, view, bins=4)
    for name, rows in binned.groupby("property"):
        assert rows.images.sum() == len(table), name
        overall = (rows.images * rows.accuracy).sum() / len(table)
        assert overall == pytest.approx(table.correct.mean())
    assert (binned.low <= binned.accuracy).all()
    assert (binned.accuracy <= binned.high).all()
    assert (binned.start <= binned.end).all()


def test_within_classes_every_bin_holds_all_classes_alike() -> None:
    """Small boxes in hard classes only: no effect within classes, a strong one across."""
    rng = np.random.default_rng(0)
    truth = np.repeat(np.arange(30), 50)
    side = rng.integers(0, 10, len(truth)) + truth  # the box's size grows with the class number
    boxes = np.stack([0 * side, 0 * side, side, side], axis=1)
    predictions = toys.predictions(truth, 0.1 + 0.8 * truth / 30, list(toys.names()), rng)
    table = errors.box_table(predictions, boxes)
    rise = {}
    for view in errors.VIEWS:
        area = errors.accuracy_by_box(table, view).query("property == 'area'")
        rise[view] = area.accuracy.iloc[-1] - area.accuracy.iloc[0]
    assert rise["across classes"] > 0.5
    assert abs(rise["within classes"]) < 0.1


def test_accuracy_by_box_refuses_unknown_views() -> None:
    table = errors.box_table(*toys.planted({}))
    with pytest.raises(ValueError, match="'within' is not one of all images, within classes"):
        errors.accuracy_by_box(table, "within")
    with pytest.raises(ValueError, match="at least 2"):
        errors.accuracy_by_box(table, bins=1)


def test_effective_count_is_the_number_of_classes_where_each_is_all_or_nothing() -> None:
    wnid = np.repeat(np.arange(40), 25)
    alike = pd.DataFrame({"wnid": wnid, "correct": wnid % 2 == 0})
    assert effective_count(alike) == pytest.approx(40, rel=0.05)
    coin = np.random.default_rng(0).random(1000) < 0.5
    assert 500 < effective_count(pd.DataFrame({"wnid": wnid, "correct": coin})) <= 1000


def test_intervals_allow_for_classes_except_where_bins_hold_all_alike() -> None:
    """Classes of very different difficulty: their images are worth fewer independent ones."""
    table = errors.box_table(*toys.planted({}, classes=20))
    table["correct"] = table.wnid.isin(table.wnid.unique()[::2]) ^ (table.row % 10 == 0)
    width = {}
    for view in errors.VIEWS:
        row = errors.accuracy_by_box(table, view).query("property == 'area'").iloc[0]
        low, high = wilson(row.accuracy * row.images, row.images)
        width[view] = (row.high - row.low) / (high - low)
    assert width["within classes"] == pytest.approx(1)
    assert width["all images"] > 1.5
    assert width["across classes"] > 3


def test_across_classes_regresses_on_class_means() -> None:
    table = errors.box_table(*toys.planted({"area": 0.3}, classes=25, per_class=20))
    rows = errors.box_regression(table).set_index(["view", "model", "property"])
    means = np.log2(table.area).groupby(table.wnid).transform("mean")
    x = pd.DataFrame({"area": means})
    expected = logistic(x, table.correct.to_numpy(), table.wnid.to_numpy()).table().iloc[0]
    found = rows.loc["across classes", "alone", "area"]
    assert [found.coefficient, found.low] == pytest.approx([expected.coefficient, expected.low])


def estimates(effect: dict[str, float], **options: int) -> pd.DataFrame:
    table = errors.box_table(*toys.planted(effect, **options))
    return errors.box_regression(table).set_index(["view", "model", "property"])


def test_planted_effects_are_recovered_and_told_from_what_goes_with_them() -> None:
    """Area and cut act; thin boxes fail too, but only because they are small."""
    effect = {"area": 0.4, "cut": -0.8}
    rows = estimates(effect, classes=60, per_class=30, seed=1)
    together = rows.loc["within classes"].loc["together"]
    for name in ("area", "elongation", "distance", "cut"):
        planted = effect.get(name, 0.0)
        row = together.loc[name]
        assert abs(row.coefficient - planted) < 4 * row.se, name
        assert row.se < 0.2, name
    assert together.low["area"] > 0 > together.high["cut"]
    alone = rows.loc["within classes"].loc["alone"]
    assert alone.high["elongation"] < 0
    assert together.low["elongation"] < 0 < together.high["elongation"]


def test_intervals_cover_the_truth_and_no_verdict_is_given_on_it() -> None:
    """Over repeated null data about 95 % of the intervals hold zero; few tables have a verdict."""
    held, tables = [], 0
    for seed in range(8):
        rows = estimates({}, classes=30, per_class=12, seed=seed)
        held += list((rows.low < 0) & (rows.high > 0))
        tables += (rows.outcome != "undecided").any()
    assert len(held) == 8 * 24
    assert 0.88 < np.mean(held) < 1
    assert tables <= 1


def test_classes_of_one_outcome_drop_out_within_classes() -> None:
    predictions, boxes = toys.planted({}, classes=25, per_class=15)
    first = predictions.label == predictions.label[0]
    predictions.loc[first, "predicted"] = predictions.label[0]
    rows = errors.box_regression(errors.box_table(predictions, boxes))
    assert set(rows.classes[rows["view"] == "within classes"]) == {24}
    assert set(rows.classes[rows["view"] == "all images"]) == {25}
    assert rows.coefficient.notna().all()


def test_what_does_not_vary_has_no_estimate_but_a_note() -> None:
    predictions, boxes = toys.planted({"area": 0.5}, classes=5)
    boxes[:, :2], boxes[:, 2:] = 0, boxes[:, 2:].clip(5, 40)  # every box reaches the border
    rows = errors.box_regression(errors.box_table(predictions, boxes))
    cut = rows[rows.property == "cut"]
    assert cut.coefficient.isna().all()
    assert set(cut.note) == {"the property does not vary"}
    for view in ("all images", "across classes"):
        few = rows[(rows["view"] == view) & (rows.property != "cut")]
        assert few.coefficient.isna().all()
        assert set(few.note) == {"too few classes (5 < 20)"}


def test_perfect_predictions_leave_nothing_to_compare() -> None:
    predictions, boxes = toys.planted({}, classes=25)
    perfect = predictions.assign(predicted=predictions.label)
    rows = errors.box_regression(errors.box_table(perfect, boxes))
    assert rows.coefficient.isna().all()
    assert len(rows) == 24
    assert set(rows.note) == {"every answer is right"}
    assert set(rows.outcome) == {"undecided"}


def test_separated_answers_have_a_plain_reason() -> None:
    predictions, boxes = toys.planted({}, classes=25, per_class=20)
    area = errors.box_properties(boxes).area
    right = area.groupby(predictions.label).rank(pct=True) > 0.5  # within every class
    other = predictions.label.to_numpy()[::-1]
    separated = predictions.assign(predicted=predictions.label.where(right, other))
    rows = errors.box_regression(errors.box_table(separated, boxes))
    area_rows = rows[(rows.property == "area") & (rows["view"] == "within classes")]
    assert "no finite estimate: the property separates right from wrong answers" in set(
        area_rows.note
    )


def test_outcomes_follow_the_sign_and_the_adjusted_p() -> None:
    effect = {"area": 0.6, "distance": 0.9}
    table = errors.box_table(*toys.planted(effect, classes=40, per_class=25, seed=2))
    rows = errors.box_regression(table)
    assert rows.p_adjusted.tolist() == pytest.approx(holm(rows.p).tolist())
    together = rows[rows.model == "together"].set_index(["view", "property"]).outcome
    assert together["within classes", "area"] == "yes"
    assert together["within classes", "distance"] == "no"  # planted against the explanation
    assert together["within classes", "elongation"] == "undecided"
    close = rows[(rows.p < 0.05) & (rows.p_adjusted >= 0.05)]
    assert set(close.outcome) <= {"undecided"}


def test_a_network_at_chance_gets_no_outcome() -> None:
    predictions, boxes = toys.planted({}, classes=30, per_class=40)
    boxed = errors.box_table(predictions, boxes)
    largest = boxed.area.rank(ascending=False) <= 40  # right on large boxes only, 1 in 30
    rows = errors.box_regression(boxed.assign(correct=largest))
    assert (rows.p_adjusted < 0.05).any()
    assert set(rows.outcome) == {"undecided"}
