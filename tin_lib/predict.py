"""Scores and predictions of a split."""

from typing import TYPE_CHECKING

import numpy as np
import pandas as pd
import torch
import torch.nn.functional as F
from torch import Tensor, nn

from tin_lib import augment
from tin_lib.data import Split

if TYPE_CHECKING:
    from tin_lib.data.resident import Resident
    from tin_lib.train.distributed import World

BATCH = {"cpu": 256, "cuda": 2048}  # images evaluated at a time


def forward(network: nn.Module, images: Tensor, flip_test: bool = False) -> Tensor:
    """Scores before softmax, float32 (N, classes), of normalised images (N,3,64,64).

    ``flip_test`` averages the log-probabilities of the image and its mirror image.
    """
    scores = network(images).float()
    if not flip_test:
        return scores
    return (F.log_softmax(scores, 1) + F.log_softmax(network(images.flip(3)).float(), 1)) / 2


@torch.inference_mode()
def scores(
    network: nn.Module, images: Tensor, mean: Tensor, std: Tensor, flip_test: bool = False
) -> Tensor:
    """Scores before softmax, float32 (N, classes), of uint8 images (N,3,64,64) on any device."""
    was_training = network.training
    network.eval()
    size = BATCH[images.device.type]
    parts = [
        forward(network, augment.normalise(images[i : i + size], mean, std), flip_test)
        for i in range(0, len(images), size)
    ]
    network.train(was_training)
    return torch.cat(parts)


@torch.inference_mode()
def evaluate(
    network: nn.Module,
    resident: "Resident",
    mean: Tensor,
    std: Tensor,
    world: "World",
    flip_test: bool = False,
) -> Tensor:
    """Sums over this process's share of a split: loss, hits, top-5 hits, images; float64 (4,)."""
    images = resident.images[world.rank :: world.size]
    labels = resident.labels[world.rank :: world.size]
    logits = scores(network, images, mean, std, flip_test)
    loss = F.cross_entropy(logits, labels, reduction="sum")
    top = logits.topk(min(5, logits.shape[1]), 1).indices
    hits = top == labels[:, None]
    counts = [loss, hits[:, 0].sum(), hits.any(1).sum(), torch.tensor(len(labels)).to(loss)]
    return torch.stack([c.double() for c in counts])


def accuracy(logits: np.ndarray, labels: np.ndarray, k: int = 1) -> float:
    """Share (0..1) of rows whose label is among the ``k`` highest scores."""
    top = torch.from_numpy(np.array(logits)).topk(min(k, logits.shape[1]), 1).indices.numpy()
    return float((top == np.asarray(labels)[:, None]).any(1).mean())


def table(split: Split, logits: np.ndarray, class_ids: tuple[str, ...]) -> pd.DataFrame:
    """Predictions as a table: file, label, predicted (wnids), probability (0..1), top5 (wnids).

    ``logits`` float32 (N, classes) in the split's row order. The label is empty where unknown.
    """
    ids = np.array(class_ids)
    probabilities = torch.from_numpy(np.array(logits)).softmax(1)
    best, top = probabilities.topk(min(5, len(ids)), 1)
    return pd.DataFrame(
        {
            "file": split.files,
            "label": np.where(split.labels >= 0, ids[split.labels], ""),
            "predicted": ids[top[:, 0].numpy()],
            "probability": best[:, 0].numpy().round(6),
            "top5": [" ".join(row) for row in ids[top.numpy()]],
        }
    )
