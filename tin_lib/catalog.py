"""Networks by name: titles and order; the figures of the paper "Tiny ImageNet Challenge"
(A. Shcherbina, CS231n)."""

import re
from collections.abc import Iterable

# Accuracies in 0..1. AlexNet: the author's version ran out of memory.
RESULTS: dict[str, dict[str, float]] = {
    "convnet9": {"train": 0.988, "val": 0.455, "test": 0.423},
    "vgg_like": {"train": 0.488, "val": 0.288, "test": 0.237},
    "vgg16": {"train": 0.760, "val": 0.535, "test": 0.494},
    "majority vote": {"test": 0.492},
}
CLASSES, TRAIN_IMAGES = 200, 100_000

TITLES = {  # the paper's order first; networks.register adds to it
    "convnet9": "9-layer ConvNet",
    "vgg_like": "VGG-like",
    "vgg16": "VGG-16",
    "alexnet": "AlexNet",
    "resnet18": "ResNet-18",
}
ORDER = tuple(TITLES)
ERROR_CORRELATION = 0.732  # Pearson, across the networks' validation errors


def title(network: str) -> str:
    """Name of a network in texts, e.g. ``9-layer ConvNet`` for ``convnet9``; others keep theirs."""
    return TITLES.get(network, network)


def ordered(networks: Iterable[str]) -> list[str]:
    """The networks' names in the paper's order, others behind them by name."""
    rank = {name: place for place, name in enumerate(ORDER)}
    return sorted(networks, key=lambda name: (rank.get(name, len(ORDER)), name))


def folder_name(network: str) -> str:
    """Name of the folder of a network's fit, e.g. ``my_net.py_build`` for ``a/my_net.py:build``."""
    return re.sub(r"[^\w.-]+", "_", network.replace("\\", "/").rpartition("/")[2]).strip("_.")
