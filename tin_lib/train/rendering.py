"""Augmented batches of images on the device."""

from torch import Tensor, nn

from tin_lib import augment
from tin_lib.recipes import Recipe
from tin_lib.train.compiled import Compiled


class Rendering(nn.Module):
    """Augmented and normalised batches of resident images, as a module that can be compiled."""

    def __init__(self, images: Tensor, mean: Tensor, std: Tensor) -> None:
        super().__init__()
        self.images, self.mean, self.std = images, mean, std

    def forward(self, batch: augment.EpochPlan) -> Tensor:
        """See ``augment.render``."""
        return augment.render(self.images, batch, self.mean, self.std)


def rendering(recipe: Recipe, images: Tensor, mean: Tensor, std: Tensor) -> nn.Module:
    """A ``Rendering``, compiled where the recipe compiles and launches cost most: on a GPU.

    There dozens of small kernels become a few. A CPU is faster with only those images touched that
    change, whose number no compiled code can know. Never in a mode with CUDA graphs: a graph's
    output would be overwritten while the network's own graph still reads it.
    """
    module = Rendering(images, mean, std)
    return Compiled(module, "default") if recipe.compile and images.is_cuda else module
