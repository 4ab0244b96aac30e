"""The closing text of the notebook ``published``."""

from typing import Any

import pandas as pd

from tin_lib import catalog, runs
from tin_lib.lab.formatting import percent

SAME = 0.0005  # another processor's rounding moves a few of 10,000 images


def accuracies(fit: runs.Fit) -> pd.DataFrame:
    """Accuracy on val in 0..1, top-1 and top-5: computed here, and on the card."""
    here, card = fit.summary, fit.meta["published"]["accuracy"]
    rows = {
        "computed here": {"top1": here["val_accuracy"], "top5": here["val_top5"]},
        "on its card": {"top1": card["val_top1"], "top5": card["val_top5"]},
    }
    return pd.DataFrame.from_dict(rows, "index")


def judge(fit: runs.Fit) -> tuple[bool, float]:
    """Whether the data are those that the network was learnt from, and how much higher the top-1
    accuracy is here than on the card."""
    same = fit.meta["fingerprint"] == fit.meta["published"]["fingerprint"]
    top1 = accuracies(fit)["top1"]
    return same, float(top1["computed here"] - top1["on its card"])


def text(fit: runs.Fit) -> str:
    """What was found, and how to go on."""
    same, difference = judge(fit)
    summary: dict[str, Any] = fit.summary
    sentences = [
        f"**{catalog.title(summary['network'])}** was not trained here: its weights were published "
        f"after {summary['epochs']} epochs in {summary['seconds']:,.0f} s on {summary['device']}.",
        f"It classifies **{percent(summary['val_accuracy'])} of the validation images** correctly "
        f"(top-5 accuracy {percent(summary['val_top5'])}); "
        f"{_compared(difference)}.",
        "The data are those that it was trained on." if same else "It was trained on other data.",
    ]
    return " ".join(sentences) + f'\n\nIn notebook 07 set `network = "{fit.name}"`.'


def _compared(difference: float) -> str:
    """The accuracy here compared with the card's, in words."""
    if abs(difference) <= SAME:
        return "this is the accuracy on its model card"
    side = "more" if difference > 0 else "less"
    return f"{100 * abs(difference):.2f} points {side} than its model card says"
