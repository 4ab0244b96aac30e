"""Receptive fields, measured: which pixels a unit depends on, by the spread of NaN.

NaN in a row of pixels makes every activation NaN that depends on it, whatever the weights are:
convolutions, pools, activations, sums and attention all pass it on. Computed in float64 on the
CPU, whose convolutions mix no other pixels in.
"""

import copy
from collections import defaultdict
from collections.abc import Sequence
from typing import NamedTuple
from weakref import WeakKeyDictionary

import numpy as np
import torch
from torch import Tensor

from tin_lib import catalog, networks
from tin_lib.analysis.layers import activation, find_layer
from tin_lib.networks import Network
from tin_lib.networks.base import SIZE, forward_hooks

BATCH = 16  # images at a time


class Field(NamedTuple):
    """Receptive field of a layer's units along one axis, in image pixels.

    The unit at map position p sees pixels ``start + p * stride`` to that ``+ size - 1``; a part
    may lie outside the image, where the padding is.
    """

    size: int = 1
    stride: int = 1
    start: int = 0

    def span(self, position: int) -> tuple[int, int]:
        """First pixel, and the pixel after the last, that the unit at ``position`` sees."""
        first = self.start + position * self.stride
        return first, first + self.size


_fields: WeakKeyDictionary[Network, dict[str, Field | None]] = WeakKeyDictionary()


def receptive_field(network: Network, layer: str) -> Field | None:
    """The field of a layer's units; None where each sees the whole image, or where the fields are
    not evenly spaced squares."""
    if network not in _fields:
        _fields[network] = measure(network)
    return _fields[network][find_layer(network, layer)]


def measure(network: Network) -> dict[str, Field | None]:
    """The field of every layer's units; None where they see the whole image or nearly so, or where
    the fields are not the same for rows and columns or not evenly spaced."""
    fields: dict[str, Field | None] = dict.fromkeys(network.layers)
    try:
        probed = _probe_network(network)
        ends = _dependence(probed, list(fields), 2, [0, SIZE - 1])
        small = [name for name, seen in ends.items() if not seen.all(1).any()]
        rows, columns = (_dependence(probed, small, axis, range(SIZE)) for axis in (2, 3))
    except RuntimeError:  # it does not compute in float64 on the CPU
        return fields
    for name in rows.keys() & columns.keys():
        field = fit(rows[name])
        fields[name] = field if field == fit(columns[name]) else None
    return fields


def _probe_network(network: Network) -> Network:
    """A copy to probe; a narrow one of built-in networks, whose width changes no field."""
    if network.name in catalog.ORDER:
        with torch.random.fork_rng(devices=[]):
            network = networks.create(network.name, 2, 0.01, **network.options)
    return copy.deepcopy(network).cpu().double().eval()


@torch.no_grad()
def _dependence(
    network: Network, layers: list[str], axis: int, pixels: Sequence[int]
) -> dict[str, np.ndarray]:
    """For each layer with a map, which units along ``axis`` depend on which pixels: bool (P, h)."""
    found: dict[str, list[Tensor]] = defaultdict(list)

    def keep(name: str, maps: Tensor) -> None:
        if maps.ndim == 4:
            found[name].append(maps.isnan().any(1).any(4 - axis))

    outputs = {name: network.get_submodule(network.layers[name].output) for name in layers}
    with forward_hooks(
        (output, lambda module, inputs, maps, name=name: keep(name, maps))
        for name, output in outputs.items()
    ):
        for first in range(0, len(pixels) if layers else 0, BATCH):
            part = pixels[first : first + BATCH]
            images = torch.zeros(len(part), 3, SIZE, SIZE, dtype=torch.float64)
            for image, pixel in zip(images, part, strict=True):
                image.select(axis - 1, pixel).fill_(torch.nan)
            activation(network, layers[-1], images)
    return {name: torch.cat(parts).numpy() for name, parts in found.items()}


def fit(seen: np.ndarray) -> Field | None:
    """The field of units that depend on the pixels ``seen``, bool (64, h); None for no such."""
    places = np.flatnonzero(seen.any(0))
    first, last = seen.argmax(0)[places], SIZE - 1 - seen[::-1].argmax(0)[places]
    begins = places > places[first == 0].max(initial=-1)  # within the image
    ends = places < places[last == SIZE - 1].min(initial=SIZE)
    strides = {*slopes(places[begins], first[begins]), *slopes(places[ends], last[ends])}
    if not begins.any() or not ends.any() or len(strides) != 1:
        return None  # too large for the image, or not evenly spaced
    stride = int(strides.pop())
    start = int((first - places * stride)[begins][0])
    end = int((last - places * stride)[ends][0])
    inside = (start + places * stride <= first) & (last <= end + places * stride)
    return (
        Field(end - start + 1, stride, start) if inside.all() and end - start < SIZE - 1 else None
    )


def slopes(places: np.ndarray, pixels: np.ndarray) -> list[float]:
    """Pixels per place between neighbours."""
    return (np.diff(pixels) / np.diff(places)).tolist()
