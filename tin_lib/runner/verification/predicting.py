"""Predictions of a fit, made again from its weights and compared with the recorded ones."""

import numpy as np
import torch

from tin_lib import predict, runs
from tin_lib.analysis.work_report import WorkReport
from tin_lib.data import Split, TinyImageNet
from tin_lib.data.types import to_device
from tin_lib.runner.verification.checks import Different, close

CHUNK = 10 * predict.BATCH["cpu"]  # images between two lines of progress: whole batches
# Largest difference between two scores, as a share of the largest score (at least of 1): float32
# sums in another order, and on a GPU convolutions in TF32.
TOLERANCE = {"cpu": 1e-4, "cuda": 1e-2}


def scores(fit: runs.Fit, split: Split) -> np.ndarray:
    """Scores before softmax, float32 (N, classes), computed on the CPU in float32, as a fit's."""
    last = fit.recipe.get("channels_last", True)
    memory = torch.channels_last if last else torch.contiguous_format
    network = fit.network().to(memory_format=memory)
    flip, found = bool(fit.recipe.get("flip_test")), []
    with WorkReport(f"predicting {split.name} by {fit.name}", len(split), "images") as report:
        for start in range(0, len(split), CHUNK):
            part = split.select(np.arange(start, min(start + CHUNK, len(split))))
            images = to_device(part, torch.device("cpu"), last).images
            found.append(predict.scores(network, images, fit.mean, fit.std, flip).numpy())
            report.add(len(part))
    return np.concatenate(found)


def tolerance(fit: runs.Fit) -> float:
    """The share of TOLERANCE for the device that the fit was trained on."""
    return TOLERANCE["cpu" if str(fit.meta.get("device", "cpu")).startswith("cpu") else "cuda"]


def compare(recorded: np.ndarray, found: np.ndarray, share: float) -> str:
    """How far two arrays of scores (N, classes) are apart.

    Raises Different if that is more than ``share`` of the largest score, with the number of images
    whose predicted class changes.
    """
    if recorded.shape != found.shape:
        raise Different(f"{recorded.shape} scores recorded, {found.shape} found")
    if np.array_equal(recorded, found):
        return "identical"
    apart = float(np.abs(recorded - found).max())
    limit = share * max(1.0, float(np.abs(found).max()))
    changed = int((recorded.argmax(1) != found.argmax(1)).sum())
    text = f"largest difference {apart:.2g}, {changed:,} of {len(found):,} predictions change"
    if not apart <= limit:
        raise Different(f"{text}; at most {limit:.2g} is due to rounding")
    return text


def check(fit: runs.Fit, data: TinyImageNet, name: str = "val") -> str:
    """Predict a split again; the recorded scores and accuracies must follow from the weights."""
    split, share = data.split(name), tolerance(fit)
    found = scores(fit, split)
    text = compare(np.array(fit.logits(name)), found, share)
    if f"{name}_accuracy" not in fit.summary:
        return text
    figures = {"accuracy": 1, "top5": 5}
    slack = 0.0 if text == "identical" else max(2 / len(split), share / 10)
    for figure, k in figures.items():
        again = predict.accuracy(found, split.labels, k)
        close(f"{name}_{figure}", fit.summary[f"{name}_{figure}"], again, slack + 1e-9)
    return f"{text}; accuracy {predict.accuracy(found, split.labels):.4f} from weights and data"
