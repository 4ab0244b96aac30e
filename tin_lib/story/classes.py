"""Which classes fail, and what is taken for what."""

import pandas as pd

from tin_lib import runs
from tin_lib.data import TinyImageNet
from tin_lib.errors import short_names
from tin_lib.story.words import counted, few, percent, rows


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
    ends: pd.DataFrame, pairs: pd.DataFrame, verdict: list[str], doubtful: pd.DataFrame
) -> str:
    """Best and worst classes, the commonest confusion, the verdict on the boxes.

    ``ends``: by ``best_and_worst``; ``pairs``: by ``most_confused``; ``verdict``: by
    ``errors.verdict``; ``doubtful``: by ``suspects``.
    """
    said = [f"{one_end(ends, 'best')}; {one_end(ends, 'worst')}{taken_for(ends)}."]
    if len(pairs):
        top = pairs[pairs["count"] == pairs["count"].max()]
        told = few([f"{row.label_name} taken for {row.predicted_name}" for row in rows(top)])
        images = counted(top["count"].iloc[0], "image")
        each = " each" if len(top) > 1 else ""
        said.append(f"The commonest confusion: {told} ({images}{each}).")
    else:
        said.append("No image is taken for another class.")
    said.append(f"Labels worth a second look: {len(doubtful)}.")
    return " ".join(said) + "\n\n" + "\n".join(nested(verdict))


def one_end(ends: pd.DataFrame, end: str) -> str:
    """The classes that share the first place at one end, with their errors."""
    listed = ends[ends.end == end]
    first = listed.iloc[0]
    share = listed[listed.error_rate == first.error_rate]
    classes = "class" if len(share) == 1 else "classes"
    each = "" if len(share) == 1 else " each"
    return (
        f"{end.capitalize() if end == 'best' else end} {classes}: **{few(list(share.name))}** "
        f"({counted(first.errors, 'error')} of {first.images}{each})"
    )


def taken_for(ends: pd.DataFrame) -> str:
    """What the worst class is mostly taken for, where one class is the worst and has errors."""
    worst = ends[ends.end == "worst"]
    alone = (worst.error_rate == worst.error_rate.iloc[0]).sum() == 1
    name = worst.taken_for.iloc[0]
    return f", mostly taken for {name}" if alone and name else ""


def nested(verdict: list[str]) -> list[str]:
    """A Markdown list, the verdict's details below what they are details of."""
    return [f"  {line}" if line.startswith("- ") else f"- {line}" for line in verdict]
