"""A gradient through silent ReLUs, for activation maximisation that starts from noise."""

import contextlib
from collections.abc import Iterator

from torch import Tensor, nn

from tin_lib.networks.base import forward_hooks


class Leak:
    """Passes a ``share`` of the gradient through silent ReLUs; 0 is the true gradient.

    On faint noise a filter, or a whole layer, is silent and would never get a gradient; the same
    idea as lucid's redirected ReLU (Olah et al., "Feature Visualization", 2017).
    """

    def __init__(self) -> None:
        self.share = 0.0

    def __call__(self, module: nn.Module, inputs: tuple[Tensor], output: Tensor) -> Tensor:
        """A ReLU's output, unchanged, with the gradient ``share`` where the input is 0 or less."""
        silent = inputs[0].clamp(max=0)
        return output + self.share * (silent - silent.detach())


@contextlib.contextmanager
def leaky_relus(network: nn.Module) -> Iterator[Leak]:
    """Context in which every ReLU module has the Leak that is yielded, at first 0."""
    leak = Leak()
    relus = [module for module in network.modules() if isinstance(module, nn.ReLU)]
    with forward_hooks((relu, leak) for relu in relus):
        yield leak
