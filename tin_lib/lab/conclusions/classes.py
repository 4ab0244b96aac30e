"""Classes with most errors, confusions, and whether the boxes explain them."""

from collections.abc import Mapping
from dataclasses import dataclass

import pandas as pd

from tin_lib import catalog
from tin_lib.analysis import runs, statistics
from tin_lib.analysis.ensemble import above_chance
from tin_lib.analysis.errors import short_names
from tin_lib.data import TinyImageNet
from tin_lib.lab.formatting import count_noun, join_and, join_some, percent, rows

NAMES = {
    "area": "area",
    "elongation": "elongation",
    "distance": "distance from the centre",
    "cut": "reaching the border",
}
MODELS = {"alone": "one property at a time", "together": "all properties together"}
OUTCOMES = {"yes": "support it for", "no": "contradict it for", "undecided": "are inconclusive for"}


@dataclass(frozen=True)
class BoxVerdict:
    """Whether the data support the paper's explanation by the boxes, in one view and model."""

    view: str  # all images, within classes or across classes
    model: str  # alone (one property at a time) or together
    outcomes: dict[str, str]  # property -> yes, no or undecided
    reason: str  # why there is no estimate at all; empty if there is one


@dataclass(frozen=True)
class ClassRecord:
    """The findings of notebook 09."""

    network: str
    accuracy: float  # 0..1
    above_chance: bool  # if not, there are no verdicts
    best: tuple[str, ...]  # classes with the lowest error rate; empty if all have the same
    best_rate: float  # 0..1
    worst: tuple[str, ...]
    worst_rate: float
    predicted_as: str  # the prediction for more than half of a single worst class's errors
    confused: tuple[tuple[str, str], ...]  # most frequent confusions, label and prediction
    confused_images: int  # of each of them
    boxes: tuple[BoxVerdict, ...]
    issues: int  # images whose label may be wrong


def judge_class_errors(
    network: str,
    classes: pd.DataFrame,
    pairs: pd.DataFrame,
    regression: pd.DataFrame,
    issues: pd.DataFrame,
) -> ClassRecord:
    """The record of a network's errors.

    ``classes``: from ``errors.per_class``; ``pairs``: all of ``errors.most_confused``;
    ``regression``: from ``errors.box_regression``; ``issues``: from ``errors.label_issues``.
    """
    shown = classes[classes.images > 0]
    total, wrong = int(shown.images.sum()), int(shown.errors.sum())
    largest = int(shown.images.max()) if total else 0
    low, high = (
        shown[shown.error_rate == f(shown.error_rate)] for f in (pd.Series.min, pd.Series.max)
    )
    differ = len(low) < len(shown)
    top = pairs[pairs["count"] == pairs["count"].max()]
    return ClassRecord(
        network,
        (total - wrong) / max(total, 1),
        statistics.above_chance(total - wrong, total, len(classes), largest),
        tuple(low.name) if differ else (),
        float(low.error_rate.min()),
        tuple(high.name) if differ else (),
        float(high.error_rate.max()),
        mostly_predicted_as(high) if differ else "",
        tuple(zip(top.label_name, top.predicted_name, strict=True)),
        int(top["count"].max()) if len(top) else 0,
        judge_boxes(regression),
        len(issues.drop_duplicates(["split", "file"])),
    )


def mostly_predicted_as(worst: pd.DataFrame) -> str:
    """The class predicted in more than half of the errors of a single worst class; else empty."""
    first = worst.iloc[0]
    most = len(worst) == 1 and first.predicted_as_count > first.errors / 2
    return first.predicted_as if most else ""


def judge_boxes(regression: pd.DataFrame) -> tuple[BoxVerdict, ...]:
    """One verdict for each view and model of a regression."""
    verdicts = []
    for (view, model), part in regression.groupby(["view", "model"], sort=False):
        outcomes = dict(zip(part.property, part.outcome, strict=True))
        reason = part.note.iloc[0] if part.coefficient.isna().all() else ""
        verdicts.append(BoxVerdict(str(view), str(model), outcomes, reason))
    return tuple(verdicts)


def class_errors(
    network: str,
    classes: pd.DataFrame,
    pairs: pd.DataFrame,
    regression: pd.DataFrame,
    issues: pd.DataFrame,
) -> str:
    """Best and worst classes, confusions and the verdicts on the boxes; see the record."""
    return class_errors_text(judge_class_errors(network, classes, pairs, regression, issues))


def class_errors_text(record: ClassRecord) -> str:
    """The record as text."""
    issues = f"- Labels to review: {record.issues:,}."
    name, accuracy = catalog.title(record.network), percent(record.accuracy)
    if not record.above_chance:
        return (
            f"- **No verdicts**: {name} classifies {accuracy} of the images correctly, which is "
            f"not clearly above chance: its errors say nothing about classes or boxes.\n{issues}"
        )
    lines = [f"- {name} classifies {accuracy} of the images correctly; {extremes(record)}."]
    return "\n".join([*lines, confusions(record), *explanation(record.boxes), issues])


def extremes(record: ClassRecord) -> str:
    """Which classes have the lowest and the highest error rate."""
    if not record.best:
        return f"all classes have the same error rate, {percent(record.best_rate)}"
    mostly = f", mostly predicted as {record.predicted_as}" if record.predicted_as else ""
    return (
        f"lowest error rate ({percent(record.best_rate)}): **{join_some(record.best)}**; "
        f"highest ({percent(record.worst_rate)}): **{join_some(record.worst)}**{mostly}"
    )


def confusions(record: ClassRecord) -> str:
    """The most frequent confusions."""
    if not record.confused:
        return "- No image is predicted as another class."
    pairs = join_some([f"{label} predicted as {predicted}" for label, predicted in record.confused])
    each = " each" if len(record.confused) > 1 else ""
    images = count_noun(record.confused_images, "image")
    return f"- Most frequent confusion: {pairs} ({images}{each})."


def explanation(verdicts: tuple[BoxVerdict, ...]) -> list[str]:
    """Whether images of small, thin and off-centre objects are misclassified more often."""
    reasons = {verdict.reason for verdict in verdicts}
    start = "- The paper's explanation by small, thin and off-centre objects"
    if len(reasons) == 1 and "" not in reasons:
        return [f"{start} was not tested: {reasons.pop()}."]
    lines = [f"    - {verdict_text(verdict)}." for verdict in verdicts]
    return [f"{start}, by view (Holm's correction over all tests):", *dict.fromkeys(lines)]


def verdict_text(verdict: BoxVerdict) -> str:
    """``within classes, one property at a time: the data support it for area``."""
    if verdict.reason:
        return f"{verdict.view}: no estimate, {verdict.reason}"
    named = {
        word: join_and(NAMES[name] for name, each in verdict.outcomes.items() if each == word)
        for word in OUTCOMES
    }
    groups = [f"{words} {named[word]}" for word, words in OUTCOMES.items() if named[word]]
    return f"{verdict.view}, {MODELS[verdict.model]}: the data {'; '.join(groups)}"


def selected_network(
    tables: Mapping[str, pd.DataFrame], chosen: str, asked: str | None, classes: int
) -> str:
    """The network whose errors are shown, and how it was chosen (``asked``: a name, or None)."""
    table, how = tables[chosen], "the parameter `network`"
    if not asked:
        how = f"the highest validation accuracy of {count_noun(len(tables), 'network')}"
    chance = "" if above_chance(table, classes) else " It is not clearly above chance."
    correct = percent((table.predicted == table.label).mean())
    return f"Errors of **{catalog.title(chosen)}** ({correct} correct), chosen by {how}.{chance}"


def mistakes(wrong: pd.DataFrame, data: TinyImageNet) -> list[str]:
    """Titles for images of mistakes: label → prediction, and its probability."""
    names = short_names(data.class_ids, data.class_names)
    return [
        f"{names[row.label]}<br>→ {names[row.predicted]}<br>{percent(row.probability)}"
        for row in rows(wrong)
    ]


def named_prediction(run: runs.Run, network: str, row: int) -> str:
    """A network's prediction of a validation image with its probability, as a label of a row."""
    fit = run.fits[network]
    names = short_names(fit.class_ids, fit.class_names)
    table = fit.predictions("val").iloc[row]
    mark = "✓" if table.label == table.predicted else "✗"
    return f"<br>{names[table.predicted]} {percent(table.probability)} {mark}"
