"""Networks by name: titles, order, names of folders."""

import re
from collections.abc import Iterable

TITLES = {  # the paper's order first; networks.register adds to it
    "convnet9": "9-layer ConvNet",
    "vgg_like": "VGG-like",
    "vgg16": "VGG-16",
    "alexnet": "AlexNet",
    "resnet18": "ResNet-18",
    "speednet": "SpeedNet",
}
ORDER = tuple(TITLES)


def title(network: str) -> str:
    """Name of a network in texts, e.g. ``9-layer ConvNet`` for ``convnet9``; others keep theirs."""
    return TITLES.get(network, network)


def ordered(networks: Iterable[str]) -> list[str]:
    """The networks' names in the paper's order, others behind them by name."""
    return sorted(networks, key=lambda name: ([*ORDER, name].index(name), name))


def folder_name(network: str) -> str:
    """Name of the folder of a network's fit, e.g. ``my_net.py_build`` for ``a/my_net.py:build``."""
    return re.sub(r"[^\w.-]+", "_", network.replace("\\", "/").rpartition("/")[2]).strip("_.")
