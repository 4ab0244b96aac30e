"""Closing sentences about training and the data."""

from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pandas as pd
import pytest
from error_toys import names, planted

from tin_lib.analysis.audit import audit
from tin_lib.data import open_data
from tin_lib.lab import conclusions, formatting
from tin_lib.lab.conclusions.images import audit_text, judge_audit
from tin_lib.lab.conclusions.training import (
    GAPS,
    PaperComparison,
    compare_with_paper,
    judge_fit,
    judge_gap,
    paper_text,
)


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


def test_penalty_share() -> None:
    history = pd.DataFrame({"penalty": [3.0, 1.0], "train_loss": [1.0, 3.0]})
    text = conclusions.penalty_share(SimpleNamespace(history=lambda: history))  # type: ignore[arg-type]
    assert "75.0 % of the loss in the first epoch and 25.0 % in the last (1.000, with" in text


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


def test_which_network_is_shown_and_why() -> None:
    predictions, _ = planted({}, classes=10, per_class=10)
    both = {"vgg16": predictions, "alexnet": predictions}
    chosen = conclusions.selected_network(both, "vgg16", None, 10)
    assert "VGG-16" in chosen
    assert "highest validation accuracy of 2 networks" in chosen
    assert "parameter" in conclusions.selected_network(both, "alexnet", "alexnet", 10)
    guessed = {"vgg16": predictions.assign(predicted=predictions.label[0])}
    assert "not clearly above chance" in conclusions.selected_network(guessed, "vgg16", None, 10)
