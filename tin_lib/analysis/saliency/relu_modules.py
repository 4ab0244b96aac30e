"""Whether guided backpropagation applies to a network."""

from collections import Counter
from collections.abc import Iterator

import torch
from torch import Tensor, nn

from tin_lib.networks.base import SIZE, evaluation_mode, forward_hooks

# Autograd's names for activations other than ReLU's.
OTHERS = "Gelu Silu LeakyRelu PreluKernel RreluWithNoise Elu Celu Selu Hardswish Hardtanh Mish"
OTHERS += " Softplus Threshold ClampMin Clamp Maximum"


def has_relu_modules_only(network: nn.Module) -> bool:
    """Whether the network's activations are ReLUs, all of them ``nn.ReLU`` modules.

    Only then guided backpropagation, which changes the gradient at such modules, is what its name
    says. Counted in one forward pass; gates such as the sigmoid do not count as activations.
    """
    calls: list[nn.Module] = []
    hook = lambda module, inputs, output: calls.append(module)
    relus = [module for module in network.modules() if isinstance(module, nn.ReLU)]
    with (
        forward_hooks((relu, hook) for relu in relus),
        evaluation_mode(network, gradients=False) as device,
        torch.enable_grad(),
    ):
        scores = network(torch.zeros(2, 3, SIZE, SIZE, device=device, requires_grad=True))
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
