"""Structured pruning: whole filters and units are removed, so that the network becomes narrower.

The same share of every layer: the result is the same network at a smaller width, which can be
saved, loaded and trained like any other. torch-pruning 1.6.1 (whose dependency graph a stack of
layers does not need) gives the same shapes, but for layers with fewer than four filters.
"""

import torch
from torch import Tensor, nn
from torch.nn.modules.batchnorm import _BatchNorm

from tin_lib import networks
from tin_lib.analysis.pruning.magnitude import check_keep, largest
from tin_lib.networks import Network
from tin_lib.recipes.base import RANGES


@torch.no_grad()
def prune_filters(network: Network, keep: float) -> Network:
    """The network at ``keep`` times its width, with the weights of its strongest filters.

    Of every convolution and dense layer but the last, the filters with the largest sum of absolute
    weights stay, with their batchnorm (Li et al., "Pruning filters for efficient ConvNets", 2017,
    the greedy variant: the sum is over the input channels that stay). ``keep``: share of the
    filters in (0, 1]; how many stay in a layer is what the network has at that width, at least
    four. The result is on the CPU, in evaluation mode. Raises ValueError for another ``keep``, for
    a width that recipes do not take, and for networks that are no plain stack of layers.
    """
    check_keep(keep)
    check_plain(network)
    width = round(network.width * keep, 6)
    if width < RANGES["width"][0]:
        raise ValueError(f"keep={keep}: leaves width {width}; at least {RANGES['width'][0]}")
    with torch.random.fork_rng(devices=[]):
        small = networks.create(network.name, network.num_classes, width, **network.options)
    inputs = torch.arange(3)
    for old, new in zip(modules(network), modules(small), strict=True):
        inputs = copy_strongest_(old, new, inputs)
    return small.eval()


def modules(network: Network) -> list[nn.Module]:
    """The modules of a plain stack, first to last."""
    return [*network.features, *network.classifier]


def check_plain(network: Network) -> None:
    """Raise ValueError unless the network is a stack of layers, one after the other."""
    known = nn.Conv2d | nn.Linear | _BatchNorm
    plain = hasattr(network, "features") and hasattr(network, "classifier")
    if plain:
        weighted = [m for m in modules(network) if next(m.parameters(), None) is not None]
        plain = all(isinstance(m, known) and getattr(m, "groups", 1) == 1 for m in weighted)
    if not plain or not networks.has_width(network.name):
        raise ValueError(
            f"{network.name}: filters can be removed from plain stacks of layers only (convnet9, "
            "vgg_like, vgg16, alexnet); prune its weights instead (scope global or layer)"
        )


def copy_strongest_(old: nn.Module, new: nn.Module, inputs: Tensor) -> Tensor:
    """Copy the part of ``old`` that ``new`` has room for; returns its outputs' indices in ``old``.

    ``inputs``: indices of the channels or units that are left of what enters ``old``, ascending.
    """
    if isinstance(old, nn.Conv2d | nn.Linear):
        return copy_layer_(old, new, inputs)
    if isinstance(old, _BatchNorm):
        state = {k: v[inputs.to(v.device)] if v.ndim else v for k, v in old.state_dict().items()}
        new.load_state_dict(state)
    return inputs


def copy_layer_(old: nn.Module, new: nn.Module, inputs: Tensor) -> Tensor:
    """``copy_strongest_`` of a convolution or dense layer."""
    weight = old.get_parameter("weight").detach().cpu()
    positions = new.get_parameter("weight").shape[1] // len(inputs)
    if positions > 1:  # after flattening, input = channel × positions + position
        inputs = (inputs[:, None] * positions + torch.arange(positions)).flatten()
    weight = weight[:, inputs]
    norms = weight.flatten(1).abs().sum(1)
    outputs = largest(norms, len(new.get_parameter("weight"))).nonzero().flatten()
    state = {"weight": weight[outputs]}
    if getattr(old, "bias", None) is not None:
        state["bias"] = old.get_parameter("bias").detach().cpu()[outputs]
    new.load_state_dict(state)
    return outputs
