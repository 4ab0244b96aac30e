"""A data audit: counts, grayscale images, byte-identical files and box sizes, as tables."""

from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pandas as pd

from tin_lib.data.packed import open_packed
from tin_lib.data.subset import open_data
from tin_lib.data.types import TinyImageNet


@dataclass(frozen=True, eq=False)
class Audit:
    """Tables that describe a data set.

    Attributes:
        splits: one row per split: split, images, grayscale, classes, fewest and most per class.
        classes: one row per class: class, name, and the number of images in each labelled split.
        identical: one row per file that is byte-identical to another: group, split, file, label
            (wnid, empty for test), conflict (whether the labels within the group differ).
        boxes: one row per labelled image with a box: split, file, label, width, height (pixels,
            both ends included) and share, the part of the image covered by the box (0..1). Empty
            for data without boxes.
    """

    splits: pd.DataFrame
    classes: pd.DataFrame
    identical: pd.DataFrame
    boxes: pd.DataFrame


def audit(data: TinyImageNet | str | Path) -> Audit:
    """Audit an opened data set, or open and audit one: ``data`` is what ``open_data`` takes."""
    if not isinstance(data, TinyImageNet):
        data = open_data(data)
    images = _images(data)
    return Audit(_splits(images), _classes(images, data), _identical(images), _boxes(images))


def identical_groups(identical: pd.DataFrame) -> pd.DataFrame:
    """One row per group of identical files: files, splits (such as ``train+val``), conflict."""
    groups = identical.groupby("group")
    return pd.DataFrame(
        {
            "files": groups.file.agg(" ".join),
            "splits": groups.split.agg(lambda names: "+".join(dict.fromkeys(names))),
            "labels": groups.label.agg(lambda ids: " ".join(dict.fromkeys(filter(None, ids)))),
            "conflict": groups.conflict.first(),
        }
    )


def _images(data: TinyImageNet) -> pd.DataFrame:
    """One row per image: split, file, label (wnid), gray, digest (hex), x0, y0, x1, y1."""
    packed = open_packed(data.root)
    digest = {}
    for name, columns in packed.columns.items():
        hexes = [bytes(row).hex() for row in columns["digests"]]
        digest[name] = pd.Series(hexes, index=columns["files"])
    ids = np.array([*data.class_ids, ""], dtype=object)  # label -1: the empty one at the end
    parts = []
    for name, split in data.splits.items():
        table = pd.DataFrame(split.boxes, columns=["x0", "y0", "x1", "y1"])
        table.insert(0, "split", name)
        table.insert(1, "file", split.files)
        table["label"], table["gray"] = ids[split.labels], split.gray
        source = digest["train" if name == "heldout" else name]
        parts.append(table.assign(digest=source.loc[split.files].to_numpy()))
    return pd.concat(parts, ignore_index=True)


def _splits(images: pd.DataFrame) -> pd.DataFrame:
    groups = images.groupby("split", sort=False)
    table = pd.DataFrame({"images": groups.size(), "grayscale": groups.gray.sum()})
    counts = images[images.label != ""].groupby(["split", "label"]).size().groupby("split")
    ranges = pd.DataFrame({"classes": counts.size(), "fewest": counts.min(), "most": counts.max()})
    return table.join(ranges).fillna(0).astype(int).reset_index()


def _classes(images: pd.DataFrame, data: TinyImageNet) -> pd.DataFrame:
    labelled = images[images.label != ""]
    counts = pd.crosstab(labelled.label, labelled.split)
    counts = counts.reindex(list(data.class_ids), fill_value=0)
    counts = counts[[name for name in data.splits if name in counts]]
    counts.insert(0, "name", data.class_names)
    return counts.rename_axis("class").rename_axis(None, axis=1).reset_index()


def _identical(images: pd.DataFrame) -> pd.DataFrame:
    same = images[images.duplicated("digest", keep=False)]
    groups = same.groupby("digest", sort=False)
    # A test image has no label, so it cannot contradict one.
    labels = same.assign(label=same.label.where(same.label != "")).groupby("digest", sort=False)
    table = same[["split", "file", "label"]].copy()
    table.insert(0, "group", groups.ngroup())
    table["conflict"] = labels.label.transform("nunique").gt(1)
    return table.sort_values("group", kind="stable").reset_index(drop=True)


def _boxes(images: pd.DataFrame) -> pd.DataFrame:
    boxed = images[images.x0 >= 0]
    width, height = boxed.x1 - boxed.x0 + 1, boxed.y1 - boxed.y0 + 1
    table = boxed[["split", "file", "label"]].assign(width=width, height=height)
    return table.assign(share=width.astype(float) * height / 64**2).reset_index(drop=True)
