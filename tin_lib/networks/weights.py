"""Saving, loading and starting from weights. Files are safetensors; nothing is ever unpickled."""

import json
import os
import warnings
from pathlib import Path
from typing import TYPE_CHECKING, Any

import torch
from safetensors import SafetensorError, safe_open
from safetensors.torch import load_file, save_file
from torch import Tensor

from tin_lib import runs

if TYPE_CHECKING:
    from tin_lib.networks.base import Network

# torchvision's ImageNet weights; the last part of the name is the start of the file's SHA-256.
IMAGENET = {
    ("vgg16", False): "https://download.pytorch.org/models/vgg16-397923af.pth",
    ("vgg16", True): "https://download.pytorch.org/models/vgg16_bn-6c64b313.pth",
    ("alexnet", False): "https://download.pytorch.org/models/alexnet-owt-7be5be79.pth",
}


def save(network: "Network", path: str | Path, **meta: Any) -> None:
    """Write a network as safetensors, atomically; the header says how to rebuild it."""
    header = {
        "network": network.name,
        "num_classes": network.num_classes,
        "width": network.width,
        "options": network.options,
    }
    state = {
        name: value.detach().cpu().contiguous() for name, value in network.state_dict().items()
    }
    with runs.atomic_path(path) as temporary:
        save_file(state, temporary, {"tin": json.dumps(header | meta)})


def read_meta(path: str | Path) -> dict[str, Any]:
    """The header that ``save`` wrote; ValueError names a file that is not ours or is damaged."""
    if not Path(path).is_file():
        raise FileNotFoundError(f"{path} does not exist; train the network first (tin train)")
    try:
        with safe_open(str(path), "pt") as file:
            return json.loads((file.metadata() or {})["tin"])
    except (SafetensorError, KeyError, json.JSONDecodeError):
        raise ValueError(f"{path} is not a network saved by tin_lib, or it is damaged") from None


def load(path: str | Path) -> "Network":
    """The saved network on the CPU, in evaluation mode. Errors name the file."""
    from tin_lib.networks import create

    meta = read_meta(path)
    network = create(meta["network"], meta["num_classes"], meta["width"], **meta["options"])
    network.load_state_dict(load_file(path))
    return network.eval()


def start_from(network: "Network", weights: str) -> None:
    """Put starting weights into ``network``; ``weights`` as in ``create``."""
    path = Path(weights).expanduser()
    if weights == "imagenet":
        load_conv_part(network, imagenet_state(network), "torchvision's ImageNet weights")
    elif path.suffix in (".pth", ".pt"):
        load_conv_part(network, read_state(path), str(path))
    else:
        start_from_ours(network, path / "weights.safetensors" if path.is_dir() else path)


def read_state(path: Path) -> dict[str, Tensor]:
    """A state dict of tensors from a .pth file; never runs code in it."""
    if not path.is_file():
        raise FileNotFoundError(f"weights: {path} does not exist")
    try:
        state = torch.load(path, map_location="cpu", weights_only=True)
    except Exception as error:  # torch raises many kinds for damaged and for hostile files
        raise ValueError(
            f"weights: {path} is not a file of weights ({type(error).__name__})"
        ) from error
    if not isinstance(state, dict):
        raise ValueError(f"weights: {path} holds no state dict but a {type(state).__name__}")
    return state


def imagenet_state(network: "Network") -> dict[str, Tensor]:
    """torchvision's ImageNet weights from torch.hub's cache, or the network.

    They were trained on images scaled by ImageNet's mean and deviation. Ours are scaled by Tiny
    ImageNet's, which are nearly the same (it is a part of ImageNet), so the first layer sees what
    it is used to, up to a few per cent.
    """
    url = IMAGENET.get((network.name, bool(network.options.get("batchnorm", False))))
    if url is None or network.width != 1:
        raise ValueError(
            f"weights='imagenet' is there for vgg16 and for alexnet without batchnorm, at width 1; "
            f"not for {network.name} with {network.options} at width {network.width}"
        )
    cached = Path(torch.hub.get_dir()) / "checkpoints" / os.path.basename(url)
    if cached.is_file():
        return read_state(cached)
    try:
        return torch.hub.load_state_dict_from_url(
            url, map_location="cpu", check_hash=True, progress=False, weights_only=True
        )
    except (OSError, RuntimeError) as error:
        raise ValueError(
            f"weights='imagenet': {url} could not be fetched ({error}). Fetch it elsewhere and "
            f"pass its path as weights, put it in {cached.parent}, or train from scratch (weights=None)"
        ) from error


def load_conv_part(network: "Network", state: dict[str, Tensor], source: str) -> None:
    """Copy ``features.*`` of a torchvision state dict; dense layers stay as they are."""
    conv = {k.removeprefix("features."): v for k, v in state.items() if k.startswith("features.")}
    try:
        network.features.load_state_dict(conv)
    except RuntimeError:
        raise ValueError(
            f"weights: {source} does not fit the conv part of {network.name} at width "
            f"{network.width} with {network.options}"
        ) from None


def start_from_ours(network: "Network", path: Path) -> None:
    """Copy a checkpoint of ours; an output layer for another number of classes stays random."""
    meta = read_meta(path)
    if (meta["network"], meta["width"]) != (network.name, network.width):
        raise ValueError(
            f"weights: {path} holds {meta['network']} at width {meta['width']}, not "
            f"{network.name} at width {network.width}"
        )
    state, own = load_file(path), network.state_dict()
    last = network.layers[next(reversed(network.layers))].weight
    if meta["num_classes"] != network.num_classes:
        warnings.warn(
            f"{path} has {meta['num_classes']} classes: the output layer starts random",
            UserWarning,
            stacklevel=2,
        )
        state |= {k: own[k] for k in (f"{last}.weight", f"{last}.bias")}
    try:
        network.load_state_dict(state)
    except RuntimeError:
        raise ValueError(
            f"weights: {path} was made with options {meta['options']}, not {network.options}"
        ) from None
