"""Scores and predictions of images."""

import numpy as np
import pandas as pd
import torch
import torch.nn.functional as F
from torch import Tensor, nn

from tin_lib import augment
from tin_lib.data import Split
from tin_lib.networks.base import evaluation_mode

BATCH = {"cpu": 256, "cuda": 2048}  # images evaluated at a time


@torch.inference_mode()
def scores(
    network: nn.Module,
    images: Tensor,
    mean: Tensor,
    std: Tensor,
    flip_test: bool = False,
    size: int = 64,
) -> Tensor:
    """Scores before softmax, float32 (N, classes), of uint8 images (N,3,64,64) on any device.

    ``flip_test`` averages the log-probabilities of the image and its mirror image. ``size``:
    8..64 pixels, to which the images are resized before.
    """
    count, found = BATCH[images.device.type], []
    with evaluation_mode(network):
        for start in range(0, max(len(images), 1), count):
            batch = augment.normalise(images[start : start + count], mean, std, size)
            found.append(network(batch).float())
            if flip_test:
                both = found[-1], network(batch.flip(3)).float()
                found[-1] = sum(F.log_softmax(each, 1) for each in both) / 2
    return torch.cat(found)


def top(logits: Tensor, k: int) -> Tensor:
    """Classes of the ``k`` highest scores, int64 (N, at most k), best first, ties in order."""
    if not k >= 1:
        raise ValueError(f"k={k}: must be 1 or more")
    if logits.ndim != 2 or logits.is_complex():
        raise ValueError(f"scores must be real (N, classes), not {tuple(logits.shape)}")
    return logits.sort(dim=1, descending=True, stable=True).indices[:, :k]


def accuracy(logits: np.ndarray, labels: np.ndarray, k: int = 1) -> float:
    """Share (0..1) of rows whose label is among the ``k`` highest scores."""
    best, labels = top(torch.from_numpy(np.array(logits)), k).numpy(), np.asarray(labels)
    known = labels.dtype.kind in "iu" and (labels < logits.shape[1]).all()
    if labels.shape != best.shape[:1] or not known or np.isnan(logits).any():
        raise ValueError("needs scores (N, classes) that are not NaN, and a class (N,) for each")
    return float((best == labels[:, None]).any(1).mean())


def table(split: Split, logits: np.ndarray, class_ids: tuple[str, ...]) -> pd.DataFrame:
    """Predictions as a table: file, label, predicted (wnids), probability (0..1), top5 (wnids).

    ``logits`` float32 (N, classes) in the split's row order. The label is empty if unknown.
    """
    ids, values = np.array(class_ids), torch.from_numpy(np.array(logits))
    best = top(values, 5)
    probability = values.softmax(1).gather(1, best[:, :1])[:, 0]
    columns = {"file": split.files, "label": np.where(split.labels >= 0, ids[split.labels], "")}
    columns |= {"predicted": ids[best[:, 0].numpy()], "probability": probability.numpy().round(6)}
    return pd.DataFrame(columns | {"top5": [" ".join(row) for row in ids[best.numpy()]]})
