"""A gradient through silent ReLUs, for activation maximisation that starts from noise."""

import contextlib
from collections.abc import Iterator

import torch
from torch import Tensor, nn


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
    relus = [module for module in network.modules() if isinstance(module, nn.ReLU)]
    handles = [relu.register_full_backward_hook(leak) for relu in relus]
    try:
        yield leak
    finally:
        for handle in handles:
            handle.remove()
