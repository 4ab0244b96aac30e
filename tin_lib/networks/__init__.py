"""The networks: the paper's four, and a residual one. ``create`` makes one by name."""

import inspect
from collections.abc import Callable
from typing import Any

import pandas as pd
from torch import nn

from tin_lib.networks import alexnet, convnet9, resnet, vgg16, vgg_like
from tin_lib.networks.base import Layer, Network, parameter_count, trace
from tin_lib.networks.weights import load, read_meta, save, start_from

__all__ = ["Layer", "Network", "create", "load", "names", "options", "parameter_count"]
__all__ += ["read_meta", "save", "table"]

BUILDERS: dict[str, Callable[..., Network]] = {
    "convnet9": convnet9.build,
    "vgg_like": vgg_like.build,
    "vgg16": vgg16.build,
    "alexnet": alexnet.build,
    "resnet18": resnet.build,
}


def names() -> list[str]:
    """Names that ``create`` knows."""
    return list(BUILDERS)


def options(name: str) -> dict[str, Any]:
    """A network's options with their defaults. Raises ValueError for an unknown network."""
    if name not in BUILDERS:
        raise ValueError(f"no network {name!r}; networks: {', '.join(BUILDERS)}")
    parameters = list(inspect.signature(BUILDERS[name]).parameters.values())[2:]
    return {p.name.replace("dropout_factor", "dropout"): p.default for p in parameters}


def create(
    name: str,
    num_classes: int = 200,
    width: float = 1.0,
    *,
    weights: str | None = None,
    **given: Any,
) -> Network:
    """A network for 64×64 images with starting weights from the global generator.

    ``width`` multiplies channel and unit counts. ``weights``: None (random), "imagenet" (conv part
    of vgg16 and alexnet), a torchvision weights file (.pth), or a checkpoint of ours (a
    .safetensors file or a fit's folder; also one with another number of classes).
    ``given``: the network's options, see ``options(name)`` and each network's ``build``.
    Raises ValueError for an unknown name, option or unfit weights.
    """
    known = options(name)
    if unknown := sorted(given.keys() - known.keys()):
        raise ValueError(f"{name} has no option {unknown[0]!r}; options: {', '.join(known)}")
    if num_classes < 2 or not 0 < width <= 8:
        raise ValueError(f"num_classes={num_classes}, width={width}: at least 2, and within (0, 8]")
    arguments = {k.replace("dropout", "dropout_factor"): v for k, v in given.items()}
    network = BUILDERS[name](num_classes, width, **arguments)
    network.name, network.num_classes, network.width = name, num_classes, float(width)
    network.options = given
    if weights is not None:
        start_from(network, weights)
    return network


def table(network: Network) -> pd.DataFrame:
    """One row a named layer: output shape, parameters, multiply–adds of one image.

    Batchnorm's weights and work count with its layer.
    """
    rows, path = [], trace(network)
    starts = {
        layer.weight.split(".")[0] + "." + layer.weight.split(".")[1]: name
        for name, layer in network.layers.items()
    }
    for key, (module, shape) in path.items():
        if key in starts:
            rows.append({"layer": starts[key], "kind": type(module).__name__})
            rows[-1] |= {"output": "", "parameters": 0, "multiply_adds": 0}
        if not rows:
            continue
        counted = parameter_count(module)
        rows[-1]["parameters"] += counted
        rows[-1]["multiply_adds"] += multiply_adds(module, shape)
        if counted:
            rows[-1]["output"] = "×".join(map(str, shape))
    return pd.DataFrame(rows).set_index("layer")


def multiply_adds(module: nn.Module, shape: tuple[int, ...]) -> int:
    """Multiply–adds of the convolutions or dense layer in ``module`` with output ``shape``."""
    if isinstance(module, nn.Conv2d | nn.Linear):
        positions = shape[1] * shape[2] if len(shape) == 3 else 1
        return module.weight.numel() * positions
    positions = shape[1] * shape[2] if len(shape) == 3 else 1
    return sum(m.weight.numel() * positions for m in module.modules() if isinstance(m, nn.Conv2d))
