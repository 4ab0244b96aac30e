"""Making a network by name, with random or with pretrained weights."""

from typing import Any

from tin_lib.networks import registry
from tin_lib.networks.base import Network
from tin_lib.networks.pretrained import load_pretrained_


def create(
    name: str,
    num_classes: int = 200,
    width: float = 1.0,
    *,
    weights: str | None = None,
    **given: Any,
) -> Network:
    """A network for 64×64 images; random weights come from torch's global generator.

    ``name``: see ``names()``; also ``torchvision:NAME``, ``timm:NAME``, or a registered or trusted
    ``module:build``. ``width`` multiplies channel and unit counts. ``weights``: None (random),
    "imagenet" (conv part of vgg16 and alexnet, at width 1), a file of a state dict (.pth), or a
    checkpoint of this library (a .safetensors file or a fit's folder; also one with another number
    of classes). ``given``: the network's options, see ``options(name)``.
    Raises ValueError for an unknown name, option or unfit weights, FileNotFoundError without them.
    """
    network = registry.build(name, num_classes, width, given)
    if weights is not None:
        load_pretrained_(network, weights)
    return network
