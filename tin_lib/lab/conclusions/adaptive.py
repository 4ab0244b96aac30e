"""Whether class-adaptive augmentation helps the worst classes, and what it costs the others."""

from typing import Any

import pandas as pd

from tin_lib.analysis.adaptive import ADAPTIVE, ALL, OTHERS, SHUFFLED, UNIFORM, WORST
from tin_lib.lab.conclusions.effects import outcome_sentence
from tin_lib.lab.formatting import percent, rows

CLAIMS = {
    (WORST, UNIFORM): "more copies for the classes with the most held-out errors raise the "
    "accuracy of the worst ones, compared with the same number of copies for each class",
    (WORST, SHUFFLED): "the worst classes gain compared with the same shares assigned to classes "
    "at random",
    (OTHERS, UNIFORM): "the other classes gain as well",
    (OTHERS, SHUFFLED): "the other classes gain compared with the shuffled shares",
    (ALL, UNIFORM): "the accuracy over all classes rises",
    (ALL, SHUFFLED): "the accuracy over all classes rises compared with the shuffled shares",
}
PAY = {
    "yes": "So the other classes lose nothing.",
    "no": "So the other classes lose accuracy.",
    "undecided": "So whether the other classes lose is undecided.",
}


def adaptive(table: pd.DataFrame, regression: pd.DataFrame) -> str:
    """The notebook's closing text.

    ``table``: of ``adaptive.compare_groups``; ``regression``: of
    ``adaptive.regression_to_the_mean``.
    """
    found = {(row.group, row.against): row for row in rows(table)}
    lines = []
    for key, claim in CLAIMS.items():
        line = outcome_sentence(claim, found[key])
        lines.append(f"{line} {PAY[found[key].outcome]}" if key == (OTHERS, UNIFORM) else line)
    text = "\n".join(f"- {line}" for line in lines)
    return f"{verdict_text(found)}\n\n{text}\n\n{regression_text(regression)}"


def verdict_text(found: dict[tuple[str, str], Any]) -> str:
    """One sentence from both comparisons of the worst classes."""
    uniform, shuffled = (found[WORST, other].outcome for other in (UNIFORM, SHUFFLED))
    if uniform == "no":
        return f"**No**: {ADAPTIVE} copies lower the accuracy of the worst classes."
    if shuffled == "no":
        return "**No**: shares assigned at random help the worst classes more."
    if uniform == shuffled == "yes":
        return (
            f"**Yes**: {ADAPTIVE} copies help the worst classes, and more than shuffled shares do."
        )
    if uniform == "yes":
        return (
            "**Undecided**: the worst classes gain, but not clearly more than with shuffled shares."
        )
    return "**Undecided**: the worst classes do not gain significantly."


def regression_text(table: pd.DataFrame) -> str:
    """How much of the worst classes' error is the choice itself."""
    chosen, same, fresh = table[WORST]
    if pd.isna([chosen, same, fresh]).any():
        return "Regression to the mean: not measured, because fits diverged."
    return (
        f"Regression to the mean: the worst classes have an error rate of {percent(chosen)} on the "
        f"held-out images that selected them, {percent(same)} on validation images with the same "
        f"fits and {percent(fresh)} with new fits of the same recipe."
    )
