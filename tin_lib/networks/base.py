"""What all networks share: named layers, named intermediate features, initial weights."""

from collections.abc import Sequence
from typing import Any, NamedTuple

import torch
from torch import Tensor, nn

SIDE = 64  # pixels


class Layer(NamedTuple):
    """Where a named layer lies: paths as ``get_submodule`` reads them."""

    weight: str  # the module with the weights, e.g. "features.0"
    output: str  # the module whose output is the layer's activation, after its ReLU if it has one


class Network(nn.Module):
    """A convolutional part ``features`` and a dense part ``classifier``, run one after the other.

    ``layers`` names them in order: conv1, conv2, …, dense1, …
    """

    def __init__(self, features: "Stack", classifier: "Stack") -> None:
        super().__init__()
        self.features = nn.Sequential(*features.modules)
        self.classifier = nn.Sequential(*classifier.modules)
        self.layers: dict[str, Layer] = features.layers | classifier.layers
        self.name, self.num_classes, self.width = "", 0, 1.0
        self.options: dict[str, Any] = {}

    def forward(self, x: Tensor) -> Tensor:
        """Scores before softmax, (N, classes), of normalised images (N, 3, 64, 64)."""
        return self.classifier(self.features(x))

    def forward_features(self, x: Tensor, names: Sequence[str]) -> tuple[Tensor, dict[str, Tensor]]:
        """Scores as ``forward``'s, and the activations of the named layers.

        Raises ValueError, listing the layers, for an unknown name.
        """
        for name in names:
            self.check(name)
        wanted = {self.layers[name].output: name for name in names}
        found: dict[str, Tensor] = {}
        for part in ("features", "classifier"):
            for key, module in getattr(self, part).named_children():
                x = module(x)
                if f"{part}.{key}" in wanted:
                    found[wanted[f"{part}.{key}"]] = x
        return x, found

    def check(self, name: str) -> Layer:
        """The layer of that name; ValueError lists the layers there are."""
        if name not in self.layers:
            raise ValueError(f"{self.name} has no layer {name!r}; layers: {', '.join(self.layers)}")
        return self.layers[name]


class Stack:
    """Modules in order, with names for those that carry weights."""

    def __init__(self, part: str) -> None:
        self.part = part
        self.modules: list[nn.Module] = []
        self.layers: dict[str, Layer] = {}

    def add(self, *modules: nn.Module) -> "Stack":
        """Append modules without weights of their own."""
        self.modules += modules
        return self

    def layer(self, name: str, *modules: nn.Module) -> "Stack":
        """Append a layer: its weights first, its activation last."""
        first = len(self.modules)
        self.modules += modules
        last = len(self.modules) - 1
        self.layers[name] = Layer(f"{self.part}.{first}", f"{self.part}.{last}")
        return self


def scale(count: int, width: float) -> int:
    """Channels or units at a width; at least four, so that no layer becomes a bottleneck of one."""
    return max(4, round(count * width))


def dropout(rate: float, factor: float) -> nn.Dropout:
    """Dropout at ``factor`` times the published rate, capped below 1."""
    return nn.Dropout(min(rate * factor, 0.95))


def initialise(network: nn.Module, init: str) -> None:
    """Draw starting weights: ``glorot`` (uniform, Keras's default) or ``he`` (normal, fan out).

    Biases start at zero. Raises ValueError for another name.
    """
    if init not in ("glorot", "he"):
        raise ValueError(f"init={init!r}: choose glorot or he")
    for module in network.modules():
        if isinstance(module, nn.Conv2d | nn.Linear):
            if init == "he":
                nn.init.kaiming_normal_(module.weight, mode="fan_out", nonlinearity="relu")
            else:
                nn.init.xavier_uniform_(module.weight)
            if module.bias is not None:
                nn.init.zeros_(module.bias)


def parameter_count(module: nn.Module) -> int:
    """Number of trained weights."""
    return sum(p.numel() for p in module.parameters())


@torch.no_grad()
def trace(network: Network, side: int = SIDE) -> dict[str, tuple[nn.Module, tuple[int, ...]]]:
    """Each module on the path of one image and the shape (C, H, W) or (units,) of its output."""
    was_training, seen = network.training, {}
    reference = next(network.parameters())
    x = torch.zeros(1, 3, side, side, device=reference.device, dtype=reference.dtype)
    network.eval()
    for part in ("features", "classifier"):
        for key, module in getattr(network, part).named_children():
            x = module(x)
            seen[f"{part}.{key}"] = (module, tuple(x.shape[1:]))
    network.train(was_training)
    return seen
