"""A network's layers seen from outside: weights, activations, receptive fields, and their table."""

import contextlib
import copy
import math
from collections import Counter, defaultdict
from collections.abc import Iterator
from typing import Any
from weakref import WeakKeyDictionary

import pandas as pd
import torch
from torch import Tensor, nn

from tin_lib.networks.base import SIZE, Network, evaluation_mode, parameter_count
from tin_lib.networks.factory import create
from tin_lib.networks.receptive import Field, measure
from tin_lib.networks.wrapped import black_images

__all__ = ["SIZE", "Field", "Leak", "activation", "conv_layers", "evaluation_mode"]
__all__ += ["filter_count", "find_layer", "has_relu_modules_only", "leaky_relus"]
__all__ += ["receptive_field", "reinitialised", "table", "weight"]

_fields: WeakKeyDictionary[Network, dict[str, Field | None]] = WeakKeyDictionary()

# Autograd's names for activations other than ReLU's.
OTHERS = "Gelu Silu LeakyRelu PreluKernel RreluWithNoise Elu Celu Selu Hardswish Hardtanh Mish"
OTHERS += " Softplus Threshold ClampMin Clamp Maximum"


def conv_layers(network: Network) -> list[str]:
    """Names of the network's convolution layers, first to last."""
    modules = {name: network.get_submodule(layer.weight) for name, layer in network.layers.items()}
    return [name for name, module in modules.items() if isinstance(module, nn.Conv2d)]


def find_layer(network: Network, layer: str) -> str:
    """Turn ``first`` and ``last`` into the first and last conv layer; check any other name.

    Raises ValueError, listing the layers, for an unknown one.
    """
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
    """Activation of one layer, (B, K, h, w) or (B, K), for normalised images (B, 3, 64, 64).

    What follows the layer is not computed.
    """
    return network.activation(images, find_layer(network, layer))


def receptive_field(network: Network, layer: str) -> Field | None:
    """The field of a layer's units; None where each sees the whole image, or where the fields are
    not evenly spaced squares."""
    if network not in _fields:
        _fields[network] = measure(network)
    return _fields[network][find_layer(network, layer)]


def reinitialised(network: Network, share: float = 1.0, seed: int = 0) -> Network:
    """A copy in evaluation mode whose last ``share`` (0..1) of layers, at least the output, has
    fresh starting weights drawn from ``seed``. 1 resets everything, also what is no layer."""
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        fresh = create(network.name, network.num_classes, network.width, **network.options)
    names, order = list(network.layers), network.execution_order()
    first = network.layers[names[min(len(names) - 1, round((1 - share) * len(names)))]].weight
    start = 0 if share >= 1 else order.index(holder(first, order))
    kept = set(order[:start])
    state = {k: v for k, v in fresh.state_dict().items() if holder(k, order) not in kept}
    changed = copy.deepcopy(network)
    changed.load_state_dict(state, strict=False)
    return changed.eval()


def holder(path: str, order: list[str]) -> str:
    """The module in ``order`` that holds what is at ``path``; "" where none does."""
    while path and path not in order:
        path = path.rpartition(".")[0]
    return path


class Leak:
    """Passes a ``share`` of the gradient through silent ReLUs; 0 is the true gradient.

    On faint noise a filter, or a whole layer, is silent and would never get a gradient; the same
    idea as lucid's redirected ReLU (Olah et al., "Feature Visualization", 2017).
    """

    def __init__(self) -> None:
        self.share = 0.0

    def __call__(
        self, module: nn.Module, into: tuple[Tensor, ...], out: tuple[Tensor, ...]
    ) -> tuple[Tensor]:
        """The gradient into a ReLU: the true one, or a share of ``out`` where that is zero."""
        return (torch.where(into[0] == 0, self.share * out[0], into[0]),)


@contextlib.contextmanager
def leaky_relus(network: nn.Module) -> Iterator[Leak]:
    """Context in which every ReLU module has the Leak that is yielded, at first 0."""
    leak = Leak()
    handles = [relu.register_full_backward_hook(leak) for relu in relus(network)]
    try:
        yield leak
    finally:
        for handle in handles:
            handle.remove()


def relus(network: nn.Module) -> list[nn.Module]:
    """The network's ReLU modules."""
    return [module for module in network.modules() if isinstance(module, nn.ReLU)]


def has_relu_modules_only(network: nn.Module) -> bool:
    """Whether the network's activations are ReLUs, all of them ``nn.ReLU`` modules.

    Only then guided backpropagation, which changes the gradient at such modules, is what its name
    says. Counted in one forward pass; gates such as the sigmoid do not count as activations.
    """
    calls: list[nn.Module] = []
    hook = lambda module, inputs, output: calls.append(module)
    handles = [relu.register_forward_hook(hook) for relu in relus(network)]
    try:
        with evaluation_mode(network, gradients=False), torch.enable_grad():
            scores = network(black_images(network).requires_grad_())
    finally:
        for handle in handles:
            handle.remove()
    counts = Counter(autograd_nodes(scores))
    return 0 < counts["Relu"] == len(calls) and not counts.keys() & set(OTHERS.split())


def autograd_nodes(result: Tensor) -> Iterator[str]:
    """Names of the operations that gave ``result``, such as ``Relu``, each once per call."""
    waiting, seen = [result.grad_fn], set()
    while waiting:
        node = waiting.pop()
        if node is not None and node not in seen:
            seen.add(node)
            yield node.name().partition("Backward")[0]
            waiting += [parent for parent, _ in node.next_functions]


def table(network: Network) -> pd.DataFrame:
    """One row per named layer: kind, output shape, parameters, multiply-adds for one image.

    Index ``layer``; ``output`` is text such as "64×32×32" (channels×height×width) or "4096". A
    layer's batchnorm counts with it. What belongs to no named layer is summed in a last row.
    """
    shapes, work = measure_modules(network)
    rows = []
    for name, layer in network.layers.items():
        modules = [network.get_submodule(path) for path in layer.modules or layer[:1]]
        rows.append(
            {
                "layer": name,
                "kind": type(modules[0]).__name__,
                "output": "×".join(map(str, shapes[network.get_submodule(layer.output)])),
                "parameters": sum(map(parameter_count, modules)),
                "multiply_adds": sum(work[part] for m in modules for part in m.modules()),
            }
        )
    found = pd.DataFrame(rows).set_index("layer")
    total = {"parameters": parameter_count(network), "multiply_adds": sum(work.values())}
    if (rest := pd.Series(total) - found[list(total)].sum()).any():
        found.loc["other modules"] = {"kind": "", "output": "", **rest}
    return found


def measure_modules(
    network: Network,
) -> tuple[dict[nn.Module, tuple[int, ...]], dict[nn.Module, int]]:
    """Shape of each module's output, (C, H, W) or (units,), and the multiply-adds of each
    convolution and dense layer, for one image."""
    shapes: dict[nn.Module, tuple[int, ...]] = {}
    work: dict[nn.Module, int] = defaultdict(int)

    def note(module: nn.Module, inputs: Any, output: Any) -> None:
        if not isinstance(output, Tensor):
            return
        shape = shapes[module] = tuple(output.shape[1:])
        if isinstance(module, nn.Conv2d | nn.Linear):  # every weight once per position
            places = shape[1:] if isinstance(module, nn.Conv2d) else shape[:-1]
            work[module] += module.weight.numel() * math.prod(places)

    handles = [module.register_forward_hook(note) for module in network.modules()]
    try:
        with evaluation_mode(network), torch.no_grad():
            network(black_images(network)[:1])
    finally:
        for handle in handles:
            handle.remove()
    return shapes, work
