"""A network's layers seen from outside: weights and activations."""

from typing import Any

from torch import Tensor, nn

from tin_lib.networks.base import Network, forward_hooks


def conv_layers(network: Network) -> list[str]:
    """Names of the network's convolution layers, first to last."""
    modules = {name: network.get_submodule(layer.weight) for name, layer in network.layers.items()}
    return [name for name, module in modules.items() if isinstance(module, nn.Conv2d)]


def find_layer(network: Network, layer: str) -> str:
    """The name of a layer; ``first`` and ``last`` mean conv layers. ValueError lists the layers."""
    if layer in ("first", "last") and (convs := conv_layers(network)):
        return convs[0 if layer == "first" else -1]
    network.check(layer)
    return layer


def weight(network: Network, layer: str) -> Tensor:
    """The layer's weights, detached, on the CPU: (K, C, h, w), or (K, inputs) of a dense layer."""
    module: Any = network.get_submodule(network.layers[find_layer(network, layer)].weight)
    return module.weight.detach().float().cpu()


def filter_count(network: Network, layer: str) -> int:
    """Number of filters (or dense units) K of a layer."""
    return len(weight(network, layer))


def activation(network: Network, layer: str, images: Tensor) -> Tensor:
    """Activation of one layer, (B, K, h, w) or (B, K), for normalised images (B, 3, 64, 64); what
    follows the layer is not computed."""

    def stop(module: nn.Module, inputs: Any, output: Tensor) -> None:
        raise _Reached(output)

    output = network.check(find_layer(network, layer)).output
    with forward_hooks([(network.get_submodule(output), stop)]):
        try:
            return network(images)  # never returns: a layer runs in every pass
        except _Reached as reached:
            return reached.args[0]


class _Reached(Exception):
    """Ends a forward pass at a layer's output."""
