"""Any ``nn.Module`` as a Network, also torchvision's and timm's; one pass finds its layers."""

import itertools
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn.modules.batchnorm import _NormBase

from tin_lib.networks.base import SIZE, Layer, Network, evaluation_mode, forward_hooks

NORMS = (_NormBase, nn.GroupNorm, nn.LayerNorm)
ACTIVATIONS = ("torch.nn.modules.activation", "timm.layers.activations")  # modules that hold them


@dataclass
class Chain:
    """A layer's module and the normalisations and the activation directly after it."""

    paths: list[str]
    result: Tensor  # of the last of them
    version: int  # number of changes of ``result`` in place
    complete: bool = False  # an activation ends it


class WrappedNetwork(Network):
    """``module`` with the interface of a Network.

    Its layers are the convolutions with a map (N, K, h, w) and the dense layers with units (N, K)
    that run once per pass, in the order in which they run, named by their paths in the module. A
    layer's activation is the output of the normalisation and activation modules that directly
    follow. Modules that work in place are switched to not in place.
    """

    def __init__(self, module: nn.Module, num_classes: int) -> None:
        nn.Module.__init__(self)
        self.module, self.options = module, {}
        for part in module.modules():
            if getattr(part, "inplace", False) is True:
                part.inplace = False  # type: ignore[assignment]
        self.layers = find_layers(module, num_classes)

    def forward(self, x: Tensor) -> Tensor:
        """Scores before softmax, (N, classes), of normalised images (N, 3, 64, 64)."""
        scores = self.module(x)
        if not isinstance(scores, Tensor):
            raise ValueError(
                f"{self.name} returns {type(scores).__name__} in training mode; build it so that "
                "it returns scores (N, classes) alone"
            )
        return scores

    def forward_features(self, x: Tensor, names: Sequence[str]) -> tuple[Tensor, dict[str, Tensor]]:
        """Scores like ``forward``, and the activations of the named layers."""
        if not names:
            return self(x), {}  # as in training: without hooks
        found: dict[str, Tensor] = {}
        wanted = {self.get_submodule(self.check(name).output): name for name in names}

        def keep(module: nn.Module, inputs: Any, output: Tensor) -> Tensor:
            found[wanted[module]] = output
            return output.clone()  # what follows may change it in place

        with forward_hooks((module, keep) for module in wanted):
            return self(x), found


def find_layers(module: nn.Module, num_classes: int) -> dict[str, Layer]:
    """The layers among the modules that run once for two black images. Raises as
    ``check_scores``."""
    counts: Counter[str] = Counter()
    chains: list[Chain] = []
    paths = {part: path for path, part in module.named_modules() if path}

    def note(part: nn.Module, inputs: Any, output: Any) -> None:
        if len(inputs) != 1 or not all(isinstance(each, Tensor) for each in (*inputs, output)):
            return
        counts[paths[part]] += 1
        if is_layer(part, inputs[0], output):
            chains.append(Chain([paths[part]], output, output._version))
        activation = type(part).__module__.startswith(ACTIVATIONS)
        for chain in chains if activation or isinstance(part, NORMS) else ():
            direct = inputs[0] is chain.result and inputs[0]._version == chain.version
            if direct and not chain.complete and output.shape == chain.result.shape:
                chain.paths.append(paths[part])
                chain.result, chain.version = output, output._version
                chain.complete = activation

    with forward_hooks((part, note) for part in paths):
        check_scores(module, num_classes)
    layers = {}
    for chain in chains:
        once = itertools.takewhile(lambda path: counts[path] == 1, chain.paths)
        if members := tuple(f"module.{path}" for path in once):
            layers[chain.paths[0]] = Layer(members[0], members[-1], members)
    return layers


def is_layer(module: nn.Module, source: Tensor, result: Tensor) -> bool:
    """Whether the call is of a convolution with a map, or of a dense layer for whole images."""
    if isinstance(module, nn.Conv2d):  # on a 1×1 map it is a gate or a dense layer
        return result.shape[:2] == (2, module.out_channels) and source.shape[2:].numel() > 1
    return isinstance(module, nn.Linear) and result.shape == (2, module.out_features)


@torch.no_grad()
def check_scores(module: nn.Module, num_classes: int, size: int = SIZE) -> None:
    """Raise ValueError unless two images give scores (2, num_classes), in evaluation mode, so that
    no statistics move; the random generator stays as it is."""
    with evaluation_mode(module) as device, torch.random.fork_rng(devices=[]):
        try:
            scores = module(torch.zeros(2, 3, size, size, device=device))
        except Exception as error:  # anything, from a network of others
            problem = f"its forward pass fails on images (N, 3, {size}, {size})"
            why = next(iter(str(error).splitlines()), "")
            raise ValueError(f"{problem}: {type(error).__name__}: {why}") from error
    if not isinstance(scores, Tensor) or scores.shape != (2, num_classes):
        found = tuple(scores.shape) if isinstance(scores, Tensor) else type(scores).__name__
        raise ValueError(f"gives {found} for 2 images; must give scores (2, {num_classes})")


def torchvision(model: str, num_classes: int, **given: Any) -> nn.Module:
    """A classification network of torchvision, with random weights."""
    from torchvision import models

    if model not in models.list_models(module=models):
        raise ValueError("torchvision has no such classification network")
    defaults: dict[str, Any] = {"image_size": 64} if model.startswith("vit") else {}
    if model == "googlenet":
        defaults = {"aux_logits": False, "init_weights": False}
    return models.get_model(model, num_classes=num_classes, **defaults | without_files(given))


def timm(model: str, num_classes: int, **given: Any) -> nn.Module:
    """A network of timm, which must be installed, with random weights."""
    try:
        import timm as library
    except ImportError:
        raise ValueError("timm is not installed: pip install timm") from None
    if not library.is_model(model):
        raise ValueError("timm has no such network")
    config = library.get_pretrained_cfg(model)
    sized = {"img_size": 64} if config and config.fixed_input_size else {}
    return library.create_model(model, num_classes=num_classes, **sized | without_files(given))


def without_files(given: dict[str, Any]) -> dict[str, Any]:
    """The options, which must not make a library read or fetch weights."""
    if bad := [k for k in given if k.startswith(("weight", "pretrained", "checkpoint", "cache"))]:
        raise ValueError(f"option {bad[0]!r}: give starting weights as the recipe's weights")
    return given
