"""What a data set contains."""

from dataclasses import dataclass
from typing import Any

import pandas as pd

from tin_lib import augment
from tin_lib.analysis import paper
from tin_lib.analysis.audit import Audit, identical_groups
from tin_lib.data import TinyImageNet
from tin_lib.lab.formatting import count_noun, join_and, percent, rows

# Measured on the official data set: grayscale files; groups of byte-identical files, and those
# with a file in train and one in val under another label.
GRAYSCALE = {"train": 1_821, "val": 168, "test": 189}
IDENTICAL = {"groups": 39, "across": 7}


@dataclass(frozen=True)
class AuditRecord:
    """What the audit of a data set found."""

    images: dict[str, int]  # by split
    classes: int
    grayscale: dict[str, int]  # by split
    groups: int  # of byte-identical files
    conflicts: int  # of these, groups with contradicting labels
    across: int  # of these, groups with a training and a validation file
    box_share: float | None  # median part of a training image that its box covers; None: no boxes
    official: bool | None  # the counts known of the official data; None: not that data set


def data(opened: TinyImageNet) -> str:
    """How many images of how many classes there are."""
    return (
        f"{len(opened.train):,} training and {len(opened.val):,} validation images of "
        f"{count_noun(opened.num_classes, 'class')}."
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


def judge_audit(found: Audit, data: TinyImageNet) -> AuditRecord:
    """The record of an audit."""
    splits = found.splits.set_index("split")
    groups = rows(identical_groups(found.identical)) if len(found.identical) else []
    share = found.boxes.share[found.boxes.split == "train"]
    grayscale = {str(name): int(count) for name, count in splits.grayscale.items()}
    across = sum(across_splits(group) for group in groups)
    return AuditRecord(
        images={str(name): int(count) for name, count in splits.images.items()},
        classes=data.num_classes,
        grayscale=grayscale,
        groups=len(groups),
        conflicts=sum(group.conflict for group in groups),
        across=across,
        box_share=float(share.median()) if len(share) else None,
        official=is_official(splits, data.num_classes, grayscale, len(groups), across),
    )


def across_splits(group: Any) -> bool:
    """Whether a group has a training and a validation file and contradicting labels."""
    return bool(group.conflict and {"train", "val"} <= {*group.splits.split("+")})


def is_official(
    splits: pd.DataFrame, classes: int, grayscale: dict[str, int], groups: int, across: int
) -> bool | None:
    """Whether data of the official size have the known counts; None for data of another size."""
    if splits.images.get("train") != paper.TRAIN_IMAGES or classes != paper.CLASSES:
        return None
    counts = {name: grayscale.get(name, 0) for name in GRAYSCALE}
    return counts == GRAYSCALE and {"groups": groups, "across": across} == IDENTICAL


def audit(found: Audit, data: TinyImageNet) -> str:
    """What the audit found."""
    return audit_text(judge_audit(found, data))


def audit_text(record: AuditRecord) -> str:
    """The record in words."""
    counts = [f"{count:,} {name}" for name, count in record.images.items() if name != "test"]
    test = record.images.get("test")
    unlabelled = f", and {test:,} test images without labels" if test else ""
    gray = [f"{count:,} {name}" for name, count in record.grayscale.items() if count]
    lines = [
        f"The data set has {join_and(counts)} images of {count_noun(record.classes, 'class')}"
        f"{unlabelled}.",
        f"Grayscale files: {join_and(gray) or 'none'}.",
        identical_text(record),
        "There are no bounding boxes."
        if record.box_share is None
        else f"Half of the training boxes cover less than {percent(record.box_share)} of their "
        "image.",
    ]
    return " ".join([*lines, *official_text(record)])


def identical_text(record: AuditRecord) -> str:
    """How many files are byte-identical, and whether their labels agree."""
    if not record.groups:
        return "No two files are byte-identical."
    across = f", {record.across} of them between training and validation" if record.across else ""
    conflicts = f"{record.conflicts or 'none'} with contradicting labels{across}"
    return f"Byte-identical files: {count_noun(record.groups, 'group')}, {conflicts}."


def official_text(record: AuditRecord) -> list[str]:
    """Whether the counts are those known of the official data set."""
    if record.official is None:
        return []
    if record.official:
        return ["These counts are the same as in the official data set."]
    known = join_and(f"{count:,} {name}" for name, count in GRAYSCALE.items())
    return [
        f"The official data set has {known} grayscale files and {IDENTICAL['groups']} "
        f"groups of identical files, {IDENTICAL['across']} of them with contradicting "
        "labels between training and validation: this copy differs from it."
    ]
