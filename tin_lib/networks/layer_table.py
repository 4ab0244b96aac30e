"""A network's layer table: shapes and work, seen by sending one image through it."""

import math
from typing import Any

import pandas as pd
import torch
from torch import Tensor, nn

from tin_lib.networks.base import Layer, Network, parameter_count

SIDE = 64  # pixels


def table(network: Network) -> pd.DataFrame:
    """One row a named layer: kind, output shape, parameters, multiply–adds of one image.

    Index ``layer``; ``output`` is text such as "64×32×32" (channels×height×width) or "4096". A
    layer's batchnorm counts with it; pools and dropout, without weights, count with none.
    """
    shapes = output_shapes(network)
    rows = []
    for name, layer in network.layers.items():
        modules = members(network, layer)
        rows.append(
            {
                "layer": name,
                "kind": type(modules[0]).__name__,
                "output": "×".join(map(str, shapes[network.get_submodule(layer.output)])),
                "parameters": sum(map(parameter_count, modules)),
                "multiply_adds": sum(multiply_adds(module, shapes) for module in modules),
            }
        )
    return pd.DataFrame(rows).set_index("layer")


def members(network: Network, layer: Layer) -> list[nn.Module]:
    """The layer's modules: from that of its weights to that of its output."""
    part, first = layer.weight.split(".")[:2]
    last = layer.output.split(".")[1]
    return list(network.get_submodule(part).children())[int(first) : int(last) + 1]


@torch.no_grad()
def output_shapes(network: Network) -> dict[nn.Module, tuple[int, ...]]:
    """Shape of every module's output for one image, (C, H, W) or (units,)."""
    shapes: dict[nn.Module, tuple[int, ...]] = {}

    def note(module: nn.Module, _: Any, output: Tensor) -> None:
        shapes[module] = tuple(output.shape[1:])

    handles = [module.register_forward_hook(note) for module in network.modules()]
    was_training = network.training
    try:
        like = next(network.parameters())
        network.eval()(torch.zeros(1, 3, SIDE, SIDE, device=like.device, dtype=like.dtype))
    finally:
        network.train(was_training)
        for handle in handles:
            handle.remove()
    return shapes


def multiply_adds(module: nn.Module, shapes: dict[nn.Module, tuple[int, ...]]) -> int:
    """Multiply–adds of all convolutions and dense layers within ``module``, for one image."""
    return sum(
        part.weight.numel() * math.prod(shapes[part][1:])  # every weight once a position
        for part in module.modules()
        if isinstance(part, nn.Conv2d | nn.Linear)
    )
