"""What features are worth: the probe's accuracy, by images per class, and the network's own."""

import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd
import torch

from tin_lib.analysis import arms, statistics
from tin_lib.analysis.features import probe
from tin_lib.analysis.features.imagenet import head_scores
from tin_lib.analysis.features.store import Features
from tin_lib.data import TinyImageNet

PER_CLASS = (1, 5, 10, 25, 50, 100, 250)  # images of each class, points of a learning curve
DRAWS = (0, 1, 2)  # seeds of the random choices of that many images


@dataclass(frozen=True, eq=False)
class Curve:
    """A learning curve.

    ``table``: a row for each probe: per_class (images of each class), draw, images, penalty,
    val_accuracy with its Wilson interval low and high, seconds. ``correct``: by (per_class, draw),
    whether each validation image is classified correctly, bool (N,).
    """

    table: pd.DataFrame
    correct: dict[tuple[int, int], np.ndarray]

    @property
    def last(self) -> np.ndarray:
        """Whether the probe of the most images is right, bool (N,), for each validation image."""
        return self.correct[max(self.correct)]

    def summary(self) -> pd.DataFrame:
        """Mean and standard deviation over the draws: per_class, draws, mean, std, penalty."""
        accuracies = self.table.groupby("per_class").val_accuracy
        parts = {"draws": accuracies.count(), "mean": accuracies.mean(), "std": accuracies.std()}
        return pd.DataFrame(parts).reset_index()


def learning_curve(
    features: Features,
    data: TinyImageNet,
    per_class: Sequence[int] = PER_CLASS,
    draws: Sequence[int] = DRAWS,
    everything: bool = True,
) -> Curve:
    """Probes from few images of each class to many, evaluated on val.

    The images are drawn at random with each seed of ``draws``, those of a smaller number among
    those of a larger one; ``everything`` adds all images, once, with the first seed for the
    held-out part. Numbers that the smallest class does not exceed are left out. Raises ValueError
    for features of other data.
    """
    features.check(data)
    if not draws or min(per_class, default=1) < 1:
        raise ValueError(
            f"per_class={tuple(per_class)}: must be at least 1, with at least one draw"
        )
    train, labels = features.rows("train"), data.train.labels
    most = int(np.bincount(labels, minlength=data.num_classes).min())
    rows, correct = [], {}
    for count in sorted({count for count in per_class if count < most}):
        for draw in draws:
            chosen = drawn(labels, count, draw)
            row, right = evaluate(features, data, train[chosen], labels[chosen], draw)
            rows.append({"per_class": count, "draw": draw} | row)
            correct[count, draw] = right
    if everything:
        row, correct[most, draws[0]] = evaluate(features, data, train, labels, draws[0])
        rows.append({"per_class": most, "draw": draws[0]} | row)
    return Curve(pd.DataFrame(rows), correct)


def drawn(labels: np.ndarray, count: int, draw: int) -> np.ndarray:
    """Rows of ``count`` images of each class; a larger count adds to them."""
    generator = np.random.default_rng(draw)
    orders = [generator.permutation(np.flatnonzero(labels == label)) for label in np.unique(labels)]
    return np.sort(np.concatenate([order[:count] for order in orders]))


def evaluate(
    features: Features, data: TinyImageNet, rows: np.ndarray, labels: np.ndarray, seed: int
) -> tuple[dict[str, Any], np.ndarray]:
    """Figures of a probe of these rows, and which validation images it classifies correctly."""
    started = time.perf_counter()
    fitted = probe.fit(rows, labels, data.num_classes, seed=seed)
    right = fitted.scores(features.rows("val")).argmax(1) == data.val.labels
    own = {"images": len(rows), "penalty": fitted.penalty}
    heldout = max(fitted.heldout.values(), default=float("nan"))
    return own | {
        "heldout_accuracy": heldout,
        **accuracy("val_accuracy", right),
        "seconds": round(time.perf_counter() - started, 2),
    }, right


def accuracy(name: str, correct: np.ndarray) -> dict[str, float]:
    """An accuracy under that name with the ends of its 95 % Wilson interval, low and high."""
    low, high = statistics.wilson(correct.sum(), len(correct))
    return {name: float(correct.mean()), "low": float(low), "high": float(high)}


def compare(
    correct: Mapping[arms.Key, np.ndarray], reference: Mapping[str, str], classes: int
) -> pd.DataFrame:
    """Compare probes, and fits with them, by arm and seed: a table of ``arms.compare_values``.

    ``correct``: bool (N,) for the same validation images. ``reference``: the arm that each arm is
    compared with. Two arms that are both not clearly above chance are not tested.
    """
    shares: dict[str, list[float]] = {}
    for (arm, _), right in correct.items():
        shares.setdefault(arm, []).append(float(right.mean()))
    images = len(next(iter(correct.values())))
    counts = {arm: round(float(np.mean(found)) * images) for arm, found in shares.items()}
    known = {arm for arm, n in counts.items() if statistics.above_chance(n, images, classes)}
    return arms.compare_values(correct, reference, known)


def figures(features: Features, data: TinyImageNet) -> dict[str, Any]:
    """One row: network, weights, input, cost, and the accuracies on val of probe and own head.

    ``head_accuracy``: of ImageNet's 1000-way output layer, cut to the data's classes; NaN where
    the network has none, ``head_note`` says why. Raises ValueError for features of other data.
    """
    features.check(data)
    header = features.header
    row, _ = evaluate(features, data, features.rows("train"), data.train.labels, 0)
    seconds = row.pop("seconds")
    try:
        head = float((head_scores(features, "val").argmax(1) == data.val.labels).mean())
        note = ""
    except ValueError as error:
        head, note = float("nan"), str(error)
    names = ("network", "size", "interpolation", "precision", "dimensions")
    return {
        **{name: header[name] for name in names},
        "weights": header["weights"]["origin"],
        **row,
        "head_accuracy": head,
        "features_minutes": round(features.seconds() / 60, 2),
        "images_per_second": round(features.images_per_second(), 1),
        "probe_minutes": round(seconds / 60, 2),
        "threads": torch.get_num_threads(),
        "head_note": note,
    }
