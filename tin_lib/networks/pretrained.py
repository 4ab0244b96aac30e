"""Starting weights: torchvision's ImageNet weights, or a checkpoint of ours.

torchvision's networks were trained on images in 0..1, less ImageNet's mean, divided by its
deviation. Ours are scaled by Tiny ImageNet's: the mean is the same to 0.04 of a deviation, but the
deviation is 0.276, 0.269, 0.282 (red, green, blue; of single pixels) against 0.229, 0.224, 0.225.
So the first layer sees contrasts about a fifth weaker than it was trained on; training adapts, and
one constant for all networks is what makes their maps and inputs comparable.
"""

from pathlib import Path
from typing import TYPE_CHECKING

import torch
from torch import Tensor

from tin_lib.files import file_digest
from tin_lib.networks.weights import read_state

if TYPE_CHECKING:
    from tin_lib.networks.base import Network

# The end of a file's name is the start of its SHA-256. Keyed by network and batchnorm.
IMAGENET = {
    ("vgg16", False): "https://download.pytorch.org/models/vgg16-397923af.pth",
    ("vgg16", True): "https://download.pytorch.org/models/vgg16_bn-6c64b313.pth",
    ("alexnet", False): "https://download.pytorch.org/models/alexnet-owt-7be5be79.pth",
}


def start_from(network: "Network", weights: str | Path) -> None:
    """Put starting weights into ``network``, and say in ``network.origin`` which.

    ``weights``: "imagenet"; a torchvision state dict (.pth), of which the conv part is taken and
    the dense layers stay random; a .safetensors file or fit folder of ours. An output layer for
    another number of classes stays random. Raises FileNotFoundError or ValueError, naming the file
    or network, when there are none or they do not fit.
    """
    path = file_of(weights)
    if str(weights) == "imagenet":
        network.origin = from_torchvision(network, imagenet_state(network), "ImageNet weights")
    elif path.suffix in (".pth", ".pt"):
        network.origin = from_torchvision(network, read_pth(path), str(path))
    else:
        network.origin = from_ours(network, path)


def digest_of(weights: str | None) -> str | None:
    """SHA-256 of the file that starting weights come from: another file makes another fit.

    Empty for random and for ImageNet weights, None for a file that is not there (any more).
    """
    if weights is None or weights == "imagenet":
        return ""
    path = file_of(weights)
    if not path.is_file():
        return None
    return file_digest(path)


def file_of(weights: str | Path) -> Path:
    """The file that is meant by a file or by a fit's folder."""
    path = Path(weights).expanduser()
    return path / "weights.safetensors" if path.is_dir() else path


def read_pth(path: Path) -> dict[str, Tensor]:
    """A state dict from a .pth file; never runs code in it. Errors name the file."""
    if not path.is_file():
        raise FileNotFoundError(f"weights: {path} does not exist")
    try:
        state = torch.load(path, map_location="cpu", weights_only=True)
    except Exception as error:  # torch raises many kinds for damaged and for hostile files
        raise ValueError(
            f"weights: {path} is damaged or not a file of weights ({type(error).__name__})"
        ) from None
    if not isinstance(state, dict) or not all(isinstance(name, str) for name in state):
        raise ValueError(f"weights: {path} holds no state dict")
    return state


def imagenet_state(network: "Network") -> dict[str, Tensor]:
    """torchvision's ImageNet weights, from torch.hub's cache or else downloaded into it."""
    url = IMAGENET.get((network.name, bool(network.options.get("batchnorm", False))))
    if url is None or network.width != 1:
        raise ValueError(
            "weights='imagenet' is there for vgg16, and for alexnet without batchnorm, at width 1; "
            f"not for {described(network)}"
        )
    cached = Path(torch.hub.get_dir()) / "checkpoints" / Path(url).name
    if cached.is_file():
        return read_pth(cached)
    try:
        return torch.hub.load_state_dict_from_url(
            url, map_location="cpu", check_hash=True, progress=False, weights_only=True
        )
    except (OSError, RuntimeError) as error:
        raise ValueError(
            f"weights='imagenet': {url} could not be fetched ({error}). Fetch it elsewhere and "
            f"pass its path as weights, put it into {cached.parent}, or start from random weights"
        ) from None


def from_torchvision(network: "Network", state: dict[str, Tensor], source: str) -> str:
    """Copy ``features.*`` of a torchvision state dict; returns what was done."""
    conv = {k.removeprefix("features."): v for k, v in state.items() if k.startswith("features.")}
    try:
        network.features.load_state_dict(conv)
    except RuntimeError:
        raise ValueError(
            f"weights: {source} does not fit the conv part of {described(network)}"
        ) from None
    return f"{source} (conv part; dense layers random)"


def from_ours(network: "Network", path: Path) -> str:
    """Copy a checkpoint of ours; returns what was done."""
    meta, state = read_state(path)
    if (meta["network"], meta["width"]) != (network.name, network.width):
        raise ValueError(
            f"weights: {path} holds {meta['network']} at width {meta['width']}, "
            f"not {described(network)}"
        )
    note = str(path)
    if meta["num_classes"] != network.num_classes:
        state |= output_layer(network)
        note += f" (of {meta['num_classes']} classes; output layer random)"
    try:
        network.load_state_dict(state)
    except RuntimeError:
        raise ValueError(
            f"weights: {path} was made with {meta['options']}; it does not fit {described(network)}"
        ) from None
    return note


def output_layer(network: "Network") -> dict[str, Tensor]:
    """The part of the network's state dict that depends on the number of classes."""
    last = network.layers[next(reversed(network.layers))].weight
    return {k: v for k, v in network.state_dict().items() if k.startswith(f"{last}.")}


def described(network: "Network") -> str:
    """The network in words, for a message."""
    options = ", ".join(f"{name}={value!r}" for name, value in network.options.items())
    return f"{network.name} at width {network.width} ({options})"
