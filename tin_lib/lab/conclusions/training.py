"""What training one network came to."""

from typing import Any

import pandas as pd

from tin_lib import catalog, runs
from tin_lib.lab.formatting import counted, percent

PERFECT = 0.995  # accuracies above this are called so


def training(fit: runs.Fit) -> str:
    """What training one network came to."""
    s, history = fit.summary, fit.history()
    best = history.iloc[int(history.val_accuracy.to_numpy().argmax())]
    sentences = [
        f"**{catalog.title(s['network'])}** ({s['parameters']:,} parameters) trained "
        f"{counted(s['epochs'], 'epoch')} in {s['seconds']:,.0f} s, "
        f"{s['images_per_second']:,.0f} images/s on {s['device']}{computed(s)}.",
        f"It names {percent(s['train_accuracy'])} of the training images and "
        f"**{percent(s['val_accuracy'])} of the validation images** correctly "
        f"({percent(s['val_top5'])} among its top five); guessing would give "
        f"{percent(1 / len(fit.class_ids))}.",
        overfitting(s["train_accuracy"], s["val_accuracy"]),
        f"While training, validation accuracy was highest in epoch {best.epoch:.0f} "
        f"({percent(best.val_accuracy)}).",
        beside_paper(fit),
    ]
    return " ".join(sentence for sentence in sentences if sentence)


def computed(summary: dict[str, Any]) -> str:
    """In which precision, where the fit says so."""
    return f" in {summary['precision']}" if "precision" in summary else ""


def overfitting(train_accuracy: float, val_accuracy: float) -> str:
    """What a gap between training and validation accuracy (0..1) says."""
    gap = train_accuracy - val_accuracy
    points = f"{100 * abs(gap):.1f} points"
    if min(train_accuracy, val_accuracy) > PERFECT:
        return "Both are next to perfect: these images are too easy to tell networks apart."
    if gap > 0.15:
        return f"Training is ahead of validation by {points}: it overfits."
    if gap > 0.03:
        return f"Training is ahead of validation by {points}, a mild overfit."
    if gap < -0.03:
        return (
            f"Validation is ahead of training by {points}: the two sets are not equally hard, "
            "or there are few images."
        )
    if train_accuracy > PERFECT:
        return f"Training and validation differ by {points}, and nothing is left to learn."
    return f"Training and validation differ by {points}: more capacity or more training may help."


def beside_paper(fit: runs.Fit) -> str:
    """The paper's figure, when the fit saw what the paper's network saw."""
    name = catalog.title(fit.summary["network"])
    theirs = catalog.RESULTS.get(fit.summary["network"])
    if fit.summary["network"] == "alexnet":
        return "The paper gives no figure for AlexNet: its author ran out of memory."
    if theirs is None:
        return f"The paper has no {name}."
    if len(fit.class_ids) != catalog.CLASSES:
        return "The paper's figures are for 200 classes of real images and cannot be compared."
    said = [f"The paper reports {percent(theirs['val'])} on validation: this is"]
    difference = 100 * (fit.summary["val_accuracy"] - theirs["val"])
    said.append(
        "the same"
        if abs(difference) < 0.05
        else f"{abs(difference):.1f} points {'above' if difference > 0 else 'below'} it"
    )
    apart = unlike_paper(fit)
    return " ".join(said) + (f", with {apart}." if apart else ".")


def unlike_paper(fit: runs.Fit) -> str:
    """What else differs from the paper than the recipe: fewer images, a narrower network."""
    images, width = fit.meta["images"]["train"], fit.recipe["width"]
    words = []
    if images < catalog.TRAIN_IMAGES:
        words.append(f"{images:,} of {catalog.TRAIN_IMAGES:,} training images")
    if width != 1:
        words.append(f"{width:g} × its width")
    return " and ".join(words)


def recipe_table(recipe: Any) -> pd.DataFrame:
    """A recipe's fields as a table, those at their default left out."""
    values = recipe.to_dict()
    default = type(recipe)(recipe.network, recipe.epochs, recipe.lr).to_dict()
    shown = ("network", "epochs", "lr", "batch_size", "optimizer", "momentum", "width", "seed")
    kept = {k: v for k, v in values.items() if k in shown or v != default[k]}
    kept["augment"] = values["augment"]["mode"]
    return pd.DataFrame({"value": {k: str(v) for k, v in kept.items()}}).rename_axis("field")


def penalty_share(fit: runs.Fit) -> str:
    """How much of the loss the penalties on weights and activations are."""
    history = fit.history()
    first, last = history.iloc[0], history.iloc[-1]
    if not last.penalty:
        return "This recipe uses no penalties on weights or activations."
    shares = [row.penalty / (row.penalty + row.train_loss) for row in (first, last)]
    return (
        f"The penalties are {percent(shares[0])} of the loss in the first epoch and "
        f"{percent(shares[1])} in the last ({last.penalty:.3f} beside a cross-entropy of "
        f"{last.train_loss:.3f})."
    )
