"""Opening the data set, whole or in part: classes, images per class, a held-out part of train."""

import hashlib
import json
import numbers
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np

from tin_lib.data.annotations import SIZE
from tin_lib.data.decode import mean_std
from tin_lib.data.layout import find_root
from tin_lib.data.packed import SPLITS, Packed, open_packed
from tin_lib.data.types import Split, TinyImageNet


class Part(NamedTuple):
    """A part of the data."""

    classes: tuple[int, ...] | None = None  # indices into the full class order
    per_class: int | None = None
    holdout: float = 0.0
    seed: int = 0


def open_data(
    data: str | Path,
    *,
    classes: int | Sequence[str] | None = None,
    per_class: int | None = None,
    holdout: float = 0.0,
    seed: int = 0,
) -> TinyImageNet:
    """Open Tiny ImageNet or other pictures in class folders, packing them on first use.

    Args:
        data: ``"sample"`` for the built-in sample, or a folder: Tiny ImageNet as its zip has it, or
            ``train/<class>/…`` and ``val/<class>/…`` with images of any format and size.
        classes: a number of classes, spread evenly over the class order, or a list of class ids.
            Val keeps all images of these classes; test, which has no labels, keeps all it has.
        per_class: training images per class, the first ones by file number.
        holdout: share of each class's training images, in [0, 1), moved to ``heldout``.
        seed: draws the held-out images.

    Mean and deviation are those of the remaining training images. FileNotFoundError and ValueError
    name the parameter or the file that is wrong.
    """
    root = find_root(data)
    packed = open_packed(root)
    meta, whole = packed.meta, {name: packed.split(name) for name in SPLITS}
    classes, per_class = _whole("classes", classes), _whole("per_class", per_class)
    chosen = _choose_classes(meta["class_ids"], classes)
    part = _part(packed, chosen, per_class, holdout, seed)
    rows, held_out = _train_rows(whole["train"].labels, chosen, part)
    sums, squares = (packed.columns["train"][name][rows] for name in ("sums", "squares"))
    mean, std = mean_std(sums, squares, SIZE**2)
    ids, names = (tuple(meta[key][i] for i in chosen) for key in ("class_ids", "class_names"))
    fingerprint: str = meta["fingerprint"]
    request: dict[str, Any] = {"data": "sample" if str(data) == "sample" else str(root)}
    if part != Part():
        fingerprint = hashlib.sha256(f"{fingerprint} {json.dumps(part)}".encode()).hexdigest()
        request |= {"classes": list(ids), "per_class": per_class, "holdout": holdout, "seed": seed}
    train = _take(whole["train"], rows, chosen)
    heldout = replace(_take(whole["train"], held_out, chosen), name="heldout")
    val = _take(whole["val"], _first_rows(whole["val"].labels, chosen, None), chosen)
    splits = train, heldout if len(heldout) else None, val, whole["test"]
    return TinyImageNet(root, ids, names, fingerprint, mean, std, *splits, request)


def _whole(name: str, value: Any) -> Any:
    """``value``; if it is a number, such as 2.0 from YAML or pandas, as an int."""
    if not isinstance(value, numbers.Real) or type(value) is int:
        return value
    if isinstance(value, bool) or not float(value).is_integer():
        raise ValueError(f"{name}={value!r}: must be a whole number")
    return int(float(value))


def _part(
    packed: Packed, classes: tuple[int, ...], per_class: int | None, holdout: float, seed: int
) -> Part:
    """The part without parameters that change nothing: equal images have equal fingerprints."""
    counts = np.bincount(packed.columns["train"]["labels"])
    if per_class is not None and per_class < 1:
        raise ValueError(f"per_class must lie between 1 and {counts.max()}, not {per_class}")
    if not 0 <= holdout < 1:
        raise ValueError(f"holdout must be at least 0 and below 1, not {holdout}")
    images = per_class if per_class is not None and per_class < counts.max() else None
    subset = classes if len(classes) < len(counts) else None
    return Part(subset, images, holdout, seed if holdout else 0)


def _choose_classes(class_ids: list[str], classes: int | Sequence[str] | None) -> tuple[int, ...]:
    total = len(class_ids)
    classes = total if classes is None else classes
    if isinstance(classes, int):
        if not 1 <= classes <= total:
            raise ValueError(f"classes must lie between 1 and {total}, not {classes}")
        return tuple(i * total // classes for i in range(classes))
    if isinstance(classes, str) or not len(classes):
        raise ValueError(f"classes must be a number or a list of class ids, not {classes!r}")
    if unknown := [wnid for wnid in classes if wnid not in class_ids]:
        raise ValueError(f"classes: {unknown[0]} is not a class of the data")
    return tuple(sorted({class_ids.index(wnid) for wnid in classes}))


def _first_rows(labels: np.ndarray, classes: Sequence[int], count: int | None) -> np.ndarray:
    """Row numbers of the first ``count`` images (None: all) of each class, in row order."""
    return np.sort(np.concatenate([np.flatnonzero(labels == label)[:count] for label in classes]))


def _train_rows(
    labels: np.ndarray, classes: Sequence[int], part: Part
) -> tuple[np.ndarray, np.ndarray]:
    """Rows of the training images that stay and of those held out, the same share of each class."""
    rows = _first_rows(labels, classes, part.per_class)
    if not part.holdout:
        return rows, rows[:0]
    generator = np.random.default_rng(part.seed)
    held = []
    for label in np.unique(labels[rows]):
        own = rows[labels[rows] == label]
        count = round(part.holdout * len(own))
        if not 0 < count < len(own):
            share = f"holdout={part.holdout} of {len(own)} images a class"
            raise ValueError(f"{share} leaves one part empty; one image is {1 / len(own):.2g}")
        held.append(generator.choice(own, count, replace=False))
    out = np.sort(np.concatenate(held))
    return np.setdiff1d(rows, out, assume_unique=True), out


def _take(split: Split, rows: np.ndarray, classes: Sequence[int]) -> Split:
    """Select rows, renumbering labels to positions in ``classes``; no copy where all stay."""
    part = split if len(rows) == len(split) else split.select(rows)
    return replace(part, labels=np.searchsorted(np.array(classes), part.labels))
