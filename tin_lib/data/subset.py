"""Opening the data set, whole or in part: classes, images per class, a held-out part of train."""

import hashlib
import json
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np

from tin_lib.data.annotations import SIZE
from tin_lib.data.layout import find_root
from tin_lib.data.packed import SPLITS, Packed, open_packed
from tin_lib.data.stats import mean_std
from tin_lib.data.types import Split, TinyImageNet


@dataclass(frozen=True)
class Part:
    """A part of the data; ``classes`` are indices into the full class order."""

    classes: tuple[int, ...] | None = None
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

    Mean and deviation are those of the remaining training images. Raises FileNotFoundError or
    ValueError naming the parameter, or the file that is wrong.
    """
    root = find_root(data)
    packed = open_packed(root)
    chosen = _choose_classes(packed.meta["class_ids"], classes)
    part = _part(packed, chosen, per_class, holdout, seed)
    whole = part == Part()
    opened = _whole(root, packed) if whole else _subset(root, packed, part)
    request: dict[str, Any] = {"data": "sample" if str(data) == "sample" else str(root.resolve())}
    if not whole:
        request |= {"classes": list(opened.class_ids), "per_class": per_class}
        request |= {"holdout": holdout, "seed": seed}
    return replace(opened, request=request)


def _part(
    packed: Packed, classes: tuple[int, ...], per_class: int | None, holdout: float, seed: int
) -> Part:
    """The part without parameters that change nothing, so that the same images have the same
    fingerprint."""
    if per_class is not None and per_class < 1:
        raise ValueError(f"per_class must be at least 1, not {per_class}")
    if not 0 <= holdout < 1:
        raise ValueError(f"holdout must be at least 0 and below 1, not {holdout}")
    counts = np.bincount(packed.columns["train"]["labels"])
    if per_class is not None and per_class >= counts.max():
        per_class = None
    everything = len(classes) == len(counts)
    return Part(None if everything else classes, per_class, holdout, seed if holdout else 0)


def _choose_classes(class_ids: list[str], classes: int | Sequence[str] | None) -> tuple[int, ...]:
    total = len(class_ids)
    if classes is None:
        return tuple(range(total))
    if isinstance(classes, int):
        if not 1 <= classes <= total:
            raise ValueError(f"classes must lie between 1 and {total}, not {classes}")
        return tuple(i * total // classes for i in range(classes))
    if isinstance(classes, str):
        raise ValueError(f"classes must be a number or a list of class ids, not {classes!r}")
    if not len(classes):
        raise ValueError("classes must name at least one class id")
    code = {wnid: i for i, wnid in enumerate(class_ids)}
    unknown = [wnid for wnid in classes if wnid not in code]
    if unknown:
        raise ValueError(f"classes: {unknown[0]} is no class of the data")
    return tuple(sorted({code[wnid] for wnid in classes}))


def _whole(root: Path, packed: Packed) -> TinyImageNet:
    meta = packed.meta
    splits: dict[str, Any] = {name: packed.split(name) for name in SPLITS}
    return TinyImageNet(
        root=root,
        class_ids=tuple(meta["class_ids"]),
        class_names=tuple(meta["class_names"]),
        fingerprint=meta["fingerprint"],
        mean=np.array(meta["mean"]),
        std=np.array(meta["std"]),
        heldout=None,
        **splits,
    )


def _subset(root: Path, packed: Packed, part: Part) -> TinyImageNet:
    whole = _whole(root, packed)
    classes = part.classes or tuple(range(whole.num_classes))
    rows = _first_rows(whole.train.labels, classes, part.per_class)
    train_rows, heldout_rows = _hold_out(whole.train.labels, rows, part)
    sums, squares = (packed.columns["train"][name][train_rows] for name in ("sums", "squares"))
    mean, std = mean_std(sums, squares, SIZE**2)
    heldout = replace(_take(whole.train, heldout_rows, classes), name="heldout")
    return replace(
        whole,
        class_ids=tuple(whole.class_ids[i] for i in classes),
        class_names=tuple(whole.class_names[i] for i in classes),
        fingerprint=_part_fingerprint(whole, part),
        mean=mean,
        std=std,
        train=_take(whole.train, train_rows, classes),
        heldout=heldout if len(heldout) else None,
        val=_take(whole.val, _first_rows(whole.val.labels, classes, None), classes),
    )


def _first_rows(labels: np.ndarray, classes: Sequence[int], count: int | None) -> np.ndarray:
    """Row numbers of the first ``count`` images (None: all) of each class, in row order."""
    return np.sort(np.concatenate([np.flatnonzero(labels == label)[:count] for label in classes]))


def _hold_out(labels: np.ndarray, rows: np.ndarray, part: Part) -> tuple[np.ndarray, np.ndarray]:
    """Split ``rows`` into those that stay and those held out, the same share of each class."""
    if not part.holdout:
        return rows, rows[:0]
    generator = np.random.default_rng(part.seed)
    held = []
    for label in np.unique(labels[rows]):
        own = rows[labels[rows] == label]
        count = round(part.holdout * len(own))
        if not 0 < count < len(own):
            raise ValueError(
                f"holdout={part.holdout} of {len(own)} images a class leaves none on one side"
            )
        held.append(generator.choice(own, count, replace=False))
    out = np.sort(np.concatenate(held))
    return np.setdiff1d(rows, out, assume_unique=True), out


def _take(split: Split, rows: np.ndarray, classes: Sequence[int]) -> Split:
    """Select rows, renumbering labels to positions in ``classes``; no copy where all stay."""
    part = split if len(rows) == len(split) else split.select(rows)
    return replace(part, labels=np.searchsorted(np.array(classes), part.labels))


def _part_fingerprint(whole: TinyImageNet, part: Part) -> str:
    wanted = [part.classes, part.per_class, part.holdout, part.seed]
    return hashlib.sha256(f"{whole.fingerprint} {json.dumps(wanted)}".encode()).hexdigest()
