"""Two fits by one recipe, file by file: what differs, and by how much."""

import functools
from pathlib import Path

import numpy as np
import torch

from tin_lib import files, networks, runs
from tin_lib.analysis.arms import DIVERGED
from tin_lib.runner.verification.checks import SPLITS, Calls, Different, same

TIMES = ("seconds", "images_per_second")  # of a history: these always differ
IDENTICAL = "identical"


def compare_fits(before: Path, after: Path) -> Calls:
    """A check for each file of the fit ``before`` that a new training ``after`` must give."""
    if (before / DIVERGED).is_file():
        return {DIVERGED: functools.partial(diverged, before, after)}
    first, second = runs.Fit(before), runs.Fit(after)
    calls: Calls = {
        "weights.safetensors": functools.partial(weights, before, after),
        "history.jsonl": functools.partial(history, first, second),
    }
    for split in (name for name in SPLITS if name in first.meta["images"]):
        predicted = functools.partial(predictions, first, second, split)
        calls = {**calls, f"predictions_{split}.csv": predicted}
        if split in ("val", "test"):
            calls = {
                **calls,
                f"logits_{split}.npy": functools.partial(logits, first, second, split),
            }
    return calls


def same_bytes(before: Path, after: Path, name: str) -> bool:
    """Whether both folders have the same file."""
    return files.file_digest(before / name) == files.file_digest(after / name)


def weights(before: Path, after: Path) -> str:
    """The largest absolute difference of a weight, and its tensor's name."""
    name = "weights.safetensors"
    if same_bytes(before, after, name):
        return IDENTICAL
    first, second = (networks.weights.read_state(path / name)[1] for path in (before, after))
    same("the list of tensors", sorted(first), sorted(second))
    apart = {key: largest(first[key], second[key]) for key in first}
    worst = max(apart, key=lambda key: apart[key])
    if not apart[worst]:
        return "identical tensors"
    changed = f"{sum(value > 0 for value in apart.values())} of {len(apart)} tensors differ"
    raise Different(f"largest difference {apart[worst]:.3g}, in {worst}; {changed}")


def largest(one: torch.Tensor, other: torch.Tensor) -> float:
    """The largest absolute difference; infinite for other shapes."""
    if one.shape != other.shape:
        return float("inf")
    return float((one.double() - other.double()).abs().max()) if one.numel() else 0.0


def history(before: runs.Fit, after: runs.Fit) -> str:
    """The first epoch with another figure; times apart."""
    one, other = before.history(), after.history()
    same("the number of epochs", len(one), len(other))
    for name in (name for name in one if name not in TIMES):
        wrong = np.flatnonzero(one[name].to_numpy() != other[name].to_numpy())
        if len(wrong):
            row = wrong[0]
            raise Different(
                f"from epoch {row + 1} on: {name} {one[name][row]:.6g} recorded, "
                f"{other[name][row]:.6g} now"
            )
    return f"{len(one)} epochs {IDENTICAL}, apart from their times"


def predictions(before: runs.Fit, after: runs.Fit, split: str) -> str:
    """How many predictions changed, and both accuracies."""
    if same_bytes(before.path, after.path, f"predictions_{split}.csv"):
        return IDENTICAL
    one, other = before.predictions(split), after.predictions(split)
    same("the list of images", list(one.file), list(other.file))
    changed = int((one.predicted != other.predicted).sum())
    text = f"{changed:,} of {len(one):,} predictions changed"
    if split != "test":
        right = [float((table.predicted == table.label).mean()) for table in (one, other)]
        text += f"; accuracy {right[0]:.4f} recorded, {right[1]:.4f} now"
    raise Different(text)


def logits(before: runs.Fit, after: runs.Fit, split: str) -> str:
    """The largest difference of a score."""
    if same_bytes(before.path, after.path, f"logits_{split}.npy"):
        return IDENTICAL
    one, other = np.array(before.logits(split)), np.array(after.logits(split))
    same("the shape of the scores", one.shape, other.shape)
    raise Different(f"largest difference {np.abs(one - other).max():.3g}")


def diverged(before: Path, after: Path) -> str:
    """The epoch in which the loss ceased to be finite."""
    first, second = (files.read_object(path / DIVERGED)["epoch"] for path in (before, after))
    same("the epoch", first, second)
    return f"in epoch {first}, as before"
