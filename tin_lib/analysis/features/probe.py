"""A linear probe: multinomial logistic regression on standardised features.

Minimises mean cross-entropy + penalty / 2 · Σ weight² by L-BFGS in float32, from zero weights: a
convex problem with one solution. The bias is not penalised.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor

PENALTIES = (1e-1, 3e-2, 1e-2, 3e-3, 1e-3, 3e-4)  # strongest first: each starts from the one before
FALLBACK = 1e-1  # the penalty where a class has too few images to hold some out
HELD_OUT = 0.2  # share of each class's training images that chooses the penalty
STEPS = 200  # most iterations of L-BFGS
TOLERANCE = 1e-5  # it stops below this change of the objective
ROUGH = 1e-4  # the same while penalties are tried: accuracies hardly change any more


@dataclass(frozen=True)
class Probe:
    """A fitted probe. ``mean`` and ``scale``, (D,), standardise; ``weight`` (C, D), ``bias`` (C,).

    ``penalty``: its strength. ``heldout``: accuracy on the held-out part for each strength tried,
    empty where none was held out.
    """

    mean: Tensor
    scale: Tensor
    weight: Tensor
    bias: Tensor
    penalty: float
    heldout: dict[float, float]

    def scores(self, rows: np.ndarray, chunk: int = 8192) -> np.ndarray:
        """Scores before softmax, float32 (N, C), of features (N, D)."""
        parts = (rows[at : at + chunk] for at in range(0, len(rows), chunk))
        standardised = ((as_tensor(part) - self.mean) / self.scale for part in parts)
        return torch.cat([F.linear(x, self.weight, self.bias) for x in standardised]).numpy()


def as_tensor(rows: np.ndarray) -> Tensor:
    """Features as float32 in memory."""
    return torch.from_numpy(np.array(rows, np.float32))


def fit(
    rows: np.ndarray,
    labels: np.ndarray,
    classes: int,
    penalties: Sequence[float] = PENALTIES,
    seed: int = 0,
) -> Probe:
    """The probe of features (N, D) with labels (N,), its penalty chosen on a held-out part.

    A fifth of each class is held out (drawn by ``seed``); the penalty with the best accuracy on it,
    the stronger of two equal ones, then fits all rows. A class with fewer than five rows has none
    to spare: then the penalty is ``FALLBACK``. Raises ValueError for features and labels that do
    not fit each other, and for values that are not finite.
    """
    check(rows, labels, classes, penalties)
    x, y = as_tensor(rows), torch.from_numpy(np.array(labels, np.int64))
    held = held_out(y.numpy(), np.random.default_rng(seed))
    tried: dict[float, float] = {}
    start = None
    if held.any() and len(penalties) > 1:
        tried, start = choose(x, y, torch.from_numpy(held), classes, sorted(penalties)[::-1])
    penalty = best(tried) if tried else penalties[0] if len(penalties) == 1 else FALLBACK
    mean, scale = statistics(x)
    x.sub_(mean).div_(scale)
    weight, bias = minimise(x, y, penalty, zeros(classes, x) if start is None else start)
    return Probe(mean, scale, weight, bias, penalty, tried)


def check(rows: np.ndarray, labels: np.ndarray, classes: int, penalties: Sequence[float]) -> None:
    """Raise ValueError, naming what is wrong."""
    if rows.ndim != 2 or len(rows) != len(labels) or not len(rows):
        raise ValueError(f"features {rows.shape} and {len(labels)} labels do not fit each other")
    if min(labels) < 0 or max(labels) >= classes:
        raise ValueError(f"labels must lie in 0 to {classes - 1}; test images have none")
    if not penalties or not all(0 < value < float("inf") for value in penalties):
        raise ValueError(f"penalties={tuple(penalties)}: must be positive numbers")
    if not all(np.isfinite(rows[at : at + 8192]).all() for at in range(0, len(rows), 8192)):
        raise ValueError("features: some values are not finite")


def held_out(labels: np.ndarray, generator: np.random.Generator) -> np.ndarray:
    """Mask (N,) of a fifth of each class; of none where a class has fewer than five."""
    mask = np.zeros(len(labels), bool)
    members = [np.flatnonzero(labels == label) for label in np.unique(labels)]
    if min(map(len, members)) * HELD_OUT >= 1:
        for own in members:
            mask[generator.choice(own, int(len(own) * HELD_OUT), replace=False)] = True
    return mask


def choose(
    x: Tensor, y: Tensor, held: Tensor, classes: int, penalties: Sequence[float]
) -> tuple[dict[float, float], tuple[Tensor, Tensor]]:
    """Held-out accuracy for each penalty, strongest first, and the best one's weights.

    Stops after the first that is worse than the one before: weaker ones overfit more.
    """
    mean, scale = statistics(x[~held])
    inside, outside = (x[~held] - mean) / scale, (x[held] - mean) / scale
    tried: dict[float, float] = {}
    kept = weights = zeros(classes, x)
    for penalty in penalties:
        weights = minimise(inside, y[~held], penalty, weights, ROUGH)
        tried[penalty] = float((F.linear(outside, *weights).argmax(1) == y[held]).double().mean())
        if best(tried) == penalty:
            kept = weights
        if tried[penalty] < max(tried.values()):
            break
    return tried, kept


def best(tried: dict[float, float]) -> float:
    """The penalty with the highest accuracy, the strongest of equal ones."""
    return max(tried, key=lambda penalty: (tried[penalty], penalty))


def zeros(classes: int, x: Tensor) -> tuple[Tensor, Tensor]:
    """Weight and bias to start from."""
    return torch.zeros(classes, x.shape[1]), torch.zeros(classes)


def statistics(x: Tensor) -> tuple[Tensor, Tensor]:
    """Mean and standard deviation (D,) of features; 1 for a constant feature."""
    deviation, mean = torch.std_mean(x, 0, correction=0)
    return mean, torch.where(deviation > 1e-6, deviation, torch.ones(()))


def minimise(
    x: Tensor,
    y: Tensor,
    penalty: float,
    start: tuple[Tensor, Tensor],
    tolerance: float = TOLERANCE,
) -> tuple[Tensor, Tensor]:
    """Weight (C, D) and bias (C,) at the minimum, from standardised features."""
    weight, bias = (part.clone().requires_grad_() for part in start)
    optimizer = torch.optim.LBFGS(
        [weight, bias],
        max_iter=STEPS,
        tolerance_change=tolerance,
        tolerance_grad=1e-6,
        history_size=10,
        line_search_fn="strong_wolfe",
    )

    def closure() -> Tensor:
        optimizer.zero_grad()
        loss = F.cross_entropy(F.linear(x, weight, bias), y)
        loss = loss + penalty / 2 * weight.square().sum()
        loss.backward()
        return loss

    optimizer.step(closure)  # type: ignore[arg-type]
    return weight.detach(), bias.detach()
