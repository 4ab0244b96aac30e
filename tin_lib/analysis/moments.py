"""Evaluation of networks with DropConnect by moments (Wan et al., 2013, section on inference).

In evaluation the layers use the mean weights, which gives a unit's mean over the masks, but not the
mean of its ReLU. The paper takes the unit as Gaussian, with its mean and variance over the masks,
and averages the ReLU of samples; here the mean of the ReLU is exact and nothing is sampled.
"""

import contextlib
import math
from collections.abc import Callable, Iterator
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn
from torch.nn.modules.batchnorm import _BatchNorm

from tin_lib import predict, runs
from tin_lib.data import Split
from tin_lib.networks import Network
from tin_lib.networks.base import forward_hooks
from tin_lib.networks.layers import DropConnect


def correct(fit: runs.Fit, split: Split, inference: str) -> np.ndarray:
    """Whether the fit is right, bool (N,), image by image, on the CPU.

    ``inference``: "mean" for evaluation with the mean weights, or "gaussian".
    """
    if inference not in ("mean", "gaussian"):
        raise ValueError(f"inference={inference!r}: choose mean or gaussian")
    network, images = fit.network(), torch.from_numpy(np.array(split.images[:]))
    with gaussian_inference(network) if inference == "gaussian" else contextlib.nullcontext():
        logits = predict.scores(network, images, fit.mean, fit.std)
    return predict.top(logits, 1)[:, 0].numpy() == split.labels


@contextlib.contextmanager
def gaussian_inference(network: Network) -> Iterator[None]:
    """Context in which, in evaluation, layers with DropConnect give their mean activation.

    These are layers of a DropConnect module, a batchnorm or none, and a ReLU. All else, also an
    output layer with DropConnect, gives what it gives without.
    """
    hooks = []
    for layer in network.layers.values():
        modules = [network.get_submodule(path) for path in layer.modules]
        if has_moments(modules):
            hooks += moment_hooks(modules)
    with forward_hooks(hooks):
        yield


def has_moments(modules: list[nn.Module]) -> bool:
    """Whether these modules of a layer are DropConnect, a batchnorm or none, and a ReLU."""
    if len(modules) < 2 or not isinstance(modules[0], DropConnect):
        return False
    between = all(isinstance(module, _BatchNorm) for module in modules[1:-1])
    return between and isinstance(modules[-1], nn.ReLU)


def moment_hooks(modules: list[Any]) -> list[tuple[nn.Module, Callable]]:
    """Hooks by which the last of a layer's modules, its ReLU, gives the mean activation."""
    first, *norms, last = modules
    inputs: list[Tensor] = []

    def keep(module: nn.Module, args: tuple[Tensor], output: Tensor) -> None:
        inputs[:] = args

    def expect(module: nn.Module, args: tuple[Tensor], output: Tensor) -> Tensor:
        if module.training:
            return output
        found = variance(first, *inputs).float()
        for norm in norms:  # an affine function of its input, in evaluation
            factor = norm.weight.square() / (norm.running_var + norm.eps)
            found = found * factor.view(-1, *[1] * (found.ndim - 2))
        return expected_relu(args[0].float(), found).to(output)

    return [(first, keep), (last, expect)]


def variance(layer: DropConnect, x: Tensor) -> Tensor:
    """Variance over the masks of a DropConnect layer's output, in its shape, for inputs ``x``."""
    squares = (each.square() for each in (x, layer.weight, layer.bias))
    return layer.shared(*squares) * (layer.p / (1 - layer.p))


def expected_relu(mean: Tensor, variance: Tensor) -> Tensor:
    """Mean of max(u, 0) for Gaussian u, elementwise, float32; ``variance`` at least 0."""
    if mean.shape != variance.shape or not (mean + variance).is_floating_point():
        raise ValueError(
            f"mean {tuple(mean.shape)}, variance {tuple(variance.shape)}: float, alike"
        )
    deviation = variance.sqrt().clamp_min(torch.finfo(variance.dtype).tiny)
    z = mean / deviation
    density = torch.exp(-z.square() / 2) / math.sqrt(2 * math.pi)
    return mean * torch.special.ndtr(z) + deviation * density
