"""The notebooks' closing texts: their verdicts, also at the limits, and one text word for word."""

from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pandas as pd
import pytest
from error_toys import names, planted
from small_run import make_run

from tin_lib.analysis import errors, runs
from tin_lib.analysis.audit import audit
from tin_lib.analysis.compare import pairwise
from tin_lib.analysis.ensemble import ensemble_table, error_correlation, with_votes
from tin_lib.analysis.ensemble import errors as network_errors
from tin_lib.data import open_data
from tin_lib.lab import conclusions, formatting
from tin_lib.lab.conclusions.classes import (
    BoxVerdict,
    ClassRecord,
    class_errors_text,
    explanation,
    judge_boxes,
    judge_class_errors,
)
from tin_lib.lab.conclusions.images import audit_text, judge_audit
from tin_lib.lab.conclusions.training import (
    GAPS,
    PaperComparison,
    compare_with_paper,
    judge_fit,
    judge_gap,
    paper_text,
)
from tin_lib.lab.conclusions.votes import (
    EnsembleRecord,
    VoteVerdict,
    ensemble_text,
    judge_ensemble,
)

NAN = float("nan")


@pytest.fixture(scope="module")
def run(tmp_path_factory: pytest.TempPathFactory) -> runs.Run:
    return make_run(tmp_path_factory.mktemp("run"))


def fit(network: str = "vgg_like", classes: int = 200, val: float = 0.3, **other: Any) -> Any:
    """What ``compare_with_paper`` reads of a fit."""
    images = {"train": other.get("images", 100_000)}
    return SimpleNamespace(
        summary={"network": network, "val_accuracy": val, "train_accuracy": other.get("train", 1)},
        class_ids=("n",) * classes,
        meta={"images": images},
        recipe={"width": other.get("width", 1.0)},
        predictions=lambda split: other["table"],
    )


def test_lists() -> None:
    joined = [formatting.join_and("abc"[:n]) for n in range(4)]
    assert joined == ["", "a", "a and b", "a, b and c"]
    assert formatting.join_some("abcd") == "a, b, c and d"
    assert formatting.join_some("abcdef") == "a, b, c and 3 more"
    assert formatting.percent(0.4551) == "45.5 %"


# --- training


@pytest.mark.parametrize(
    ("train", "val", "outcome"),
    [
        (0.9, 0.5, "overfit"),
        (0.6, 0.5, "mild overfit"),
        (0.5, 0.49, "no gap"),
        (0.4, 0.5, "validation higher"),
        (1.0, 0.999, "ceiling"),
        (1.0, 0.5, "overfit"),
        (1.0, 0.98, "fitted"),
    ],
)
def test_gap_of_training_and_validation(train: float, val: float, outcome: str) -> None:
    assert judge_gap(train, val) == outcome
    assert outcome in GAPS


def test_a_network_at_chance_gets_no_verdict_on_its_gap() -> None:
    label = np.array(list(names(10)))[np.arange(100) % 10]
    guessed = pd.DataFrame({"label": label, "predicted": label[0]})
    assert judge_fit(fit(classes=10, table=guessed, train=0.9, val=0.1)) == "at chance"
    learnt = guessed.assign(predicted=label)
    assert judge_fit(fit(classes=10, table=learnt, train=0.9, val=0.5)) == "overfit"


@pytest.mark.parametrize(
    ("made", "expected"),
    [
        (fit(classes=10), PaperComparison("other data")),
        (fit("alexnet", classes=10), PaperComparison("no figure")),
        (fit("resnet18"), PaperComparison("not in the paper")),
        (fit("my_module:build"), PaperComparison("not in the paper")),
    ],
)
def test_what_cannot_be_compared_with_the_paper(made: Any, expected: PaperComparison) -> None:
    found = compare_with_paper(made)
    assert found.outcome == expected.outcome
    assert np.isnan(found.difference)
    assert paper_text(made.summary["network"], found)


@pytest.mark.parametrize(("val", "word"), [(0.3, "above"), (0.25, "below"), (0.2881, "the same")])
def test_comparison_with_the_paper(val: float, word: str) -> None:
    found = compare_with_paper(fit(val=val))
    assert found.difference == pytest.approx(val - 0.288)
    assert (found.images, found.width) == (None, None)
    assert word in paper_text("vgg_like", found)
    limited = compare_with_paper(fit(images=20_000, width=0.5))
    assert (limited.images, limited.width) == (20_000, 0.5)


def test_training_of_a_real_fit(run: runs.Run) -> None:
    made = run.fit("convnet9")
    text, s = conclusions.training(made), made.summary
    assert f"**{100 * s['val_accuracy']:.1f} % of the validation images**" in text
    assert "chance is 10.0 %" in text
    assert f" on {s['device']} in {s['precision']}." in text
    older = SimpleNamespace(**vars(made), class_ids=made.class_ids, history=made.history)
    older.summary = {key: value for key, value in s.items() if key != "precision"}
    older.predictions = made.predictions
    assert f" on {s['device']}. The" in conclusions.training(older)  # type: ignore[arg-type]
    assert conclusions.penalty_share(made).startswith("This recipe uses no penalties")


def test_penalty_share() -> None:
    history = pd.DataFrame({"penalty": [3.0, 1.0], "train_loss": [1.0, 3.0]})
    text = conclusions.penalty_share(SimpleNamespace(history=lambda: history))  # type: ignore[arg-type]
    assert "75.0 % of the loss in the first epoch and 25.0 % in the last (1.000 beside" in text


# --- the data


def test_audit_of_the_sample_and_of_data_without_boxes() -> None:
    data = open_data("sample", classes=3)
    found = audit(data)
    record = judge_audit(found, data)
    assert record.images == {"train": 360, "val": 60, "test": 200}
    assert record.classes == 3
    assert record.official is None
    assert 0 < record.box_share < 1  # type: ignore[operator]
    bare: Any = SimpleNamespace(
        splits=found.splits.assign(grayscale=0),
        identical=found.identical.head(0),
        boxes=found.boxes.head(0),
    )
    record = judge_audit(bare, data)
    assert (record.groups, record.conflicts, record.across, record.box_share) == (0, 0, 0, None)
    text = audit_text(record)
    assert "no bounding boxes" in text
    assert "nan" not in text


def whole_audit(gray: int) -> Any:
    """An audit of 39 pairs, seven of them in conflict, in a data set of the official size."""
    splits = pd.DataFrame({"split": ["train", "val", "test"], "images": [100_000, 10_000, 10_000]})
    splits["grayscale"] = [gray, 168, 189]
    files = pd.DataFrame({"group": np.repeat(range(39), 2)})
    files["split"] = np.where((files.index % 2 == 1) & (files.group < 7), "val", "train")
    files["file"], files["label"] = "a", "n"
    files["conflict"] = files.group < 27
    boxes = pd.DataFrame({"split": ["train"], "share": [0.4]})
    return SimpleNamespace(splits=splits, identical=files, boxes=boxes)


def test_audit_of_the_whole_data_set_knows_its_counts() -> None:
    data: Any = SimpleNamespace(num_classes=200)
    record = judge_audit(whole_audit(1821), data)
    assert (record.groups, record.conflicts, record.across) == (39, 27, 7)
    assert record.official is True
    other = judge_audit(whole_audit(1820), data)
    assert other.official is False
    assert "1,821 train, 168 val and 189 test grayscale files" in audit_text(other)


def test_audit_of_the_real_data_finds_what_is_known(tin_data: Path) -> None:
    data = open_data(tin_data)
    assert judge_audit(audit(data), data).official is True


# --- votes


def vote_table(
    singles: dict[str, float], votes: dict[str, float], at_chance: tuple[str, ...] = ()
) -> pd.DataFrame:
    rows = [{"name": n, "kind": "network", "accuracy": a} for n, a in singles.items()]
    rows += [{"name": n, "kind": "vote", "accuracy": a} for n, a in votes.items()]
    table = pd.DataFrame(rows)
    table = table.assign(members=", ".join(singles), above_chance=~table.name.isin(at_chance))
    return table.assign(low=table.accuracy - 0.02, high=table.accuracy + 0.02)


def outcome_table(*outcomes: tuple[str, str, str]) -> pd.DataFrame:
    return pd.DataFrame(outcomes, columns=["a", "b", "outcome"])


WRONG = pd.DataFrame({"vgg16": [True, False], "alexnet": [True, True]})


@pytest.mark.parametrize(
    ("against", "outcome"),
    [
        (("yes", "yes"), "yes"),
        (("yes", "undecided"), "undecided"),
        (("yes", "no"), "no"),
        (("undecided", "undecided"), "undecided"),
    ],
)
def test_a_vote_is_better_only_than_all_it_was_tested_against(
    against: tuple[str, str], outcome: str
) -> None:
    table = vote_table({"vgg16": 0.5, "alexnet": 0.5}, {"soft vote": 0.6})
    compared = outcome_table(
        ("soft vote", "vgg16", against[0]), ("soft vote", "alexnet", against[1])
    )
    record = judge_ensemble(table, compared, error_correlation(WRONG), WRONG)
    assert record.best == ("vgg16", "alexnet")
    assert record.votes[0].outcome == outcome
    assert record.missed == 0.5
    assert np.isnan(record.correlation)


def test_networks_and_votes_at_chance_get_no_verdict() -> None:
    table = vote_table({"a": 0.1, "b": 0.1}, {"soft vote": 0.1}, at_chance=("a", "b", "soft vote"))
    record = judge_ensemble(table, outcome_table(), error_correlation(WRONG), WRONG)
    assert record.votes == ()
    assert record.at_chance == ("a", "b", "soft vote")
    assert "McNemar" not in ensemble_text(record)
    learnt = vote_table({"a": 0.1, "b": 0.1}, {"soft vote": 0.3}, at_chance=("a", "b"))
    alone = judge_ensemble(learnt, outcome_table(), error_correlation(WRONG), WRONG).votes[0]
    assert (alone.against, alone.outcome) == ((), "undecided")


def test_one_network_has_no_correlation_of_errors() -> None:
    wrong = WRONG[["vgg16"]]
    record = judge_ensemble(
        vote_table({"vgg16": 0.5}, {}), outcome_table(), error_correlation(wrong), wrong
    )
    assert (record.networks, record.votes) == (1, ())
    assert "nan" not in ensemble_text(record)


def test_ensemble_of_a_real_run(run: runs.Run) -> None:
    table, tables = ensemble_table(run, fallback="vgg_like"), with_votes(run, fallback="vgg_like")
    wrong = network_errors({name: tables[name] for name in run.fits})
    compared = pairwise(tables, len(run.first.class_ids))
    record = judge_ensemble(table, compared, error_correlation(wrong), wrong)
    assert record.networks == 2
    assert {vote.name for vote in record.votes} | set(record.at_chance) >= {"soft vote"}
    assert "9-layer ConvNet" in conclusions.ensemble(
        table, compared, error_correlation(wrong), wrong
    )


def test_the_text_of_an_ensemble_word_for_word() -> None:
    votes = (
        VoteVerdict("majority vote", 0.49, 0.48, 0.5, (("vgg16", "no"), ("convnet9", "yes"))),
        VoteVerdict("soft vote", 0.53, 0.52, 0.54, (("vgg16", "yes"), ("convnet9", "yes"))),
    )
    record = EnsembleRecord(("vgg16",), 0.512, votes, ("alexnet",), 6, 3, 0.7322, 0.25)
    assert ensemble_text(record) == (
        "- The best single network is VGG-16 (51.2 %); better than every network: majority vote "
        "**no** (49.0 %), soft vote **yes** (53.0 %).\n"
        "- No verdict for AlexNet: not clearly above chance.\n"
        "- The majority vote is right on **49.0 %** of the images (95 % interval 48.0 % to "
        "50.0 %). Better than every single network: **no** (yes: 9-layer ConvNet; no: VGG-16).\n"
        "- The soft vote is right on **53.0 %** of the images (95 % interval 52.0 % to 54.0 %). "
        "Better than every single network: **yes** (yes: VGG-16 and 9-layer ConvNet).\n"
        "- Outcomes: exact McNemar tests on the same images, Holm's correction over 6 "
        "comparisons. A vote counts as better only if it is better than each network, since the "
        "best one was chosen on these images.\n"
        "- The mean correlation of errors is 0.732 (0.732 in the paper, for three networks).\n"
        "- Every network misses 25.0 % of the images; at least one is right on the other 75.0 %."
    )


# --- class errors


def classes(wrong: list[int], taken: list[int] | None = None, images: int = 10) -> pd.DataFrame:
    """Per-class errors; ``taken``: of these for thing 3."""
    named = names(len(wrong))
    table = pd.DataFrame({"wnid": list(named), "name": list(named.values())})
    table["images"], table["errors"], table["taken_count"] = images, wrong, taken or wrong
    table["error_rate"] = table.errors / images
    return table.assign(taken_for=["thing 3" if count else "" for count in wrong])


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
    assert record.taken_for == "thing 3"
    assert (record.confused, record.confused_images) == ((("thing 3", "thing 1"),), 4)
    assert record.issues == 2
    assert judged(classes([1, 5, 6, 9], [1, 1, 1, 4])).taken_for == ""


def test_class_errors_that_tie_and_a_network_without_errors() -> None:
    record = judged(classes([0] * 7 + [3, 3]))
    assert record.best == tuple(f"thing {number}" for number in range(7))
    assert record.worst == ("thing 7", "thing 8")
    assert record.taken_for == ""
    perfect = judged(classes([0, 0]))
    assert (perfect.best, perfect.worst, perfect.confused) == ((), (), ())
    assert perfect.best_rate == 0
    text = class_errors_text(perfect)
    assert "; all classes have the same error rate, 0.0 %." in text
    assert "No image is taken for another class" in text


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


def test_class_errors_of_a_real_run(run: runs.Run) -> None:
    made = run.first
    named = errors.short_names(made.class_ids, made.class_names)
    table, data = made.predictions("val"), run.data()
    pairs = errors.most_confused(errors.confusion_matrix(table, named), named, 100)
    regression = errors.box_regression(errors.box_table(table, data.val.boxes))
    per_class = errors.per_class(table, named)
    record = judge_class_errors(made.name, per_class, pairs, regression, ISSUES)
    assert record.accuracy == pytest.approx(made.summary["val_accuracy"])
    assert record.confused_images == pairs["count"].max()
    assert class_errors_text(record) == conclusions.class_errors(
        made.name, per_class, pairs, regression, ISSUES
    )


def test_which_network_is_shown_and_why() -> None:
    predictions, _ = planted({}, classes=10, per_class=10)
    both = {"vgg16": predictions, "alexnet": predictions}
    chosen = conclusions.selected_network(both, "vgg16", None, 10)
    assert "VGG-16" in chosen
    assert "highest validation accuracy of 2 networks" in chosen
    assert "parameter" in conclusions.selected_network(both, "alexnet", "alexnet", 10)
    guessed = {"vgg16": predictions.assign(predicted=predictions.label[0])}
    assert "not clearly above chance" in conclusions.selected_network(guessed, "vgg16", None, 10)
