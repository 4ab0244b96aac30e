"""Scores and accuracies of a published network."""

import numpy as np
import torch

from tin_lib import predict
from tin_lib.data import Split
from tin_lib.data.types import to_device
from tin_lib.networks import Network
from tin_lib.train.distributed import choose_device

TOP = {"val_top1": 1, "val_top5": 5}  # figure -> k
Normalisation = tuple[torch.Tensor, torch.Tensor]  # mean and std, float32 (3,), 0..255 units


def evaluate(
    network: Network, split: Split, normalisation: Normalisation, flip_test: bool, device: str
) -> np.ndarray:
    """Scores before softmax, float32 (N, classes), of a split's images. ``device``: auto, cpu or
    cuda; ``flip_test``: see ``predict.scores``."""
    where = choose_device(device)
    images = to_device(split, where, channels_last=True).images
    mean, std = (values.to(where) for values in normalisation)
    return predict.scores(network.to(where), images, mean, std, flip_test).cpu().numpy()


def top_accuracies(scores: np.ndarray, split: Split) -> dict[str, float]:
    """Top-1 and top-5 accuracy (0..1) on a split with labels."""
    return {name: predict.accuracy(scores, split.labels, k) for name, k in TOP.items()}
