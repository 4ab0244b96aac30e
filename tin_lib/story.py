"""Sentences for the notebooks, made from the numbers of a run (Markdown text)."""

from typing import Any

import pandas as pd

from tin_lib import paper, runs


def percent(share: float) -> str:
    """0.4551 as ``45.5 %``."""
    return f"{100 * share:.1f} %"


def training(fit: runs.Fit) -> str:
    """What training one network came to."""
    s, history = fit.summary, fit.history()
    gap = s["train_accuracy"] - s["val_accuracy"]
    best = history.loc[history.val_accuracy.idxmax()]
    sentences = [
        f"**{paper.title(s['network'])}** ({s['parameters']:,} parameters) trained "
        f"{s['epochs']} epochs in {s['seconds']:,.0f} s, {s['images_per_second']:,.0f} images/s "
        f"on {s['device']}.",
        f"It names {percent(s['train_accuracy'])} of the training images and "
        f"**{percent(s['val_accuracy'])} of the validation images** correctly "
        f"({percent(s['val_top5'])} among its top five); guessing would give "
        f"{percent(1 / len(fit.class_ids))}.",
        overfitting(gap),
        f"While training, validation accuracy was highest in epoch {best.epoch:.0f} "
        f"({percent(best.val_accuracy)}).",
        beside_paper(fit),
    ]
    return " ".join(sentence for sentence in sentences if sentence)


def overfitting(gap: float) -> str:
    """What a gap between training and validation accuracy says."""
    points = f"{100 * gap:.1f} points"
    if gap > 0.15:
        return f"Training is ahead of validation by {points}: it overfits."
    if gap > 0.03:
        return f"Training is ahead of validation by {points}, a mild overfit."
    return f"Training and validation differ by {points}: more capacity or more training may help."


def beside_paper(fit: runs.Fit) -> str:
    """The paper's figure, when the fit saw data of the same 200 classes."""
    theirs = paper.RESULTS.get(fit.summary["network"])
    if theirs is None or len(fit.class_ids) != 200:
        return "The paper's figures are for 200 classes of real images and cannot be compared."
    difference = 100 * (fit.summary["val_accuracy"] - theirs["val"])
    return (
        f"The paper reports {percent(theirs['val'])} on validation: "
        f"this is {abs(difference):.1f} points {'above' if difference >= 0 else 'below'} it."
    )


def recipe_table(recipe: Any) -> pd.DataFrame:
    """A recipe's fields as a table, those at their default left out."""
    values = recipe.to_dict()
    default = type(recipe)(recipe.network, recipe.epochs, recipe.lr).to_dict()
    shown = ("network", "epochs", "lr", "batch_size", "optimizer", "momentum", "width", "seed")
    rows = {k: v for k, v in values.items() if k in shown or v != default[k]}
    rows["augment"] = values["augment"]["mode"]
    return pd.DataFrame({"value": {k: str(v) for k, v in rows.items()}}).rename_axis("field")


def penalty_share(fit: runs.Fit) -> str:
    """How much of the loss the penalties on weights and activations are."""
    history = fit.history()
    first, last = history.iloc[0], history.iloc[-1]
    shares = [row.penalty / (row.penalty + row.train_loss) for row in (first, last)]
    if not last.penalty:
        return "This recipe uses no penalties on weights or activations."
    return (
        f"The penalties are {percent(shares[0])} of the loss in the first epoch and "
        f"{percent(shares[1])} in the last ({last.penalty:.3f} beside a cross-entropy of "
        f"{last.train_loss:.3f})."
    )
