"""The result of training one network."""

from dataclasses import dataclass
from typing import Any

import pandas as pd

from tin_lib import catalog, runs
from tin_lib.analysis import paper
from tin_lib.analysis.ensemble import above_chance
from tin_lib.lab.formatting import count_noun, join_and, percent

PERFECT = 0.995  # above this accuracy there is next to nothing to learn
MILD, LARGE = 0.03, 0.15  # gaps between training and validation accuracy
GAPS = {
    "at chance": "This is not clearly above chance: it needs more training or another recipe.",
    "ceiling": "Both are nearly perfect: these images are too easy to tell networks apart.",
    "overfit": "Training accuracy is {gap} above validation accuracy: the network overfits.",
    "mild overfit": "Training accuracy is {gap} above validation accuracy: mild overfitting.",
    "validation higher": "Validation accuracy is {gap} above training accuracy: the two sets are "
    "not equally hard, or there are few images.",
    "fitted": "They differ by {gap}, and the training images are learnt almost perfectly.",
    "no gap": "They differ by {gap}: more capacity or more training may help.",
}


@dataclass(frozen=True)
class PaperComparison:
    """A fit's validation accuracy beside the paper's."""

    outcome: str  # compared, no figure, not in the paper, or other data
    difference: float = float("nan")  # of the accuracies, 0..1
    images: int | None = None  # training images, if fewer than the paper's
    width: float | None = None  # of the network, if not the paper's


def training(fit: runs.Fit) -> str:
    """The result of training one network, in words."""
    s, history = fit.summary, fit.history()
    best = history.iloc[int(history.val_accuracy.to_numpy().argmax())]
    precision = f" in {s['precision']}" if "precision" in s else ""
    sentences = [
        f"**{catalog.title(s['network'])}** classifies **{percent(s['val_accuracy'])} of the "
        f"validation images** and {percent(s['train_accuracy'])} of the training images correctly; "
        f"chance level is {percent(1 / len(fit.class_ids))}.",
        gap_text(judge_fit(fit), s["train_accuracy"] - s["val_accuracy"]),
        f"The top-5 validation accuracy is {percent(s['val_top5'])}.",
        f"The network has {s['parameters']:,} parameters and trained "
        f"{count_noun(s['epochs'], 'epoch')} in {s['seconds']:,.0f} s, "
        f"{s['images_per_second']:,.0f} images/s on {s['device']}{precision}.",
        f"The highest validation accuracy was reached in epoch {best.epoch:.0f} "
        f"({percent(best.val_accuracy)}).",
        paper_text(s["network"], compare_with_paper(fit)),
    ]
    return " ".join(sentences)


def judge_gap(train_accuracy: float, val_accuracy: float) -> str:
    """What the two accuracies (0..1) say about the fit: a key of ``GAPS``."""
    gap = train_accuracy - val_accuracy
    if min(train_accuracy, val_accuracy) > PERFECT:
        return "ceiling"
    if gap > MILD:
        return "overfit" if gap > LARGE else "mild overfit"
    if gap < -MILD:
        return "validation higher"
    return "fitted" if train_accuracy > PERFECT else "no gap"


def judge_fit(fit: runs.Fit) -> str:
    """As ``judge_gap``, for a network that is clearly above chance; else ``at chance``."""
    if not above_chance(fit.predictions("val"), len(fit.class_ids)):
        return "at chance"
    return judge_gap(fit.summary["train_accuracy"], fit.summary["val_accuracy"])


def gap_text(outcome: str, gap: float) -> str:
    """The gap of training and validation accuracy in words."""
    return GAPS[outcome].format(gap=f"{100 * abs(gap):.1f} points")


def compare_with_paper(fit: runs.Fit) -> PaperComparison:
    """The paper's figure, if the fit saw the data that the paper's network saw."""
    network = fit.summary["network"]
    if network == "alexnet":
        return PaperComparison("no figure")
    if network not in paper.RESULTS:
        return PaperComparison("not in the paper")
    if len(fit.class_ids) != paper.CLASSES:
        return PaperComparison("other data")
    images, width = fit.meta["images"]["train"], fit.recipe["width"]
    return PaperComparison(
        "compared",
        fit.summary["val_accuracy"] - paper.RESULTS[network]["val"],
        images if images < paper.TRAIN_IMAGES else None,
        width if width != 1 else None,
    )


def paper_text(network: str, compared: PaperComparison) -> str:
    """The comparison in words."""
    if compared.outcome == "no figure":
        return "The paper gives no figure for AlexNet: its author ran out of memory."
    if compared.outcome == "not in the paper":
        return "This network is not one of the paper's."
    if compared.outcome == "other data":
        return "The paper's figures are for 200 classes of real images and cannot be compared."
    points = 100 * compared.difference
    difference = f"{abs(points):.1f} points {'above' if points > 0 else 'below'} it"
    limits = []
    if compared.images:
        limits.append(f"{compared.images:,} of {paper.TRAIN_IMAGES:,} training images")
    if compared.width:
        limits.append(f"{compared.width:g} × its width")
    return (
        f"The paper reports a validation accuracy of {percent(paper.RESULTS[network]['val'])}: "
        f"this is {'the same' if abs(points) < 0.05 else difference}"
        f"{', with ' + join_and(limits) if limits else ''}."
    )


def recipe_table(recipe: Any) -> pd.DataFrame:
    """The fields of a recipe that identify it or differ from the default."""
    values = recipe.to_dict()
    default = type(recipe)(recipe.network, recipe.epochs, recipe.lr).to_dict()
    shown = ("network", "epochs", "lr", "batch_size", "optimizer", "momentum", "width", "seed")
    kept = {k: v for k, v in values.items() if k in shown or v != default[k]}
    kept["augment"] = values["augment"]["mode"]
    return pd.DataFrame({"value": {k: str(v) for k, v in kept.items()}}).rename_axis("field")


def penalty_share(fit: runs.Fit) -> str:
    """The share of the loss that is due to penalties on weights and activations."""
    history = fit.history()
    first, last = history.iloc[0], history.iloc[-1]
    if not last.penalty:
        return "This recipe uses no penalties on weights or activations."
    shares = [row.penalty / (row.penalty + row.train_loss) for row in (first, last)]
    return (
        f"The penalties are {percent(shares[0])} of the loss in the first epoch and "
        f"{percent(shares[1])} in the last ({last.penalty:.3f}, with a cross-entropy of "
        f"{last.train_loss:.3f})."
    )
