"""Which classes fail, and what is taken for what."""

import pandas as pd

from tin_lib import runs
from tin_lib.analysis.errors import short_names
from tin_lib.data import TinyImageNet
from tin_lib.lab.formatting import counted, few, percent, rows


def mistakes(wrong: pd.DataFrame, data: TinyImageNet) -> list[str]:
    """Titles for pictures of mistakes: what it is → what it was taken for, and how surely."""
    names = short_names(data.class_ids, data.class_names)
    return [
        f"{names[row.label]}<br>→ {names[row.predicted]}<br>{percent(row.probability)}"
        for row in rows(wrong)
    ]


def named_prediction(run: runs.Run, network: str, row: int) -> str:
    """A network's label of a validation image, with its probability, in a row's label."""
    fit = run.fits[network]
    names = short_names(fit.class_ids, fit.class_names)
    table = fit.predictions("val").iloc[row]
    mark = "✓" if table.label == table.predicted else "✗"
    return f"<br>{names[table.predicted]} {percent(table.probability)} {mark}"


def class_errors(
    classes: pd.DataFrame, pairs: pd.DataFrame, verdict: list[str], doubtful: pd.DataFrame
) -> str:
    """Best and worst classes, the commonest confusion, the verdict on the boxes.

    ``classes``: by ``per_class``; ``pairs``: by ``most_confused``, all of them; ``verdict``: by
    ``errors.verdict``; ``doubtful``: by ``label_issues``.
    """
    files = doubtful.drop_duplicates(["split", "file"])
    said = [ends(classes[classes.images > 0]), commonest(pairs)]
    said.append(f"Labels worth a second look: {len(files)}.")
    return " ".join(said) + "\n\n" + "\n".join(nested(verdict))


def ends(classes: pd.DataFrame) -> str:
    """Which classes have the lowest and which the highest error rate."""
    low, high = (classes[classes.error_rate == f(classes.error_rate)] for f in (min, max))
    if len(low) == len(classes):
        first = low.iloc[0]
        return f"All classes fare alike: {counted(first.errors, 'error')} of {first.images} each."
    return f"Best {one_end(low)}; worst {one_end(high)}{taken_for(high)}."


def one_end(share: pd.DataFrame) -> str:
    """The classes that share a place, with their errors."""
    first = share.iloc[0]
    word, each = ("class", "") if len(share) == 1 else ("classes", " each")
    told = f"{counted(first.errors, 'error')} of {first.images}{each}"
    return f"{word}: **{few(list(share.name))}** ({told})"


def taken_for(worst: pd.DataFrame) -> str:
    """What the worst class is mostly taken for, where there is one of each."""
    first = worst.iloc[0]
    mostly = len(worst) == 1 and first.taken_count > first.errors / 2
    return f", mostly taken for {first.taken_for}" if mostly else ""


def commonest(pairs: pd.DataFrame) -> str:
    """The pairs of classes with the most errors of one for the other."""
    if pairs.empty:
        return "No image is taken for another class."
    top = pairs[pairs["count"] == pairs["count"].max()]
    told = few([f"{row.label_name} taken for {row.predicted_name}" for row in rows(top)])
    each = " each" if len(top) > 1 else ""
    return f"The commonest confusion: {told} ({counted(top['count'].iloc[0], 'image')}{each})."


def nested(verdict: list[str]) -> list[str]:
    """A Markdown list, the verdict's details below what they are details of."""
    return [f"  {line}" if line.startswith("- ") else f"- {line}" for line in verdict]
