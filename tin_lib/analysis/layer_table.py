"""A network's layers as a table: shapes, parameters and arithmetic."""

import math
from collections import defaultdict
from typing import Any

import pandas as pd
import torch
from torch import nn

from tin_lib.networks.base import SIZE, Network, evaluation_mode, forward_hooks, parameter_count


def layer_table(network: Network) -> pd.DataFrame:
    """One row per named layer: kind, output shape, parameters, multiply-adds for one image.

    Index ``layer``; ``output`` is text such as "64×32×32" (channels×height×width) or "4096". A
    layer's batchnorm counts with it. What belongs to no named layer is summed in a last row.
    """
    shapes, work = measure_modules(network)
    rows = {}
    for name, layer in network.layers.items():
        modules = [network.get_submodule(path) for path in layer.modules or layer[:1]]
        rows[name] = {
            "kind": type(modules[0]).__name__,
            "output": "×".join(map(str, shapes[network.get_submodule(layer.output)])),
            "parameters": sum(map(parameter_count, modules)),
            "multiply_adds": sum(work[part] for each in modules for part in each.modules()),
        }
    found = pd.DataFrame.from_dict(rows, "index").rename_axis("layer")
    total = {"parameters": parameter_count(network), "multiply_adds": sum(work.values())}
    if (rest := pd.Series(total) - found[list(total)].sum()).any():
        found.loc["other modules"] = {"kind": "", "output": "", **rest}
    return found


def measure_modules(network: Network) -> tuple[dict[nn.Module, tuple], dict[nn.Module, int]]:
    """Shape of each module's output, (C, H, W) or (units,), and the multiply-adds of each
    convolution and dense layer, for one image."""
    shapes: dict[nn.Module, tuple] = {}
    work: dict[nn.Module, int] = defaultdict(int)

    def note(module: nn.Module, inputs: Any, output: Any) -> None:
        shape = shapes[module] = tuple(getattr(output, "shape", ()))[1:]
        if isinstance(module, nn.Conv2d | nn.Linear):  # every weight once per position
            places = shape[1:] if isinstance(module, nn.Conv2d) else shape[:-1]
            work[module] += module.weight.numel() * math.prod(places)

    hooks = forward_hooks((module, note) for module in network.modules())
    with hooks, evaluation_mode(network) as device, torch.no_grad():
        network(torch.zeros(1, 3, SIZE, SIZE, device=device))
    return shapes, work
