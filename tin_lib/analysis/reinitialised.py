"""Networks whose last layers have random weights again, for comparison with the trained ones."""

import copy
from typing import Any

import torch
from torch import nn

from tin_lib import networks
from tin_lib.networks import Network
from tin_lib.networks.base import SIZE, evaluation_mode


def reinitialised(network: Network, share: float = 1.0, seed: int = 0) -> Network:
    """A copy in evaluation mode whose last ``share`` (0..1) of layers, at least the output, has
    fresh starting weights drawn from ``seed``. 1 resets everything, also what is no layer."""
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        fresh = networks.create(
            network.name, network.num_classes, network.width, **network.options
        ).state_dict()
    changed = copy.deepcopy(network)
    kept = set() if share >= 1 else before_last_layers(network, share)
    changed.load_state_dict({k: v for k, v in fresh.items() if k not in kept}, strict=False)
    return changed.eval()


def before_last_layers(network: Network, share: float) -> set[str]:
    """Names in the state dict of what runs before the last ``share`` of the layers."""
    layers, order = list(network.layers.values()), run_order(network)
    first = layers[min(len(layers) - 1, round((1 - share) * len(layers)))]
    members = tuple(f"{path}." for path in (*first.modules, first.weight))
    start = next(i for i, path in enumerate(order) if f"{path}.".startswith(members))
    return {key for key in network.state_dict() if holder(key, order) in order[:start]}


def holder(key: str, order: list[str]) -> str:
    """The module in ``order`` nearest above a name in the state dict; "" if there is none."""
    while key and key not in order:
        key = key.rpartition(".")[0]
    return key


def run_order(network: nn.Module) -> list[str]:
    """Paths of the modules with parameters or buffers of their own, in the order they run."""
    order: dict[str, None] = {}

    def note(path: str) -> Any:
        return lambda module, inputs: order.setdefault(path)

    owners = [(p, m) for p, m in network.named_modules() if m._parameters or m._buffers]
    handles = [module.register_forward_pre_hook(note(path)) for path, module in owners]
    try:
        with evaluation_mode(network) as device, torch.no_grad():
            network(torch.zeros(1, 3, SIZE, SIZE, device=device))
    finally:
        for handle in handles:
            handle.remove()
    return list(order)
