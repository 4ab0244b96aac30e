"""A network's layers seen from outside: their weights, activations and receptive fields."""

import contextlib
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
import torch
from torch import Tensor, nn

from tin_lib import augment

if TYPE_CHECKING:
    from tin_lib.data import Split
    from tin_lib.networks import Network

SIZE = 64  # pixels of an image's side
BRANCH = "around"  # of a residual block; it sees no more than the main path


@dataclass(frozen=True, eq=False)
class Images:
    """Images to show to a network: uint8 pixels, labels, and the network's normalisation.

    ``pixels`` uint8 (N, 3, 64, 64), may be a memory map; ``labels`` int64 (N,), -1 where unknown;
    ``mean`` and ``std`` float32 (3,) in 0..255 units.
    """

    pixels: np.ndarray
    labels: np.ndarray
    mean: Tensor
    std: Tensor

    def __len__(self) -> int:
        return len(self.labels)

    def batches(self, size: int, device: torch.device) -> Iterator[tuple[int, Tensor]]:
        """Yield (first row, normalised float32 (B, 3, 64, 64)) one batch at a time."""
        mean, std = self.mean.to(device), self.std.to(device)
        for first in range(0, len(self), size):
            # np.array copies: torch must not alias a read-only memory map.
            pixels = torch.from_numpy(np.array(self.pixels[first : first + size]))
            yield first, augment.normalise(pixels.to(device), mean, std)


def of_split(
    split: "Split",
    mean: Sequence[float] | np.ndarray | Tensor,
    std: Sequence[float] | np.ndarray | Tensor,
    limit: int | None = None,
) -> Images:
    """Take a split's images, or ``limit`` of them evenly spread over it, for a look at a network.

    ``mean`` and ``std``: 3 values each, 0..255 units, as the network was trained with.
    """
    mean = torch.as_tensor(mean, dtype=torch.float32)
    std = torch.as_tensor(std, dtype=torch.float32)
    if limit is None or limit >= len(split):
        return Images(split.images, split.labels, mean, std)
    rows = spread(len(split), limit)
    return Images(split.images[rows], split.labels[rows], mean, std)


def spread(count: int, limit: int) -> np.ndarray:
    """``limit`` rows evenly spread over ``count``, int64, or all; ValueError for none."""
    if limit < 1:
        raise ValueError(f"images: {limit} are too few to look at; give at least one")
    if limit >= count:
        return np.arange(count)
    return np.linspace(0, count - 1, limit).round().astype(np.int64)


def conv_layers(network: "Network") -> list[str]:
    """Names of the network's convolution layers, first to last."""
    modules = {name: network.get_submodule(layer.weight) for name, layer in network.layers.items()}
    return [name for name, module in modules.items() if isinstance(module, nn.Conv2d)]


def find_layer(network: "Network", layer: str) -> str:
    """Turn ``first`` and ``last`` into the first and last conv layer; check any other name.

    Raises ValueError, listing the layers, for an unknown one.
    """
    if layer in ("first", "last"):
        return conv_layers(network)[0 if layer == "first" else -1]
    network.check(layer)
    return layer


def weight(network: "Network", layer: str) -> Tensor:
    """The layer's weights, detached, on the CPU: (K, C, h, w), or (K, inputs) of a dense layer."""
    module: Any = network.get_submodule(network.layers[find_layer(network, layer)].weight)
    return module.weight.detach().float().cpu()


def filter_count(network: "Network", layer: str) -> int:
    """Number of filters (or dense units) K of a layer."""
    return len(weight(network, layer))


@contextlib.contextmanager
def evaluating(network: nn.Module) -> Iterator[torch.device]:
    """Put a network into evaluation mode for a while; yields the device it lives on."""
    was_training = network.training
    network.eval()
    try:
        yield next(network.parameters()).device
    finally:
        network.train(was_training)


class Leak:
    """Lets a ``share`` of the gradient pass through silent ReLUs; 0 is the true gradient.

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
def leaking(network: nn.Module) -> Iterator[Leak]:
    """Put a Leak, closed at first, on every ReLU of the network for a while."""
    leak = Leak()
    relus = [module for module in network.modules() if isinstance(module, nn.ReLU)]
    handles = [relu.register_full_backward_hook(leak) for relu in relus]
    try:
        yield leak
    finally:
        for handle in handles:
            handle.remove()


def activation(network: "Network", layer: str, images: Tensor) -> Tensor:
    """Run the network up to one layer and return its activation, (B, K, h, w) or (B, K).

    ``images``: normalised float32 (B, 3, 64, 64). What lies behind the layer does not run.
    """
    output = network.layers[find_layer(network, layer)].output
    for part in ("features", "classifier"):
        for key, module in getattr(network, part).named_children():
            images = module(images)
            if f"{part}.{key}" == output:
                return images
    raise ValueError(f"layer: {network.name} has no module {output!r} in features or classifier")


@dataclass(frozen=True)
class Field:
    """Receptive field of a layer's units along one axis, in image pixels.

    The unit at map position p sees pixels ``start + p * stride`` to that ``+ size - 1``; a part
    may lie outside of the image, where the padding is.
    """

    size: int = 1
    stride: int = 1
    start: int = 0

    def then(self, module: nn.Module) -> "Field":
        """The field one module further on (Araujo et al., "Computing Receptive Fields", 2019)."""
        kernel, stride, padding, dilation = (
            _first(getattr(module, name, 1))
            for name in ("kernel_size", "stride", "padding", "dilation")
        )
        size = self.size + (kernel - 1) * dilation * self.stride
        return Field(size, self.stride * stride, self.start - padding * self.stride)

    def span(self, position: int) -> tuple[int, int]:
        """First pixel and the pixel after the last that the unit at ``position`` sees."""
        first = self.start + position * self.stride
        return first, first + self.size


def _first(value: int | tuple[int, ...]) -> int:
    return value[0] if isinstance(value, tuple) else value


def receptive_field(network: "Network", layer: str) -> Field | None:
    """The field of a layer's units, from the geometry; None where each unit sees the whole image.

    Follows the modules of ``network.features`` in order up to the layer's output; of a residual
    block the main path, which sees the most.
    """
    output = network.layers[find_layer(network, layer)].output
    if not output.startswith("features."):
        return None  # dense layers see everything
    field = Field()
    for module in _main_path(network, output):
        if isinstance(module, nn.AdaptiveAvgPool2d):
            return None
        if isinstance(module, nn.Conv2d | nn.MaxPool2d | nn.AvgPool2d):
            field = field.then(module)
    return field if field.size < SIZE else None


def _main_path(network: "Network", output: str) -> Iterator[nn.Module]:
    """Modules from the input to ``output``, that one and its parts included, without branches."""
    reached = False
    for path, module in network.features.named_modules(prefix="features"):
        if reached and not path.startswith(f"{output}."):
            return
        reached = reached or path == output
        if BRANCH not in path.split("."):
            yield module
