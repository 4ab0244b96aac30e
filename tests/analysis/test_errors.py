"""Errors by class, pair and image, on tables small enough to count."""

import error_toys as toys
import numpy as np
import pandas as pd
import pytest

from tin_lib.analysis import errors
from tin_lib.analysis.errors.label_issues import disagreements, duplicates

NAMES = {"n1": "cat", "n2": "dog", "n3": "owl"}


def table(pairs: str, probability: float | list[float] = 0.5) -> pd.DataFrame:
    """Predictions from ``label>predicted`` pairs, by the numbers of the wnids."""
    rows = [pair.split(">") for pair in pairs.split()]
    frame = pd.DataFrame([(f"n{a}", f"n{b}") for a, b in rows], columns=["label", "predicted"])
    frame.insert(0, "file", [f"val_{number}.JPEG" for number in range(len(rows))])
    return frame.assign(probability=probability)


def test_short_names_stay_distinct() -> None:
    names = errors.short_names(["n1", "n2", "n3"], ["crane, lifter", "crane", "owl, bird"])
    assert names == {"n1": "crane (n1)", "n2": "crane (n2)", "n3": "owl"}


def test_per_class_counts() -> None:
    classes = errors.per_class(table("1>1 1>2 1>3 1>3 2>2 2>2"), NAMES).set_index("wnid")
    assert classes.images.tolist() == [4, 2, 0]
    assert classes.errors.tolist() == [3, 0, 0]
    assert classes.error_rate.tolist()[:2] == [0.75, 0.0]
    assert classes.loc["n1", ["predicted_as", "predicted_as_count"]].tolist() == ["owl", 2]
    assert classes.loc["n2", ["predicted_as", "predicted_as_count"]].tolist() == ["", 0]
    assert classes.loc["n3", ["error_rate", "low", "high"]].isna().all()
    # Wilson's interval for 3 of 4, as printed by statsmodels' proportion_confint
    assert classes.loc["n1", ["low", "high"]].tolist() == pytest.approx([0.3006, 0.9544], abs=1e-4)


def test_unknown_labels_are_refused() -> None:
    with pytest.raises(ValueError, match="predicted 'n9' is none of the 3 classes"):
        errors.per_class(table("1>9"), NAMES)
    with pytest.raises(ValueError, match="label '' is none"):
        errors.per_class(table("1>1").assign(label=""), NAMES)


def rates(*errors_of_ten: int) -> pd.DataFrame:
    table = pd.DataFrame({"errors": errors_of_ten, "images": 10})
    return table.assign(wnid=list("abcdefgh"[: len(table)]), error_rate=table.errors / 10)


@pytest.mark.parametrize(
    ("given", "k", "best", "worst"),
    [
        ((0, 0, 0, 0), 2, "", ""),  # all alike
        ((5,), 2, "", ""),
        ((1, 2, 3, 4), 2, "ab", "dc"),
        ((1, 2, 3, 4, 5), 5, "ab", "ed"),  # fewer than 2 k classes
        ((0, 5, 5, 5, 9), 2, "a", "e"),  # a rate on both sides is left out of both
        ((0, 0, 0, 3), 2, "ab", "d"),
        ((0, 3, 3, 3), 2, "a", "bc"),
        ((1, 1, 2, 9, 9), 2, "ab", "de"),  # ties within a list are in class order
    ],
)
def test_best_and_worst_never_overlap(
    given: tuple[int, ...], k: int, best: str, worst: str
) -> None:
    ends = errors.best_and_worst(rates(*given), k)
    assert "".join(ends.wnid[ends.end == "best"]) == best
    assert "".join(ends.wnid[ends.end == "worst"]) == worst
    assert ends["rank"].tolist() == [*range(1, len(best) + 1), *range(1, len(worst) + 1)]


def test_best_and_worst() -> None:
    classes = errors.per_class(table("1>1 1>1 2>2 2>1 3>1 3>1"), NAMES)
    ends = errors.best_and_worst(classes, 1)
    assert ends[["end", "rank", "name"]].to_numpy().tolist() == [
        ["best", 1, "cat"],
        ["worst", 1, "owl"],
    ]
    with pytest.raises(ValueError, match="at least 1 class"):
        errors.best_and_worst(classes, 0)


def test_table3_stands_beside_the_papers() -> None:
    names = errors.short_names(["n1", "n2"], ["goldfish, Carassius auratus", "plunger"])
    both = {"vgg16": table("1>1 1>1 2>1 2>2"), "soft vote": table("1>1 1>2 2>1 2>1")}
    found = errors.table3(both, names, k=1)
    assert found.network.tolist() == ["vgg16", "vgg16", "soft vote", "soft vote"]
    assert found.name.tolist() == ["goldfish", "plunger"] * 2
    assert found.paper_errors.tolist() == [4, 42] * 2
    assert found.errors.tolist() == [0, 1, 1, 2]
    assert len(errors.PAPER_ERRORS) == 10


def test_examples_show_the_most_confident_of_each_kind() -> None:
    predictions = table("1>1 1>1 1>2 1>3 2>1 2>2", [0.2, 0.9, 0.3, 0.8, 0.5, 0.6])
    chosen = errors.examples(predictions, "n1", count=1)
    assert chosen.group.tolist() == ["correct", "missed", "false positive"]
    assert chosen.row.tolist() == [1, 3, 4]
    assert chosen.predicted.tolist() == ["n1", "n3", "n1"]
    with pytest.raises(ValueError, match="no image is labelled 'n3'"):
        errors.examples(predictions, "n3")


def test_confusion_matrix_and_the_images_behind_a_cell() -> None:
    predictions = table("1>1 1>2 1>2 3>3 3>1", [0.5, 0.6, 0.7, 0.5, 0.5])
    counts = errors.confusion_matrix(predictions, NAMES)
    assert counts.to_numpy().tolist() == [[1, 2, 0], [0, 0, 0], [1, 0, 1]]
    behind = errors.cell(predictions, "n1", "n2")
    assert behind.row.tolist() == [2, 1]
    assert len(behind) == counts.loc["n1", "n2"]


def test_class_order_brings_planted_groups_together() -> None:
    """Four groups of ten classes, scattered over the class order, confused only inside."""
    rng, ids = np.random.default_rng(0), list(toys.names(40))
    group = rng.permutation(np.repeat(np.arange(4), 10))
    truth = np.repeat(np.arange(40), 50)
    members = [np.flatnonzero(group == number) for number in range(4)]
    taken = np.array([rng.choice(members[group[label]]) for label in truth])
    predicted = np.where(rng.random(len(truth)) < 0.5, truth, taken)
    frame = pd.DataFrame({"label": np.array(ids)[truth], "predicted": np.array(ids)[predicted]})
    counts = errors.confusion_matrix(frame, toys.names(40))
    order = errors.class_order(counts)
    assert sorted(order) == ids
    found = group[[ids.index(wnid) for wnid in order]]
    assert (np.diff(found) != 0).sum() == 3  # each group in one piece


def test_class_order_without_confusion_or_classes() -> None:
    counts = errors.confusion_matrix(table("1>1 2>2"), NAMES)  # n3 has no images
    assert sorted(errors.class_order(counts)) == list(NAMES)
    two = {"n1": "cat", "n2": "dog"}
    assert errors.class_order(errors.confusion_matrix(table("1>2"), two)) == ["n1", "n2"]


def test_most_confused_pairs() -> None:
    counts = errors.confusion_matrix(table("1>2 1>2 1>2 1>1 2>1 2>2 3>1 3>3 3>3 3>3 3>3"), NAMES)
    pairs = errors.most_confused(counts, NAMES, k=2)
    assert pairs.label_name.tolist() == ["cat", "dog"]
    assert pairs.predicted_name.tolist() == ["dog", "cat"]
    assert pairs["count"].tolist() == [3, 1]
    assert pairs.share.tolist() == [0.75, 0.5]
    assert ((pairs.low < pairs.share) & (pairs.share < pairs.high)).all()
    mutual = errors.mutually_confused(counts, NAMES)
    assert len(mutual) == 1  # owls are predicted as cats, never the other way
    row = mutual.iloc[0]
    assert (row.first_name, row.second_name, row.forth, row.back) == ("cat", "dog", 3, 1)
    assert (row.forth_share, row.back_share) == (0.75, 0.5)


def three_networks() -> dict[str, pd.DataFrame]:
    return {
        "a": table("1>1 1>1 1>2 1>2 1>2", [0.9, 0.9, 0.9, 0.95, 0.8]),
        "b": table("1>1 1>2 1>1 1>2 1>2", [0.9, 0.9, 0.9, 0.99, 0.99]),
        "c": table("1>1 1>1 1>3 1>3 1>2", [0.9, 0.9, 0.9, 0.99, 0.99]),
    }


def test_errors_by_image() -> None:
    images = errors.by_image(three_networks())
    assert images.wrong.tolist() == [0, 1, 2, 3, 3]
    assert images.only_wrong.tolist() == ["", "b", "", "", ""]
    assert images.only_right.tolist() == ["", "", "b", "", ""]
    assert images.same_label.tolist() == [False, False, False, False, True]
    assert images.c.tolist()[2] == "n3"
    counts = errors.by_network(images, ["a", "b", "c"]).set_index("network")
    assert counts.errors.tolist() == [3, 3, 3]
    assert counts.shared_by_all.tolist() == [2, 2, 2]
    assert counts.loc["b", ["only_wrong", "only_right"]].tolist() == [1, 1]


def test_two_networks_have_no_odd_one_out() -> None:
    tables = three_networks()
    images = errors.by_image({"a": tables["a"], "b": tables["b"]})
    assert (images.only_wrong == "").all()
    assert (images.only_right == "").all()


def test_agreement_beside_independence() -> None:
    rng, ids = np.random.default_rng(0), list(toys.names())
    truth = rng.integers(0, 30, 4000)
    tables = {
        name: toys.predictions(truth, np.full(4000, chance), ids, rng)
        for name, chance in {"a": 0.3, "b": 0.5, "c": 0.8}.items()
    }
    found = errors.agreement(tables)
    assert found.images.sum() == 4000
    assert found.independent.sum() == pytest.approx(4000)
    # networks made independent: every count within 5 standard errors of its expectation
    assert (np.abs(found.images - found.independent) < 5 * np.sqrt(found.independent)).all()
    alike = errors.agreement({"a": tables["a"], "again": tables["a"]})
    assert alike.images.tolist()[1] == 0 < alike.independent.tolist()[1]


def test_label_issues_are_unanimous_and_confident() -> None:
    found = disagreements(three_networks(), confidence=0.8)
    assert found.file.tolist() == ["val_4.JPEG"]
    assert found.suggested.tolist() == ["n2"]
    assert found.confidence.tolist() == [0.8]
    assert disagreements(three_networks(), confidence=0.81).empty
    with pytest.raises(ValueError, match="confidence"):
        disagreements({}, confidence=0.5)


def test_duplicates_with_two_labels() -> None:
    files = pd.DataFrame(
        [
            (1, "train", "a", "n1"),
            (1, "val", "b", "n2"),
            (2, "train", "c", "n1"),
            (2, "train", "d", "n1"),
            (3, "test", "e", ""),
            (3, "val", "f", "n1"),
        ],
        columns=["group", "split", "file", "label"],
    )
    found = duplicates(files)
    assert found.file.tolist() == ["a", "b"]
    assert found.suggested.tolist() == ["n2", "n1"]
    both = errors.label_issues(three_networks(), files, confidence=0.8)
    assert both.file.tolist() == ["val_4.JPEG", "a", "b"]
    assert both.reason.nunique() == 2
    assert errors.label_issues(three_networks(), files.iloc[:0], confidence=1).empty
