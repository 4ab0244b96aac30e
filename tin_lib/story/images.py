"""What is in a data set."""

import pandas as pd

from tin_lib import augment, paper
from tin_lib.data import Audit, TinyImageNet, identical_groups
from tin_lib.story.words import listed, percent, rows


def data(opened: TinyImageNet) -> str:
    """How many images of how many classes there are."""
    return (
        f"{len(opened.train):,} training and {len(opened.val):,} validation images of "
        f"{opened.num_classes} classes."
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
    counts = listed(f"{row.images:,} {name}" for name, row in splits.iterrows())
    gray = [f"{row.grayscale:,} {name}" for name, row in splits.iterrows() if row.grayscale]
    said = [f"The data hold {counts} images of {data.num_classes} classes."]
    said.append(f"Grayscale files: {listed(gray) or 'none'}.")
    said.append(repeated(found))
    share = found.boxes.share[found.boxes.split == "train"].median()
    if share == share:  # not NaN: there are boxes
        said.append(f"Half of the training boxes cover less than {percent(share)} of their image.")
    if splits.images.get("train") == paper.TRAIN_IMAGES and data.num_classes == paper.CLASSES:
        said.append(beside_known(found))
    return " ".join(said)


def repeated(found: Audit) -> str:
    """How many files are byte-identical, and whether their labels agree."""
    groups = rows(identical_groups(found.identical)) if len(found.identical) else []
    if not groups:
        return "No two files are byte-identical."
    conflicts = sum(group.conflict for group in groups)
    labels = f"in {conflicts} of them" if conflicts else "in none of them"
    word = "group" if len(groups) == 1 else "groups"
    return f"Byte-identical files: {len(groups)} {word}; {labels} the labels contradict each other."


def beside_known(found: Audit) -> str:
    """Whether the audit of the whole data set finds what is known of it."""
    splits, groups = found.splits.set_index("split"), identical_groups(found.identical)
    here = {name: int(splits.grayscale.get(name, 0)) for name in paper.GRAYSCALE}
    same = here == paper.GRAYSCALE and len(groups) == paper.IDENTICAL["groups"]
    if same and groups.conflict.sum() == paper.IDENTICAL["conflicts"]:
        return "These are the counts known of the official data set."
    known = listed(f"{count:,} {name}" for name, count in paper.GRAYSCALE.items())
    return (
        f"The official data set has {known} grayscale files and {paper.IDENTICAL['groups']} groups "
        f"of identical ones, {paper.IDENTICAL['conflicts']} with conflicting labels: this copy "
        "differs from it."
    )
