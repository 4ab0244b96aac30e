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

# Measured on the official data set: grayscale files; groups of byte-identical files, and those
# with a file in train and one in val under another label.
GRAYSCALE = {"train": 1_821, "val": 168, "test": 189}
IDENTICAL = {"groups": 39, "across": 7}

TITLES = {  # the paper's order first; networks.register adds to it
    "convnet9": "9-layer ConvNet",
    "vgg_like": "VGG-like",
    "vgg16": "VGG-16",
    "alexnet": "AlexNet",
    "resnet18": "ResNet-18",
}
ORDER = tuple(TITLES)
ERROR_CORRELATION = 0.732  # Pearson, across the networks' validation errors

# VGG-16's errors of 50 validation images of a class.
BEST_CLASSES = {"goldfish": 4, "school bus": 6, "bullet train": 7, "monarch": 8, "ladybug": 8}
WORST_CLASSES = {
    "umbrella": 39,
    "punching bag": 39,
    "wooden spoon": 39,
    "syringe": 41,
    "plunger": 42,
}


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
