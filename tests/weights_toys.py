"""A small network in a file, and images for it."""

from pathlib import Path

import torch
from torch import Tensor

from tin_lib import networks

SMALL = {"num_classes": 6, "width": 0.1}


def images() -> Tensor:
    return torch.randn(2, 3, 64, 64, generator=torch.Generator().manual_seed(1))


def saved(folder: Path, name: str = "vgg_like", **options: object) -> tuple[networks.Network, Path]:
    """A network with unusual batchnorm statistics, and the file that holds it."""
    network = networks.create(name, **SMALL, **options)
    network(images())  # moves running means
    path = folder / "weights.safetensors"
    networks.save(network, path, class_ids=["n01", "n02"])
    return network.eval(), path
