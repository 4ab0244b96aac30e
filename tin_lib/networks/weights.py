"""Saving and loading networks. Files are safetensors; nothing is ever unpickled."""

import json
from pathlib import Path
from typing import Any

import torch
from safetensors import SafetensorError, safe_open
from safetensors.torch import load as load_bytes
from safetensors.torch import save_file
from torch import Tensor

from tin_lib import files
from tin_lib.networks import registry
from tin_lib.networks.base import Network

KEYS = {"network": str, "num_classes": int, "width": float, "options": dict}  # of every header


def save(network: Network, path: str | Path, **meta: Any) -> None:
    """Write a network, atomically; the header holds what rebuilds it, the origin of its starting
    weights, and ``meta``: further JSON values, such as class_ids."""
    own = {name: getattr(network, name) for name in ("num_classes", "width", "options", "origin")}
    text = json.dumps({"network": network.name} | own | meta)
    plain = torch.contiguous_format  # copies: safetensors refuses shared memory
    state = {k: v.cpu().clone(memory_format=plain) for k, v in network.state_dict().items()}
    with files.atomic_path(path) as temporary:
        save_file(state, temporary, {"tin": text})


def header(path: str | Path) -> str | None:
    """The text that ``save`` put into a file's header; None for any other file."""
    try:
        with safe_open(str(path), "pt") as file:
            return (file.metadata() or {}).get("tin")
    except SafetensorError:
        return None


def read_meta(path: str | Path) -> dict[str, Any]:
    """The header that ``save`` wrote. FileNotFoundError without the file, ValueError, naming it,
    when it was not saved by this library or is damaged."""
    if not Path(path).is_file():
        raise FileNotFoundError(f"{path} does not exist; train the network first (tin train)")
    try:
        meta = json.loads(header(path) or "")
    except json.JSONDecodeError:
        meta = None
    if not isinstance(meta, dict) or not all(isinstance(meta.get(k), t) for k, t in KEYS.items()):
        raise ValueError(f"{path} is not a network saved by tin_lib, or it is damaged")
    return meta


def read_state(path: str | Path) -> tuple[dict[str, Any], dict[str, Tensor]]:
    """Header and weights, float16 as float32, of ``save``'s file. Raises as ``read_meta``."""
    try:
        meta = read_meta(path)
        state = load_bytes(Path(path).read_bytes()).items()  # no map: the file may be cut later
        return meta, {k: v.float() if v.dtype == torch.half else v for k, v in state}
    except SafetensorError as error:
        raise ValueError(f"{path} is damaged: {error}") from None


def load(path: str | Path) -> Network:
    """The saved network on the CPU, in evaluation mode; leaves the random generators as they are.

    Imports no code that the file names: a network of the user's must be known in this process (see
    ``trust``). Raises as ``read_meta``, and ValueError, naming the file, for others.
    """
    meta, state = read_state(path)
    what = meta["network"], meta["num_classes"], meta["width"], meta["options"]
    # A built-in network needs no memory or initial weights: the saved ones replace them.
    empty = meta["network"] in registry.BUILT_IN
    try:
        with torch.device("meta") if empty else torch.random.fork_rng(devices=[]):
            network = registry.build(*what)
        network.load_state_dict(state, assign=empty)
    except (ValueError, RuntimeError) as error:
        # The first line of load_state_dict's message says only where it failed.
        reason = " ".join(line.strip() for line in str(error).splitlines()[:2])
        raise ValueError(f"{path}: its network cannot be rebuilt: {reason}") from None
    network.origin = str(meta.get("origin", ""))
    return network.eval()
