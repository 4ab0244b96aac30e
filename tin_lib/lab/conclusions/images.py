"""What is in a data set."""

from typing import Any

import pandas as pd

from tin_lib import augment, catalog
from tin_lib.analysis.audit import Audit, identical_groups
from tin_lib.data import TinyImageNet
from tin_lib.lab.formatting import counted, listed, percent, rows


def data(opened: TinyImageNet) -> str:
    """How many images of how many classes there are."""
    return (
        f"{len(opened.train):,} training and {len(opened.val):,} validation images of "
        f"{counted(opened.num_classes, 'class')}."
    )


def normalisation(data: TinyImageNet) -> str:
    """The constants that images are normalised with."""
    lines = [
        f"| {name} | {m:.3f} | {s:.3f} |"
        for name, m, s in zip(("red", "green", "blue"), data.mean, data.std, strict=True)
    ]
    head = "| channel | mean (0–255) | standard deviation |\n|---|---|---|\n"
    return head + "\n".join(lines)


def technique_counts(plan: augment.EpochPlan) -> pd.DataFrame:
    """Items of an epoch by augmentation technique."""
    counts = plan.technique.bincount(minlength=len(augment.Technique)).tolist()
    names = [technique.name.lower().replace("_", " ") for technique in augment.Technique]
    table = pd.DataFrame({"technique": [*names, "all"], "items": [*counts, sum(counts)]})
    return table.set_index("technique")


def audit(found: Audit, data: TinyImageNet) -> str:
    """What the audit found."""
    splits = found.splits.set_index("split")
    counted_ = {name: f"{row.images:,} {name}" for name, row in splits.iterrows()}
    labelled = listed(counted_[name] for name in counted_ if name != "test")
    gray = [f"{row.grayscale:,} {name}" for name, row in splits.iterrows() if row.grayscale]
    said = [f"The data hold {labelled} images of {counted(data.num_classes, 'class')}"]
    said[0] += f", and {counted_['test']} images without labels." if "test" in counted_ else "."
    said.append(f"Grayscale files: {listed(gray) or 'none'}.")
    said.append(repeated(found))
    share = found.boxes.share[found.boxes.split == "train"].median()
    if share == share:  # not NaN: there are boxes
        said.append(f"Half of the training boxes cover less than {percent(share)} of their image.")
    if splits.images.get("train") == catalog.TRAIN_IMAGES and data.num_classes == catalog.CLASSES:
        said.append(beside_known(found))
    return " ".join(said)


def repeated(found: Audit) -> str:
    """How many files are byte-identical, and whether their labels agree."""
    groups = rows(identical_groups(found.identical)) if len(found.identical) else []
    if not groups:
        return "No two files are byte-identical."
    conflicts, across = sum(group.conflict for group in groups), conflicts_across(groups)
    told = f"in {conflicts or 'none'} of them the labels contradict each other"
    if across:
        told += f", in {across} of these between a training and a validation file"
    return f"Byte-identical files: {counted(len(groups), 'group')}; {told}."


def conflicts_across(groups: list[Any]) -> int:
    """Groups with a file in train and one in val whose labels contradict each other."""
    return sum(
        group.conflict and {"train", "val"} <= {*group.splits.split("+")} for group in groups
    )


def beside_known(found: Audit) -> str:
    """Whether the audit of the whole data set finds what is known of it."""
    splits, groups = found.splits.set_index("split"), rows(identical_groups(found.identical))
    here = {name: int(splits.grayscale.get(name, 0)) for name in catalog.GRAYSCALE}
    same = here == catalog.GRAYSCALE and len(groups) == catalog.IDENTICAL["groups"]
    if same and conflicts_across(groups) == catalog.IDENTICAL["across"]:
        return "These are the counts known of the official data set."
    known = listed(f"{count:,} {name}" for name, count in catalog.GRAYSCALE.items())
    return (
        f"The official data set has {known} grayscale files and {catalog.IDENTICAL['groups']} "
        f"groups of identical ones, {catalog.IDENTICAL['across']} with conflicting labels in "
        "training and validation: this copy differs from it."
    )
