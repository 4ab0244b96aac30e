"""Saving and loading networks. Files are safetensors; nothing is ever unpickled."""

import json
from pathlib import Path
from typing import TYPE_CHECKING, Any

import torch
from safetensors import SafetensorError, safe_open
from safetensors.torch import load_file, save_file
from torch import Tensor

from tin_lib import files

if TYPE_CHECKING:
    from tin_lib.networks.base import Network

KEYS = {"network": str, "num_classes": int, "width": float, "options": dict}  # of every header


def save(network: "Network", path: str | Path, **meta: Any) -> None:
    """Write a network as safetensors, atomically.

    The header says how to rebuild it and where its training started from; ``meta``: JSON values to
    keep beside that, such as class_ids.
    """
    header = {
        "network": network.name,
        "num_classes": network.num_classes,
        "width": network.width,
        "options": network.options,
        "origin": network.origin,
    }
    state = {
        name: value.detach().cpu().contiguous() for name, value in network.state_dict().items()
    }
    with files.atomic_path(path) as temporary:
        save_file(state, temporary, {"tin": json.dumps(header | meta)})


def read_meta(path: str | Path) -> dict[str, Any]:
    """The header that ``save`` wrote; the weights are not read.

    Raises FileNotFoundError without the file, and ValueError, naming it, when it is not a network
    of ours or is damaged.
    """
    if not Path(path).is_file():
        raise FileNotFoundError(f"{path} does not exist; train the network first (tin train)")
    try:
        with safe_open(str(path), "pt") as file:
            meta = json.loads((file.metadata() or {})["tin"])
    except (SafetensorError, KeyError, json.JSONDecodeError):
        meta = None
    if not isinstance(meta, dict) or not all(isinstance(meta.get(k), t) for k, t in KEYS.items()):
        raise ValueError(f"{path} is not a network saved by tin_lib, or it is damaged")
    return meta


def load(path: str | Path) -> "Network":
    """The saved network on the CPU, in evaluation mode; draws no random numbers.

    Raises as ``read_meta``, and ValueError, naming the file, when its weights do not fit.
    """
    from tin_lib.networks import create

    meta, state = read_state(path)
    try:
        with torch.device("meta"):  # no memory and no initial weights: the saved ones replace them
            network = create(meta["network"], meta["num_classes"], meta["width"], **meta["options"])
        network.load_state_dict(state, assign=True)
    except (ValueError, RuntimeError) as error:
        raise ValueError(
            f"{path} does not hold the network its header describes: {_one_line(error)}"
        ) from None
    network.origin = str(meta.get("origin", ""))
    return network.eval()


def read_state(path: str | Path) -> tuple[dict[str, Any], dict[str, Tensor]]:
    """Header and weights of a file that ``save`` wrote. Raises as ``read_meta``."""
    meta = read_meta(path)
    try:
        return meta, load_file(path)
    except SafetensorError as error:
        raise ValueError(f"{path} is damaged: {_one_line(error)}") from None


def _one_line(error: Exception) -> str:
    """The first two lines of a message: load_state_dict's first says only where it failed."""
    return " ".join(line.strip() for line in str(error).splitlines()[:2])
