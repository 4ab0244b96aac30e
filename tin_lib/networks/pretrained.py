"""Starting weights: torchvision's ImageNet weights, a state dict, or a checkpoint of this library.
For ImageNet's, images were normalised in another way: docs/NETWORKS.md.
"""

from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from tin_lib.files import file_digest
from tin_lib.networks import registry
from tin_lib.networks.base import Network
from tin_lib.networks.foreign import aligned, misfit, read_state_dict
from tin_lib.networks.weights import header, read_state
from tin_lib.networks.wrapped import WrappedNetwork

# The end of a file's name is the start of its SHA-256. Keyed by network and batchnorm.
IMAGENET = {
    ("vgg16", False): "https://download.pytorch.org/models/vgg16-397923af.pth",
    ("vgg16", True): "https://download.pytorch.org/models/vgg16_bn-6c64b313.pth",
    ("alexnet", False): "https://download.pytorch.org/models/alexnet-owt-7be5be79.pth",
}


def create(
    name: str,
    num_classes: int = 200,
    width: float = 1.0,
    *,
    weights: str | None = None,
    **given: Any,
) -> Network:
    """A network for 64×64 images; random weights come from torch's global generator.

    ``name``: see ``names()``; also ``torchvision:NAME``, ``timm:NAME``, or a registered or trusted
    ``module:build``. ``width`` multiplies channel and unit counts. ``weights``: None (random),
    "imagenet" (conv part of vgg16 and alexnet, at width 1), a file of a state dict (.pth), or a
    checkpoint of this library (.safetensors or a fit's folder), also for other classes.
    ``given``: options, see ``options(name)``. Raises ValueError for an unknown name or option and
    for weights that do not fit, FileNotFoundError without them.
    """
    network = registry.build(name, num_classes, width, given)
    if weights is not None:
        load_pretrained_(network, weights)
    return network


def load_pretrained_(network: Network, weights: str | Path) -> None:
    """Put starting weights, as for ``create``, into ``network``, and their source into ``origin``.
    An output layer for another number of classes stays random."""
    path = weights_file(weights)
    source, note, classes, fault = str(path or "ImageNet weights"), "", "", "does not fit"
    if path is not None and is_own(path):
        meta, state = read_state(path)
        if (meta["network"], meta["width"]) != (network.name, network.width):
            holds = f"{path} holds {meta['network']} at width {meta['width']}"
            raise ValueError(f"weights: {holds}, not {described(network)}")
        fault = f"was made with {meta['options']}; it does not fit"
        classes = f"of {meta['num_classes']} classes; "
    else:
        state = imagenet_state(network) if path is None else read_state_dict(path)
        own = network.state_dict()
        if isinstance(network, WrappedNetwork):
            state = aligned(state, {k.removeprefix("module."): v for k, v in own.items()})
            state = {f"module.{key}": value for key, value in state.items()}
        else:
            dense = {k: v for k, v in own.items() if not k.startswith("features.")}
            state = aligned(state, own)
            state = {k: v for k, v in state.items() if k.startswith("features.")} | dense
            note, fault = " (conv part; dense layers random)", "does not fit the conv part of"
    last = f"{list(network.layers.values())[-1].weight}." if network.layers else "no layer"
    output = {k: v for k, v in network.state_dict().items() if k.startswith(last)}
    if any(getattr(state.get(k), "shape", v.shape) != v.shape for k, v in output.items()):
        state, note = state | output, f" ({classes}output layer random)"
    if wrong := misfit(state, network.state_dict()):
        raise ValueError(f"weights: {source} {fault} {described(network)}: {wrong}")
    network.load_state_dict(state)
    network.origin = source + note


def described(network: Network) -> str:
    """The network as text, for a message."""
    options = ", ".join(f"{name}={value!r}" for name, value in network.options.items())
    return f"{network.name} at width {network.width} ({options})"


def weights_digest(weights: str | None) -> str | None:
    """SHA-256 of the file of starting weights, "" without a file, None if it does not exist."""
    path = weights_file(weights)
    if path is None:
        return ""
    return file_digest(path) if path.is_file() else None


def weights_file(weights: str | Path | None) -> Path | None:
    """The file that ``weights``, a file or a fit's folder, means; None without, and "imagenet"."""
    if weights is None or str(weights) == "imagenet":
        return None
    path = Path(weights).expanduser()
    return path / "weights.safetensors" if path.is_dir() else path


def is_own(path: Path) -> bool:
    """Whether a file is a checkpoint of this library, whatever its suffix."""
    return path.is_file() and header(path) is not None


def imagenet_state(network: Network) -> dict[str, Tensor]:
    """torchvision's ImageNet weights, from torch.hub's cache or else downloaded into it."""
    url = IMAGENET.get((network.name, bool(network.options.get("batchnorm", False))))
    if url is None or network.width != 1:
        raise ValueError(
            "weights='imagenet' is there for vgg16, and for alexnet without batchnorm, at width 1; "
            f"not for {described(network)}"
        )
    try:
        return torch.hub.load_state_dict_from_url(
            url, map_location="cpu", check_hash=True, progress=False, weights_only=True
        )
    except Exception as error:  # torch raises many kinds for damaged files
        cache = Path(torch.hub.get_dir()) / "checkpoints"
        raise ValueError(
            f"weights='imagenet': {url} could not be fetched ({error}). Fetch it elsewhere and "
            f"pass its path as weights, put it into {cache}, or start from random weights"
        ) from None
