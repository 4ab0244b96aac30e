"""Learning rate range test (L. N. Smith, "Cyclical Learning Rates", WACV 2017).

The rate rises exponentially from one update to the next while the loss is recorded. Far below a
good rate the loss hardly changes, at a good one it falls, and above it the loss explodes.
"""

import contextlib
import itertools
import math
from collections.abc import Hashable, Iterator, Mapping
from dataclasses import asdict, dataclass

import numpy as np
import pandas as pd
import torch

from tin_lib import augment
from tin_lib.data import TinyImageNet
from tin_lib.recipes import Recipe
from tin_lib.train import Trainer
from tin_lib.train.device import kept_blocks
from tin_lib.train.distributed import World, choose_device

STOP = 4.0  # the test ends when the mean loss is this many times the best: fastai's value
MEMORY = 0.9  # weight of the past in the mean loss that ends the test
SHARE = 20  # the table's loss is averaged over one in so many updates on either side
SLOPE_SHARE = 10  # and the slope is that of a line through one in so many on either side
CLEAR, LEAST = 4.0, 0.02  # for a suggestion it must fall by so many standard errors, and this share
NAN = float("nan")
COLUMNS = ("update", "lr", "loss", "smoothed")

Batch = tuple[augment.EpochPlan, tuple[int, int]]
Tests = Mapping[tuple[str, Hashable], pd.DataFrame]  # tables of range_test by (name, seed)


@dataclass(frozen=True)
class Suggestion:
    """Learning rates that a range test suggests; NaN if the loss never fell clearly."""

    steepest: float  # where the loss falls fastest over the logarithm of the rate
    tenth: float  # a tenth of the rate of the smallest loss


def check(low: float, high: float, updates: int) -> None:
    """Raise ValueError unless 0 < low < high, both finite, and updates are 10 to 1,000,000."""
    if not 0 < low < high < math.inf:
        raise ValueError(f"low={low:g}, high={high:g}: needs 0 < low < high, both finite")
    if not 10 <= updates <= 1_000_000:
        raise ValueError(f"updates={updates}: a range test needs 10 to 1,000,000")


def rates(low: float, high: float, updates: int) -> np.ndarray:
    """The rates of all updates, float64 (updates,): geometric from ``low`` to ``high``."""
    return np.geomspace(low, high, updates)


def range_test(
    recipe: Recipe,
    data: TinyImageNet,
    low: float = 1e-7,
    high: float = 10.0,
    updates: int = 100,
    device: str = "auto",
) -> pd.DataFrame:
    """Train for ``updates`` batches at rates that rise from ``low`` to ``high``; writes no file.

    All of the recipe but its rate, schedule, warm-up and decay is used: optimizer, momentum,
    penalties, augmentation, batch size, seed. Ends early when the mean loss (exponential, of about
    ten updates) is more than four times its best, or when a loss is not finite.

    Returns one row an update: update (from 0), lr, loss (cross-entropy of the batch, before its
    update, nats) and smoothed. The latter is a mean over the updates on both sides: a mean over
    past updates alone would move the curve towards higher rates.
    Raises ValueError for bounds as in ``check``, and ArithmeticError when the first loss is not
    finite.
    """
    check(low, high, updates)
    place = choose_device(device)
    with seeded(recipe.seed, place), kept_blocks(place):
        trainer = Trainer(recipe, data, World(place))
        losses = list(until_it_explodes(batch_losses(trainer, rates(low, high, updates))))
    if not losses:
        raise ArithmeticError(f"the loss of the first batch, before any update at {low:g}, is NaN")
    lr = rates(low, high, updates)[: len(losses)]
    columns = (range(len(losses)), lr, losses, smooth(np.array(losses), max(1, updates // SHARE)))
    return pd.DataFrame(dict(zip(COLUMNS, columns, strict=True)))


@contextlib.contextmanager
def seeded(seed: int, device: torch.device) -> Iterator[None]:
    """Draw dropout's masks from ``seed``; the global generators are not changed."""
    with torch.random.fork_rng([device] if device.type == "cuda" else []):
        torch.manual_seed(seed)
        yield


def batch_losses(trainer: Trainer, lr: np.ndarray) -> Iterator[float]:
    """The loss of each batch, after which the network is updated at the next rate of ``lr``."""
    rng = np.random.default_rng(trainer.recipe.seed)  # for mixup and CutMix
    trainer.network.train()
    for (plan, span), rate in zip(all_batches(trainer), lr, strict=False):
        sums, _, count = trainer.step(plan, span, float(rate), rng)
        yield float(sums[0]) / count


def all_batches(trainer: Trainer) -> Iterator[Batch]:
    """The batches of one epoch after another, without end."""
    for epoch in itertools.count(1):
        plan = trainer.augmenter.epoch(epoch)
        spans = trainer.batches(len(plan))
        plan = plan.to(trainer.device)
        yield from ((plan, span) for span in spans)


def until_it_explodes(losses: Iterator[float]) -> Iterator[float]:
    """The losses up to the first that is not finite or whose running mean is STOP times the best.

    The mean is corrected for its start at 0, as in Adam.
    """
    total, best = 0.0, math.inf
    for number, loss in enumerate(losses, 1):
        if not math.isfinite(loss):
            return
        yield loss
        total = MEMORY * total + (1 - MEMORY) * loss
        mean = total / (1 - MEMORY**number)
        best = min(best, mean)
        if mean > STOP * best:
            return


def smooth(losses: np.ndarray, reach: int) -> np.ndarray:
    """Means over ``reach`` losses on either side, float64 (N,); fewer at the ends."""
    window = pd.Series(losses).rolling(2 * reach + 1, center=True, min_periods=1)
    return window.mean().to_numpy()


def suggest(table: pd.DataFrame) -> Suggestion:
    """The rates that a table of ``range_test`` suggests, by its smoothed loss.

    The two that fastai offers: ``steepest`` (of the rates up to that of the smallest loss) and
    ``tenth`` (a tenth of the rate of the smallest loss). Unlike fastai, none where the loss falls
    by no more than noise: the lowest point of a flat, noisy curve is anywhere.
    """
    lr, loss, smoothed = (table[name].to_numpy() for name in ("lr", "loss", "smoothed"))
    if not fell(loss, smoothed):
        return Suggestion(NAN, NAN)
    smallest = int(smoothed.argmin())
    steepest = int(slopes(loss)[: smallest + 1].argmin())
    return Suggestion(float(lr[steepest]), float(lr[smallest]) / 10)


def slopes(losses: np.ndarray) -> np.ndarray:
    """Slope per update of a line fitted around each loss, float64 (N,).

    Rates are geometric, so this is proportional to the slope over the logarithm of the rate. The
    difference of neighbouring losses would be mostly noise.
    """
    from scipy.signal import savgol_filter  # slow to import

    reach = max(1, len(losses) // SLOPE_SHARE)
    return savgol_filter(losses, 2 * reach + 1, polyorder=1, deriv=1)


def fell(losses: np.ndarray, smoothed: np.ndarray) -> bool:
    """Whether the smoothed loss, after the first fifth, falls clearly below that fifth's mean loss.

    Clearly: by CLEAR standard errors of a smoothed loss, from the batches of the first fifth, and
    by the share LEAST.
    """
    start = max(2, len(losses) // 5)
    if smoothed.argmin() < start:
        return False
    noise = (losses - smoothed)[:start].std(ddof=1)
    window = 2 * max(1, len(losses) // SHARE) + 1
    fall = losses[:start].mean() - smoothed.min()
    return bool(fall > max(CLEAR * noise / window**0.5, LEAST * losses[:start].mean()))


def suggestions(tests: Tests) -> pd.DataFrame:
    """The suggestions of several tests: columns name, seed, steepest, tenth."""
    rows = [
        {"name": name, "seed": seed} | asdict(suggest(table))
        for (name, seed), table in tests.items()
    ]
    return pd.DataFrame(rows)


def spread(suggested: pd.DataFrame) -> pd.DataFrame:
    """Suggestions over the seeds, of the table of ``suggestions``.

    One row a name and kind of suggestion: name, kind (steepest or tenth), mean (geometric), low
    and high (smallest and largest), factor (high / low), seeds (with a suggestion).
    """
    rows = []
    for name, part in suggested.groupby("name", sort=False):
        for kind in ("steepest", "tenth"):
            found = part[kind].dropna().to_numpy()
            some = len(found) > 0
            low, high = (found.min(), found.max()) if some else (NAN, NAN)
            mean = float(np.exp(np.log(found).mean())) if some else NAN
            row = {"name": name, "kind": kind, "mean": mean, "low": low, "high": high}
            rows.append(row | {"factor": high / low, "seeds": len(found)})
    return pd.DataFrame(rows)
