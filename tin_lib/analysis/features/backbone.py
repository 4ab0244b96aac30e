"""A network as a source of features: its input, and what its last layer receives."""

import hashlib
from dataclasses import dataclass
from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from tin_lib.networks.base import forward_hooks

SIZES = (8, 1024)  # smallest and largest side of the input, pixels
INTERPOLATIONS = ("bilinear", "bicubic")


@dataclass(frozen=True)
class Preprocessing:
    """How packed images become a network's input.

    ``size``: side of the input in pixels; the whole image is scaled to it. ``mean``, ``std``: of
    each channel, in 0..1 units. ``interpolation``: bilinear or bicubic.
    """

    size: int
    mean: tuple[float, ...]
    std: tuple[float, ...]
    interpolation: str = "bilinear"

    def __post_init__(self) -> None:
        if not SIZES[0] <= self.size <= SIZES[1]:
            raise ValueError("size={}: must lie between {} and {}".format(self.size, *SIZES))
        if self.interpolation not in INTERPOLATIONS:
            choice = f"choose one of {', '.join(INTERPOLATIONS)}"
            raise ValueError(f"interpolation={self.interpolation!r}: {choice}")

    def __call__(self, images: Tensor) -> Tensor:
        """The network's input, float32 (B, 3, size, size), of uint8 images (B, 3, 64, 64)."""
        scaled = self.scale(images.contiguous(memory_format=torch.channels_last))
        mean, std = (
            torch.tensor(values, device=images.device)[:, None, None] * 255
            for values in (self.mean, self.std)
        )
        return (scaled - mean) / std

    def scale(self, images: Tensor) -> Tensor:
        """The images at the input's size, 0..255; with the filter that Pillow uses."""
        if images.shape[2:] == (self.size, self.size):
            return images
        # On a CPU uint8 is ten times faster than float32; CUDA has no kernel for it.
        values = images.float() if images.is_cuda else images
        side = (self.size, self.size)
        return F.interpolate(values, side, mode=self.interpolation, antialias=True).clamp(0, 255)


class Backbone:
    """A network whose features are the input of its last linear or convolution layer.

    A map (B, D, h, w), of a network whose last layer is a convolution, is averaged over its
    positions. ``name``: what messages call the network. ``origin``: where its weights come from.
    Raises ValueError where the network fails on images of the size, or where its last layer
    receives neither units (B, D) nor a map.
    """

    def __init__(
        self, name: str, module: nn.Module, preprocessing: Preprocessing, origin: str
    ) -> None:
        self.name, self.preprocessing, self.origin = name, preprocessing, origin
        self.module = module.eval().to(memory_format=torch.channels_last)
        self.last = last_layer(self.module, self.noise(), name)
        with torch.no_grad():
            scores, found = self.forward(self.noise())
        self.dimensions = found.shape[1]
        self.head = linear_head(self.last, scores, found)

    def noise(self) -> Tensor:
        """Two images of noise at the input's size, the same each time."""
        side = self.preprocessing.size
        return torch.randn(2, 3, side, side, generator=torch.Generator().manual_seed(0))

    def forward(self, inputs: Tensor) -> tuple[Tensor, Tensor]:
        """Scores, and features float32 (B, D), of the network's input."""
        received: list[Tensor] = []
        handle = self.last.register_forward_pre_hook(lambda _, given: received.append(given[0]))
        try:
            scores = self.module(inputs)
        finally:
            handle.remove()
        return scores, pooled(received[-1], self.name).float()

    def features(self, images: Tensor) -> Tensor:
        """Features, float32 (B, D), of uint8 images (B, 3, 64, 64)."""
        return self.forward(self.preprocessing(images))[1]

    @property
    def digest(self) -> str:
        """SHA-256 of the weights' names and values, whatever file they came from."""
        digest = hashlib.sha256()
        for key, value in sorted(self.module.state_dict().items()):
            digest.update(f"{key} {value.dtype} {tuple(value.shape)}\n".encode())
            digest.update(value.cpu().contiguous().flatten().view(torch.uint8).numpy().data)
        return digest.hexdigest()


def last_layer(module: nn.Module, inputs: Tensor, name: str) -> nn.Module:
    """The last linear or convolution layer to run; ValueError where the forward pass fails."""
    order: list[nn.Module] = []

    def note(part: nn.Module, given: Any, output: Any) -> None:
        order.append(part)

    layers = [part for part in module.modules() if isinstance(part, nn.Linear | nn.Conv2d)]
    try:
        with forward_hooks((part, note) for part in layers), torch.no_grad():
            module(inputs)
    except Exception as error:  # anything, from a network of others
        reason = next(iter(str(error).splitlines()), "")
        raise ValueError(
            f"size={inputs.shape[-1]}: {name} fails on images of this size "
            f"({type(error).__name__}: {reason}); leave size out for its own"
        ) from None
    if not order:
        raise ValueError(f"{name} has no linear or convolution layer whose input could be taken")
    return order[-1]


def pooled(received: Tensor, name: str) -> Tensor:
    """Features (B, D) from what the last layer receives."""
    if received.ndim not in (2, 4):
        shape = tuple(received.shape)
        raise ValueError(f"{name}: its last layer receives {shape}, neither units nor a map")
    return received if received.ndim == 2 else received.mean((2, 3))


def linear_head(last: nn.Module, scores: Any, found: Tensor) -> tuple[Tensor, Tensor] | None:
    """Weight (K, D) and bias (K,) if the scores are a linear map of the features, else None."""
    if not isinstance(last, nn.Linear) or not isinstance(scores, Tensor):
        return None
    weight = last.weight.detach().float()
    bias = torch.zeros(len(weight)) if last.bias is None else last.bias.detach().float()
    same = scores.shape == (len(found), len(weight))
    if not same or not torch.allclose(F.linear(found, weight, bias), scores, rtol=1e-3, atol=1e-4):
        return None  # two heads averaged, scores cut off or scaled
    return weight.clone(), bias.clone()
