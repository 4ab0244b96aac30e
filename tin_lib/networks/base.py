"""What all networks share: named layers, intermediate activations, initial weights."""

import contextlib
import math
from collections.abc import Callable, Iterable, Iterator, Sequence
from typing import Any, Literal, NamedTuple

import torch
from torch import Tensor, nn

SIZE = 64  # pixels, height and width of every image
Norm = Callable[[int], nn.Module] | None  # makes the normalisation of a number of channels
Init = Literal["glorot", "he"]


class Layer(NamedTuple):
    """Where a named layer is: paths for ``get_submodule``."""

    weight: str  # the module with the layer's filters, e.g. "features.0"
    output: str  # the module whose output is the layer's activation, after its ReLU if it has one
    modules: tuple[str, ...] = ()  # all modules of the layer, first to last


class Stack:
    """Modules in order, with names for those that have weights."""

    def __init__(self, part: str) -> None:
        self.part, self.channels = part, 3  # of the last convolution; at first of the image
        self.modules: list[nn.Module] = []
        self.layers: dict[str, Layer] = {}

    def add(self, *modules: nn.Module) -> "Stack":
        """Append modules that are no named layer."""
        self.modules += modules
        return self

    def layer(self, name: str, *modules: nn.Module, filters: int | str = 0) -> "Stack":
        """Append a layer. Its activation comes last; ``filters`` is the index or path, among its
        modules, of the one whose weights are its filters, e.g. 1 in a separable convolution
        (depthwise, pointwise, ReLU), or "0.conv"."""
        first = len(self.modules)
        self.modules += modules
        paths = tuple(f"{self.part}.{index}" for index in range(first, len(self.modules)))
        index, _, inner = str(filters).partition(".")
        weight = paths[int(index)] + (f".{inner}" if inner else "")
        self.layers[name] = Layer(weight, paths[-1], paths)
        return self

    def conv(self, channels: int, kernel: int, stride: int, padding: int, norm: Norm) -> "Stack":
        """Append the next of the layers conv1, conv2, …: convolution, ``norm`` if any, ReLU."""
        conv = nn.Conv2d(self.channels, channels, kernel, stride, padding)
        self.channels = channels
        after = [norm(channels)] if norm else []
        return self.layer(f"conv{len(self.layers) + 1}", conv, *after, nn.ReLU())


class Network(nn.Module):
    """A convolutional part ``features`` followed by a dense part ``classifier``.

    ``layers``: the named layers in order: conv1, conv2, …, dense1, … ``options``: what the network
    was built with. ``origin``: where its weights came from, as text.
    """

    name, num_classes, width, origin = "", 0, 1.0, "random"
    layers: dict[str, Layer]
    options: dict[str, Any]

    def __init__(self, features: Stack, classifier: Stack) -> None:
        super().__init__()
        self.features = nn.Sequential(*features.modules)
        self.classifier = nn.Sequential(*classifier.modules)
        self.layers, self.options = features.layers | classifier.layers, {}

    def forward(self, x: Tensor) -> Tensor:
        """Scores before softmax, (N, classes), of normalised images (N, 3, 64, 64)."""
        return self.classifier(self.features(x))

    def forward_features(self, x: Tensor, names: Sequence[str]) -> tuple[Tensor, dict[str, Tensor]]:
        """Scores like ``forward``, and the layers' activations. ValueError for an unknown name."""
        wanted = {self.get_submodule(self.check(name).output): name for name in names}
        found: dict[str, Tensor] = {}
        for module in (*self.features, *self.classifier):
            x = module(x)
            if module in wanted:
                found[wanted[module]] = x
        return x, found

    def check(self, name: str) -> Layer:
        """Return the layer of that name. Raises ValueError, listing the layers, for another."""
        if name not in self.layers:
            raise ValueError(f"{self.name} has no layer {name!r}; layers: {', '.join(self.layers)}")
        return self.layers[name]


def scale(count: int, width: float) -> int:
    """Channels or units at a width; at least four, so that no layer becomes a bottleneck of one."""
    return max(4, round(count * width))


@torch.no_grad()
def initialise(network: Network, init: Init) -> Network:
    """Draw starting weights from the global generator; biases start at zero. Returns the network.

    Dense layers are Glorot's (uniform), as in Keras. Convolutions too, or with ``init="he"`` normal
    with variance 2 / fan-out, which keeps the size of gradients through ReLUs (He et al., 2015).
    The fan-out of a grouped convolution is that of one group.
    """
    for module in network.modules():
        if isinstance(module, nn.Conv2d | nn.Linear):
            fan_in, outputs = module.weight[0].numel(), len(module.weight)
            fan_out = module.weight[0, 0].numel() * outputs // getattr(module, "groups", 1)
            if init == "he" and isinstance(module, nn.Conv2d):
                module.weight.normal_(0, math.sqrt(2 / fan_out))
            else:
                bound = math.sqrt(6 / (fan_in + fan_out))
                module.weight.uniform_(-bound, bound)
            if module.bias is not None:
                module.bias.zero_()
    return network


def parameter_count(module: nn.Module) -> int:
    """Number of trained weights, biases included."""
    return sum(p.numel() for p in module.parameters())


@contextlib.contextmanager
def forward_hooks(hooks: Iterable[tuple[nn.Module, Callable]]) -> Iterator[None]:
    """Context in which each module has the forward hook beside it."""
    with contextlib.ExitStack() as stack:
        for module, hook in hooks:
            stack.enter_context(module.register_forward_hook(hook))
        yield


@contextlib.contextmanager
def evaluation_mode(network: nn.Module, gradients: bool = True) -> Iterator[torch.device]:
    """Context in which ``network`` is in evaluation mode; yields the device of its parameters,
    which get no gradient without ``gradients``: an image's gradient is then a third less work."""
    modes = {module: module.training for module in network.modules()}
    flags = {parameter: parameter.requires_grad for parameter in network.parameters()}
    network.eval()
    if not gradients:
        network.requires_grad_(False)
    try:
        yield next((parameter.device for parameter in flags), torch.device("cpu"))
    finally:
        for module, mode in modes.items():
            module.training = mode
        for parameter, flag in flags.items():
            parameter.requires_grad_(flag)
