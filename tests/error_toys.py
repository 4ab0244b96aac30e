"""Made-up predictions with planted effects, for the tests of errors and ensembles."""

import numpy as np
import pandas as pd

from tin_lib.analysis import errors


def names(classes: int = 30) -> dict[str, str]:
    """Wnid -> name of made-up classes."""
    ids = [f"n{number:08d}" for number in range(classes)]
    return errors.short_names(ids, [f"thing {number}, synonym" for number in range(classes)])


def boxes(count: int, rng: np.random.Generator) -> np.ndarray:
    """Random boxes int16 (count, 4), within 64×64."""
    corners = np.sort(rng.integers(0, 64, (count, 2, 2)), axis=1)
    return corners.reshape(count, 4).astype(np.int16)


def predictions(
    truth: np.ndarray, chance: np.ndarray, wnids: list[str], rng: np.random.Generator
) -> pd.DataFrame:
    """A predictions table: right with the given chance (0..1), else a class near in number."""
    right = rng.random(len(truth)) < chance
    away = (truth + rng.choice([-2, -1, 1, 2], len(truth))) % len(wnids)
    ids = np.array(wnids)
    return pd.DataFrame(
        {
            "file": [f"val_{number}.JPEG" for number in range(len(truth))],
            "label": ids[truth],
            "predicted": ids[np.where(right, truth, away)],
            "probability": rng.uniform(0.3, 1, len(truth)),
        }
    )


def planted(
    effect: dict[str, float], classes: int = 30, per_class: int = 50, seed: int = 0
) -> tuple[pd.DataFrame, np.ndarray]:
    """Predictions whose log odds of being right are a class's own level plus ``effect`` on the box.

    ``effect``: coefficients of the regressors of ``errors.regression.terms``. Returns predictions
    and boxes.
    """
    rng = np.random.default_rng(seed)
    truth = np.repeat(np.arange(classes), per_class)
    box = boxes(len(truth), rng)
    x = errors.regression.terms(errors.box_properties(box))
    logits = rng.normal(0, 0.7, classes)[truth]
    for name, coefficient in effect.items():
        logits = logits + coefficient * (x[name] - x[name].mean()).to_numpy()
    chance = 1 / (1 + np.exp(-logits))
    return predictions(truth, chance, list(names(classes)), rng), box
