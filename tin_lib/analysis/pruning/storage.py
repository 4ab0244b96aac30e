"""Stored size: a sparse format for pruned networks, and how many bytes each format takes.

A sparse file is safetensors with two tensors in place of each pruned weight tensor: ``values``
(float32, those that are not zero) and ``gaps`` (uint8, the number of zeros before each, in row
order), five bytes a weight. A gap above 255 is bridged by zeros among the values, as in Han, Mao
and Dally ("Deep Compression", 2016), who use shorter gaps and also quantise.
"""

import json
import math
import zlib
from pathlib import Path
from typing import Any

import torch
from safetensors import SafetensorError, safe_open
from safetensors.torch import save
from torch import Tensor

from tin_lib import files, networks
from tin_lib.networks import Network

HEADER = "tin_sparse"
STEP = 256  # a gap of 255 zeros and the value after it
VALUES, GAPS = "|values", "|gaps"  # ends of names


def save_sparse(network: Network, path: str | Path, **meta: Any) -> None:
    """Write a network in the sparse format, atomically; ``meta``: further JSON values."""
    files.atomic_write(path, sparse_bytes(network, **meta))


def sparse_bytes(network: Network, **meta: Any) -> bytes:
    """The content of a sparse file. Tensors that would not be smaller stay as they are."""
    tensors: dict[str, Tensor] = {}
    shapes: dict[str, list[int]] = {}
    for name, value in network.state_dict().items():
        value = value.detach().cpu().contiguous()
        values, gaps = encode(value.flatten()) if value.dtype == torch.float32 else (value, value)
        if values.nbytes + gaps.nbytes < value.nbytes:
            tensors |= {name + VALUES: values, name + GAPS: gaps}
            shapes[name] = list(value.shape)
        else:
            tensors[name] = value
    own = {name: getattr(network, name) for name in ("num_classes", "width", "options", "origin")}
    header = {"network": network.name, "shapes": shapes} | own | meta
    return save(tensors, {HEADER: json.dumps(header)})


def encode(flat: Tensor) -> tuple[Tensor, Tensor]:
    """Values (K,) and the gaps (K,), uint8, before them, of ``flat`` (N,)."""
    positions = flat.nonzero().flatten()
    zeros = positions.diff(prepend=torch.tensor([-1])) - 1  # before each value
    ends = (zeros // STEP + 1).cumsum(0) - 1  # entries that hold a value; the others bridge
    count = int(ends[-1]) + 1 if len(ends) else 0
    gaps, values = torch.full((count,), STEP - 1, dtype=torch.uint8), torch.zeros(count)
    gaps[ends], values[ends] = (zeros % STEP).to(torch.uint8), flat[positions]
    return values, gaps


def decode(values: Tensor, gaps: Tensor, shape: list[int]) -> Tensor:
    """The tensor that ``encode`` was given, in its shape. Raises ValueError if it has no room."""
    flat, positions = torch.zeros(math.prod(shape)), (gaps.long() + 1).cumsum(0) - 1
    if len(values) != len(gaps) or (len(positions) and int(positions[-1]) >= len(flat)):
        raise ValueError(f"{len(values)} values do not fit the shape {shape}")
    flat[positions] = values
    return flat.view(shape)


def load_sparse(path: str | Path) -> Network:
    """The network of a sparse file, on the CPU, in evaluation mode, with equal weights.

    Raises FileNotFoundError, and ValueError, naming the file, for one that is no sparse file of
    this library or is damaged.
    """
    if not Path(path).is_file():
        raise FileNotFoundError(f"{path} does not exist")
    try:
        with safe_open(str(path), "pt") as file:
            header = json.loads((file.metadata() or {})[HEADER])
            state = {name: file.get_tensor(name) for name in file.keys()}  # noqa: SIM118
        for name, shape in header["shapes"].items():
            state[name] = decode(state.pop(name + VALUES), state.pop(name + GAPS), shape)
        with torch.random.fork_rng(devices=[]):
            what = header["network"], header["num_classes"], header["width"]
            network = networks.create(*what, **header["options"])
        network.load_state_dict(state)
    except (SafetensorError, KeyError, TypeError, RuntimeError, ValueError) as error:
        reason = " ".join(str(error).split())[:200]
        raise ValueError(f"{path} is not a sparse network file, or is damaged: {reason}") from None
    network.origin = str(header.get("origin", ""))
    return network.eval()


def sizes(path: str | Path) -> dict[str, int]:
    """Bytes of a network's weights file: ``dense`` as it is, ``compressed`` by zlib, and
    ``sparse`` in the sparse format. Raises as ``networks.load``."""
    content = Path(path).read_bytes() if Path(path).is_file() else b""
    sparse = len(sparse_bytes(networks.load(path)))
    return {"dense": len(content), "compressed": len(zlib.compress(content)), "sparse": sparse}
