"""Fits of four classes, as folders with predictions drawn from a known accuracy of each class."""

import json
from pathlib import Path

import numpy as np
import pandas as pd

from tin_lib import runs
from tin_lib.analysis import adaptive, arms

IDS = ["n0", "n1", "n2", "n3"]
HELD_OUT, VAL = 40, 50  # images of each class


def predictions(accuracy: np.ndarray, count: int, rng: np.random.Generator) -> pd.DataFrame:
    """``count`` images of each class, of which about ``accuracy`` (classes,) are right."""
    label = np.repeat(np.arange(len(IDS)), count)
    right = rng.random(len(label)) < np.asarray(accuracy)[label]
    ids = np.array(IDS)
    table = {"file": [f"{k}.JPEG" for k in range(len(label))], "label": ids[label]}
    table |= {"predicted": ids[np.where(right, label, (label + 1) % len(IDS))]}
    return pd.DataFrame(table | {"probability": 0.5, "top5": " ".join(IDS)})


def write_fit(folder: Path, held_out: list[float], val: list[float], seed: int = 0) -> runs.Fit:
    """A finished fit with these accuracies of the classes."""
    folder.mkdir(parents=True)
    rng = np.random.default_rng(seed)
    splits = {"heldout": (held_out, HELD_OUT), "val": (val, VAL)}
    images = {name: count * len(IDS) for name, (_, count) in splits.items()}
    meta = {"class_ids": IDS, "class_names": ["cup", "dog", "pen", "umbrella"], "images": images}
    (folder / "meta.json").write_text(json.dumps(meta | {"fingerprint": "f"}))
    (folder / "recipe.json").write_text("{}")
    (folder / "summary.json").write_text("{}")
    for name, (accuracy, count) in splits.items():
        table = predictions(np.asarray(accuracy), count, rng)
        table.to_csv(folder / f"predictions_{name}.csv", index=False)
    return runs.Fit(folder)


def first_fits(folder: Path) -> arms.Fits:
    """Uniform fits that find the last class hard, on held-out images more than on val."""
    rates = [0.9, 0.8, 0.8, 0.1], [0.9, 0.8, 0.8, 0.3]
    return {
        (adaptive.UNIFORM, seed): write_fit(folder / f"first-{seed}", *rates, seed)
        for seed in range(3)
    }


def later_fits(folder: Path, worst: float = 0.8, others: float = 0.8) -> arms.Fits:
    """Three seeds of each arm; the adaptive one reaches these accuracies, the others 0.4, 0.8."""
    found = {}
    for seed in range(3, 6):
        for number, arm in enumerate((adaptive.UNIFORM, adaptive.ADAPTIVE, adaptive.SHUFFLED)):
            rates = (others, worst) if arm == adaptive.ADAPTIVE else (0.8, 0.4)
            val = [rates[0]] * 3 + [rates[1]]
            place = folder / f"{arm}-{seed}"
            found[arm, seed] = write_fit(place, val, val, 10 * seed + number)
    return found
