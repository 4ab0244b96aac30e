"""Class-adaptive augmentation: more copies of the classes with more errors on held-out images.

The paper names it as future work: more copies for the classes with the lowest accuracy.
"""

import math
from collections.abc import Hashable

import numpy as np
import pandas as pd

from tin_lib import runs
from tin_lib.analysis import arms
from tin_lib.analysis.arms import Fits
from tin_lib.analysis.arrays import real
from tin_lib.analysis.statistics import Comparison
from tin_lib.data import TinyImageNet

UNIFORM, ADAPTIVE, SHUFFLED = "uniform", "adaptive", "shuffled"  # the arms
WORST, OTHERS, ALL = "worst classes", "other classes", "all classes"
PAIRS = ((ADAPTIVE, UNIFORM), (ADAPTIVE, SHUFFLED))
SMALLEST = 1e-6  # share of the largest: a class without errors keeps a trace

Groups = dict[str, dict[str, dict[Hashable, np.ndarray]]]  # by group, arm and seed


def check(strength: float = 1.0, worst: float = 0.1) -> None:
    """Raise ValueError, naming it, for a negative strength or a share outside (0, 1)."""
    if not 0 <= strength < math.inf:
        raise ValueError(f"strength={strength}: must be 0 or more")
    if not 0 < worst < 1:
        raise ValueError(f"worst={worst}: must be above 0 and below 1")


def check_heldout(data: TinyImageNet) -> None:
    """Raise ValueError unless some training images of every class are held out."""
    held = set() if data.heldout is None else set(data.heldout.labels.tolist())
    without = set(range(data.num_classes)) - held
    if without:
        name = data.class_names[min(without)]
        raise ValueError(f"holdout: no held-out image of {name}; raise it, for example to 0.2")


def heldout_errors(fits: Fits, smoothing: float | None = None) -> pd.DataFrame:
    """Error of each class on the held-out part of train, over fits of the same data.

    Columns, in class order: class_id, class_name, images (held out), error (0..1, mean over the
    fits) and smoothed (see `smooth`). Raises ValueError if no fit is finished or if they are of
    other data, FileNotFoundError if nothing was held out.
    """
    done = arms.finished(fits)
    if not done:
        raise ValueError("no fit is finished: all diverged; choose a lower learning rate")
    arms.check_images(done)
    first = next(iter(done.values()))
    images = count_labels(first, "heldout")
    if not images.all():
        name = first.class_names[int(images.argmin())]
        raise ValueError(f"{first.path}: no held-out image of {name}; raise holdout")
    error = np.mean([1 - accuracy_by_class(fit, "heldout") for fit in done.values()], axis=0)
    table = {"class_id": first.class_ids, "class_name": first.class_names, "images": images}
    return pd.DataFrame(table | {"error": error, "smoothed": smooth(error, images, smoothing)})


def count_labels(fit: runs.Fit, split: str) -> np.ndarray:
    """Number of images of each class in a split, int64 (classes,)."""
    labels = fit.codes(fit.predictions(split)["label"])
    return np.bincount(labels, minlength=len(fit.class_ids))


def accuracy_by_class(fit: runs.Fit, split: str = "val") -> np.ndarray:
    """Accuracy of each class, 0..1, float64 (classes,); NaN for a class without images."""
    table, classes = fit.predictions(split), len(fit.class_ids)
    labels, right = fit.codes(table["label"]), table["label"] == table["predicted"]
    count = np.bincount(labels, minlength=classes)
    total = np.bincount(labels, right, minlength=classes)
    return np.divide(total, count, out=np.full(classes, np.nan), where=count > 0)


def smooth(error: np.ndarray, images: np.ndarray, smoothing: float | None = None) -> np.ndarray:
    """Errors (classes,) of so many images each, drawn towards their mean.

    As if each class had ``smoothing`` more images with the mean error. None: as many as the spread
    of the errors over the classes suggests (empirical Bayes, beta-binomial, by moments): all errors
    become the mean if they differ no more than by the chance of few images. ValueError if
    ``smoothing`` is negative.
    """
    error, images = real("error", error), real("images", images)
    mean = float(np.average(error, weights=images))
    if smoothing is None:
        smoothing = prior_images(error, images, mean)
    if not smoothing >= 0:
        raise ValueError(f"smoothing={smoothing}: must be a number of images, 0 or more")
    return mean + images / (images + float(smoothing)) * (error - mean)


def prior_images(error: np.ndarray, images: np.ndarray, mean: float) -> float:
    """The beta prior's number of images, from the variance beyond that of binomial draws."""
    if len(error) < 2:
        return math.inf
    each, whole = float((1 / images).mean()), mean * (1 - mean)
    between = float(np.var(error, ddof=1)) - whole * each
    return max(whole * (1 - each) / between - 1, 0.0) if between > 0 else math.inf


def class_shares(
    fits: Fits, strength: float = 1.0, smoothing: float | None = None, most: float = 4.0
) -> tuple[float, ...]:
    """Shares for ``AugmentSpec.class_shares``: relative copies in proportion to error ** strength.

    The errors are the smoothed ones of `heldout_errors`, never those on val. The mean share is 1
    and the largest at most ``most``; ``strength`` 0 gives all classes the same. Raises ValueError,
    naming the parameter, for a negative strength or ``most`` below 1, and as `heldout_errors`.
    """
    check(strength)
    _check_most(most)
    errors = heldout_errors(fits, smoothing)["smoothed"].to_numpy()
    wanted = (errors / (errors.max() or 1.0)) ** strength
    return tuple(bounded(np.maximum(wanted, SMALLEST), most).round(4).tolist())


def _check_most(most: float) -> None:
    """Raise ValueError unless the largest share is a number of at least the mean share, 1."""
    if not most >= 1:
        raise ValueError(f"most={most}: must be 1 or more, since the mean share is 1")


def bounded(shares: np.ndarray, most: float) -> np.ndarray:
    """Positive shares scaled to mean 1, none above ``most``; the others take what is cut off."""
    _check_most(most)
    shares = real("shares", shares)
    if shares.ndim != 1 or not len(shares) or not (shares > 0).all():
        raise ValueError(f"shares: must be numbers above 0, (classes,), not {shares}")
    shares = shares / shares.mean()
    while shares.max() > most * (1 + 1e-9):
        full = shares >= most
        rest = len(shares) - most * full.sum()
        shares = np.where(full, most, shares * rest / shares[~full].sum())
    return shares


def shuffled(shares: tuple[float, ...], seed: int) -> tuple[float, ...]:
    """The shares dealt to the classes at random: the control that has nothing to do with errors."""
    return tuple(np.random.default_rng((seed, 15)).permutation(shares).tolist())


def worst_classes(errors: pd.DataFrame, worst: float = 0.1) -> np.ndarray:
    """The classes with the highest held-out error, bool (classes,); at least one.

    ``errors``: of `heldout_errors`. ``worst``: their share of all classes; ValueError unless it is
    above 0 and below 1.
    """
    check(worst=worst)
    order = np.lexsort((-errors["error"].round(9), -errors["smoothed"].round(9)))
    return np.isin(np.arange(len(errors)), order[: math.ceil(worst * len(errors) - 1e-9)])


def by_group(fits: Fits, worst: np.ndarray) -> Groups:
    """Whether each validation image is recognised, bool (N,), by group of classes, arm and seed."""
    done = arms.finished(fits)
    arms.check_images(done)
    members = {WORST: worst, OTHERS: ~worst, ALL: np.ones_like(worst)}
    groups: Groups = {group: {} for group in members}
    for (arm, seed), fit in done.items():
        table = fit.predictions("val")
        labels, right = fit.codes(table["label"]), (table["label"] == table["predicted"]).to_numpy()
        for group, classes in members.items():
            groups[group].setdefault(arm, {})[seed] = right[classes[labels]]
    return groups


def means(groups: Groups) -> pd.DataFrame:
    """Validation accuracy, one row a group and arm: group, arm, seeds, images, mean, std."""
    rows = []
    for group, by_arm in groups.items():
        for arm, seeds in by_arm.items():
            each = pd.Series([values.mean() for values in seeds.values()])
            row = {"group": group, "arm": arm, "seeds": len(each)}
            row |= {"images": len(next(iter(seeds.values())))}
            rows.append(row | {"mean": each.mean(), "std": each.std()})
    return pd.DataFrame(rows)


def compare_groups(fits: Fits, worst: np.ndarray) -> pd.DataFrame:
    """The adaptive arm against the uniform and the shuffled one, in each group of classes.

    ``fits``: of the arms UNIFORM, ADAPTIVE and SHUFFLED, with the same seeds. ``worst``: of
    `worst_classes`. Columns: group, arm ("worst classes: adaptive"), and from seeds on as of
    ``arms.compare_values``: paired over seeds and images, Holm over all rows. A pair is not tested
    unless one of the two is clearly above chance on all classes.
    """
    groups, done = by_group(fits, worst), arms.finished(fits)
    able = arms.above_chance(done, {key: arms.correct(fit) for key, fit in done.items()})
    rows, tests = [], []
    for group, by_arm in groups.items():
        for arm, other in PAIRS:
            own, others = by_arm.get(arm, {}), by_arm.get(other, {})
            each = pd.Series([values.mean() for values in own.values()], dtype=float)
            row = {"group": group, "arm": f"{group}: {arm}", "seeds": len(each)}
            row |= {"paired": len(own.keys() & others.keys())}
            rows.append(row | {"mean": each.mean(), "std": each.std(), "against": other})
            tests.append(tested(own, others) if {arm, other} & able else None)
    return arms.with_outcomes(pd.DataFrame(rows), tests)


def tested(
    own: dict[Hashable, np.ndarray], others: dict[Hashable, np.ndarray]
) -> Comparison | None:
    """The paired comparison; None without a seed or an image in common."""
    shared = own.keys() & others.keys()
    return arms.paired(own, others) if shared and all(len(own[seed]) for seed in shared) else None


def changes(fits: Fits, errors: pd.DataFrame) -> pd.DataFrame:
    """What each class gains: ``errors`` with the columns ADAPTIVE and SHUFFLED.

    They are differences of validation accuracy (-1..1, means over the seeds) from the arm UNIFORM;
    NaN for an arm without a finished fit.
    """
    done = arms.finished(fits)
    accuracy = {
        arm: np.mean([accuracy_by_class(f) for (name, _), f in done.items() if name == arm], axis=0)
        for arm in dict.fromkeys(arm for arm, _ in done)
    }
    base = accuracy.get(UNIFORM, np.nan)
    return errors.assign(**{arm: accuracy.get(arm, np.nan) - base for arm in (ADAPTIVE, SHUFFLED)})


def regression_to_the_mean(chosen_by: Fits, fits: Fits, worst: np.ndarray) -> pd.DataFrame:
    """Error of the worst classes where they were chosen, and where nothing was chosen.

    ``chosen_by``: the fits whose held-out errors chose the classes; ``fits``: others, of which the
    arm UNIFORM has the same recipe but for the seed. Columns: images, fits, and the mean error of
    WORST and OTHERS (0..1).
    """
    chosen = list(arms.finished(chosen_by).values())
    fresh = [fit for (arm, _), fit in arms.finished(fits).items() if arm == UNIFORM]
    places = (
        ("held out, used to choose", "used to choose", chosen, "heldout"),
        ("validation", "used to choose", chosen, "val"),
        ("validation", "new, with other seeds", fresh, "val"),
    )
    rows = []
    for images, which, group, split in places:
        error = np.array([1 - accuracy_by_class(fit, split) for fit in group])
        row = {"images": images, "fits": which}
        parts = {WORST: worst, OTHERS: ~worst}
        means = {k: np.nanmean(error[:, v]) if len(error) else np.nan for k, v in parts.items()}
        rows.append(row | means)
    return pd.DataFrame(rows)
