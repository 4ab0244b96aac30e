"""The networks: the paper's four, and a residual one. ``create`` makes one by name."""

from dataclasses import asdict
from types import ModuleType
from typing import Any

from tin_lib.networks import alexnet, convnet9, resnet, vgg16, vgg_like
from tin_lib.networks.base import Layer, Network, parameter_count
from tin_lib.networks.layer_table import table
from tin_lib.networks.pretrained import start_from
from tin_lib.networks.weights import load, read_meta, save

__all__ = ["Layer", "Network", "create", "load", "names", "options", "parameter_count"]
__all__ += ["read_meta", "save", "table"]

NETWORKS: dict[str, ModuleType] = {  # each has Options and build(num_classes, width, options)
    "convnet9": convnet9,
    "vgg_like": vgg_like,
    "vgg16": vgg16,
    "alexnet": alexnet,
    "resnet18": resnet,
}


def names() -> list[str]:
    """Names that ``create`` knows."""
    return list(NETWORKS)


def options(name: str) -> dict[str, Any]:
    """A network's options with their defaults. Raises ValueError for an unknown network."""
    if name not in NETWORKS:
        raise ValueError(f"no network {name!r}; networks: {', '.join(NETWORKS)}")
    return asdict(NETWORKS[name].Options())


def create(
    name: str,
    num_classes: int = 200,
    width: float = 1.0,
    *,
    weights: str | None = None,
    **given: Any,
) -> Network:
    """A network for 64×64 images; random weights come from torch's global generator.

    ``width`` multiplies channel and hidden unit counts. ``weights``: None (random), "imagenet"
    (conv part of vgg16 and alexnet, at width 1), a torchvision weights file (.pth), or a checkpoint
    of ours (a .safetensors file or a fit's folder; also one with another number of classes).
    ``given``: the network's options, see ``options(name)`` and ``Options`` in its module.
    Raises ValueError for an unknown name, option or unfit weights, FileNotFoundError without them.
    """
    known = options(name)
    if unknown := sorted(given.keys() - known.keys()):
        raise ValueError(f"{name} has no option {unknown[0]!r}; options: {', '.join(known)}")
    if num_classes < 2:
        raise ValueError(f"num_classes={num_classes}: a network needs at least 2 classes to tell")
    if not 0 < width <= 8:
        raise ValueError(f"width={width}: must lie above 0 and be at most 8")
    module = NETWORKS[name]
    chosen = module.Options(**given)
    network = module.build(num_classes, width, chosen)
    network.name, network.num_classes, network.width = name, num_classes, float(width)
    network.options = asdict(chosen)
    if weights is not None:
        start_from(network, weights)
    return network
