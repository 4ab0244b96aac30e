"""Votes over networks and the correlation of their errors (the paper's Table 2)."""

from collections.abc import Mapping, Sequence

import numpy as np
import pandas as pd
from numpy.typing import ArrayLike
from scipy.special import softmax

from tin_lib.analysis import statistics
from tin_lib.analysis.runs import Fit, Run
from tin_lib.analysis.whole_numbers import whole

FALLBACK = "vgg16"  # the paper's choice where all three networks disagree
Tables = Mapping[str, pd.DataFrame]  # predictions tables of the same images, by name


def majority_vote(predictions: ArrayLike, fallback: int) -> np.ndarray:
    """Return the label with the most votes for each image; the fallback network's for a tie.

    The paper votes over three networks and takes VGG-16's label if all three disagree. For any
    number of networks: if two or more labels share the highest count, the fallback network's label
    is taken, even if it is not one of them. For three networks that is the paper's rule.

    Parameters
    ----------
    predictions: (M, N) labels of N images by M networks, class numbers or wnids.
    fallback: row of the network that decides ties, 0..M-1.

    Returns
    -------
    Labels, (N,), of the same type.
    """
    leader, tied = _count(predictions := np.asarray(predictions))
    fallback = whole("fallback", fallback, most=len(predictions) - 1)
    return np.where(tied, predictions[fallback], leader)


def ties(predictions: ArrayLike) -> np.ndarray:
    """Whether two or more labels share the highest count, bool (N,), as in ``majority_vote``."""
    return _count(np.asarray(predictions))[1]


def _count(predictions: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """The first label with the most votes (N,), and whether another has as many (N,)."""
    labels = predictions.dtype.kind != "c" and (predictions == predictions).all()  # no NaN
    if predictions.ndim != 2 or len(predictions) == 0 or not labels:
        raise ValueError(f"predictions: expected (networks, images), got {predictions}")
    # votes[m, n]: how many networks give image n the label that network m gives it
    votes = (predictions[:, None] == predictions[None]).sum(axis=1)
    best = votes == votes.max(axis=0)
    leader = np.take_along_axis(predictions, best.argmax(axis=0)[None], axis=0)[0]
    return leader, (best & (predictions != leader)).any(axis=0)


def soft_vote(logits: Sequence[np.ndarray]) -> np.ndarray:
    """Mean of the networks' softmax probabilities.

    ``logits``: M arrays (N, C) of scores before softmax, rows of the same images. Returns float64
    (N, C) probabilities in 0..1. Raises ValueError if there is no array, shapes differ, or a score
    is NaN or infinite.
    """
    shapes = {np.shape(scores) for scores in logits}
    if len(shapes) != 1:
        raise ValueError(f"logits: expected arrays of one shape (N, C), got {sorted(shapes)}")
    for number, scores in enumerate(logits, start=1):
        if not np.isfinite(scores).all():
            raise ValueError(f"logits: those of network {number} of {len(logits)} hold NaN or inf")
    return np.mean([softmax(np.float64(scores), axis=1) for scores in logits], axis=0)


def error_correlation(errors: pd.DataFrame) -> pd.DataFrame:
    """Pearson correlation of the errors (0 or 1 per image) of each pair of networks.

    ``errors``: bool (N images, M networks). Returns (M, M) in -1..1; NaN in the row and column of
    a network whose errors do not vary (always right, or always wrong).
    """
    return errors.astype(np.float64).corr()


def mean_correlation(table: pd.DataFrame) -> float:
    """Mean over the pairs of a table from ``error_correlation``, ignoring NaN."""
    pairs = table.to_numpy()[np.triu_indices(len(table), k=1)]
    known = pairs[~np.isnan(pairs)]
    return float(known.mean()) if len(known) else float("nan")


def predictions(
    run: Run, split: str = "val", members: Sequence[str] = ()
) -> dict[str, pd.DataFrame]:
    """Return the predictions table of each member (default: every network of the run).

    File names and class ids are strings. ValueError for an unknown member and for two that list
    different images or labels.
    """
    text = {"file": str, "label": str, "predicted": str}
    tables = {fit.name: fit.predictions(split).astype(text) for fit in _members(run, members)}
    first_name, first = next(iter(tables.items()))
    for name, table in tables.items():
        if not table[["file", "label"]].equals(first[["file", "label"]]):
            raise ValueError(
                f"{run.path}: {name} and {first_name} do not list the same {split} images; "
                "train both on the same data"
            )
    return tables


def _members(run: Run, members: Sequence[str]) -> list[Fit]:
    if unknown := [name for name in members if name not in run.fits]:
        known = ", ".join(run.fits)
        raise ValueError(f"{run.path} holds no network {', '.join(unknown)}; it has {known}")
    if repeated := [name for name in members if list(members).count(name) > 1]:
        raise ValueError(f"members: {repeated[0]} is named twice; it has one vote")
    return [run.fits[name] for name in (members or run.fits)]


def errors(predictions: Tables) -> pd.DataFrame:
    """Whether each network is wrong on each image: bool (N, M), one column per network."""
    wrong = {name: (t.predicted != t.label).to_numpy() for name, t in predictions.items()}
    return pd.DataFrame(wrong)


def vote(
    run: Run, split: str = "val", members: Sequence[str] = (), fallback: str = FALLBACK
) -> pd.DataFrame:
    """Majority vote as a predictions table: file, label, predicted, probability.

    ``probability`` is the share of networks that voted for the label, in 0..1. Ties take the label
    of ``fallback``, which must be a member. ``split`` is train, val or test.
    """
    tables = predictions(run, split, members)
    if fallback not in tables:
        raise ValueError(f"fallback: {fallback} does not vote; choose one of {', '.join(tables)}")
    labels = np.stack([table.predicted.to_numpy(str) for table in tables.values()])
    winner = majority_vote(labels, list(tables).index(fallback))
    table = tables[fallback][["file", "label"]]
    return table.assign(
        predicted=winner.astype(object), probability=(labels == winner).mean(axis=0)
    )


def soft(run: Run, split: str = "val", members: Sequence[str] = ()) -> pd.DataFrame:
    """Soft vote as a predictions table: file, label, predicted, probability, top5.

    ``split`` is val or test, the splits whose logits are stored.
    """
    table = next(iter(predictions(run, split, members).values()))[["file", "label"]]
    fits = _members(run, members)
    mean = soft_vote([fit.logits(split) for fit in fits])
    ids = np.array(fits[0].class_ids, dtype=object)
    top = np.argsort(-mean, axis=1, kind="stable")[:, :5]
    return table.assign(
        predicted=ids[top[:, 0]],
        probability=mean.max(axis=1).round(6),
        top5=[" ".join(row) for row in ids[top]],
    )


def with_votes(
    run: Run, split: str = "val", members: Sequence[str] = (), fallback: str = FALLBACK
) -> dict[str, pd.DataFrame]:
    """Predictions tables of every member, then of their votes, named as in ``ensemble_table``.

    One network alone has no votes; without ``fallback`` among the members there is no majority
    vote.
    """
    tables = predictions(run, split, members)
    votes = {}
    if len(tables) > 1 and fallback in tables:
        votes["majority vote"] = vote(run, split, members, fallback)
    if len(tables) > 1:
        votes["soft vote"] = soft(run, split, members)
    return tables | votes


def ensemble_table(run: Run, members: Sequence[str] = (), fallback: str = FALLBACK) -> pd.DataFrame:
    """Validation accuracy of each member and of their majority and soft vote.

    Columns: name, kind (network or vote), members, images, correct, accuracy, low, high (0..1,
    95 % Wilson interval), top5 (0..1; NaN for the majority vote, which ranks no labels), ties
    (images decided by the fallback; NaN elsewhere), above_chance.
    """
    single, classes = predictions(run, "val", members), len(run.first.class_ids)
    names = ", ".join(single)
    votes = {
        "majority vote": vote(run, "val", members, fallback),
        "soft vote": soft(run, "val", members),
    }
    tied = ties([table.predicted.to_numpy(str) for table in single.values()]).sum()
    rows = [
        {"name": name, "kind": kind, "members": name if kind == "network" else names}
        | _accuracy(table)
        | {"ties": int(tied) if name == "majority vote" else float("nan")}
        | {"above_chance": above_chance(table, classes)}
        for kind, tables in (("network", single), ("vote", votes))
        for name, table in tables.items()
    ]
    return pd.DataFrame(rows)


def _accuracy(table: pd.DataFrame) -> dict[str, float]:
    correct, images = int((table.predicted == table.label).sum()), len(table)
    low, high = statistics.wilson(correct, images)
    row = {"images": images, "correct": correct, "accuracy": correct / max(images, 1)}
    return row | {"low": float(low), "high": float(high), "top5": top5_accuracy(table)}


def top5_accuracy(table: pd.DataFrame) -> float:
    """Share (0..1) of images whose label is among the top5; NaN without such a column."""
    if "top5" not in table:
        return float("nan")
    found = [label in top.split() for label, top in zip(table.label, table.top5)]
    return float(np.mean(found)) if found else float("nan")


def train_accuracies(
    run: Run, members: Sequence[str] = (), fallback: str = FALLBACK
) -> list[float]:
    """Training accuracy (0..1) of the rows of ``ensemble_table``.

    NaN for an imported network without predictions of train, and then for the majority vote; NaN
    for the soft vote, since logits of training images are not stored.
    """
    names = [fit.name for fit in _members(run, members)]
    known = predicted(run, "train", members)
    tables = predictions(run, "train", known) if known else {}
    if known == names:
        tables["vote"] = vote(run, "train", members, fallback)
    right = {name: float((t.predicted == t.label).mean()) for name, t in tables.items()}
    return [right.get(name, float("nan")) for name in [*names, "vote", "soft vote"]]


def predicted(run: Run, split: str, members: Sequence[str] = ()) -> list[str]:
    """Names of the members that have predictions of the split; an import may have val's alone."""
    file = f"predictions_{split}.csv"
    return [fit.name for fit in _members(run, members) if (fit.path / file).is_file()]


def best_network(tables: Tables) -> str:
    """Name of the table with the highest accuracy; the first of several equal ones."""
    accuracy = {name: (t.predicted == t.label).mean() for name, t in tables.items()}
    return max(accuracy, key=lambda name: accuracy[name])


def above_chance(table: pd.DataFrame, classes: int) -> bool:
    """Whether a predictions table is clearly better than always naming the commonest class."""
    labels = table.label.value_counts()
    commonest = int(labels.max()) if len(labels) else 0
    correct = int((table.predicted == table.label).sum())
    return statistics.above_chance(correct, len(table), classes, commonest)
