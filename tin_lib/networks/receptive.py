"""Receptive fields, measured: which pixels a unit depends on, by the spread of NaN.

NaN in a row of pixels makes every activation NaN that depends on it, whatever the weights are:
convolutions, pools, activations, sums and attention all pass it on. Computed in float64 on the
CPU, whose convolutions mix no other pixels in.
"""

import copy
from typing import NamedTuple

import numpy as np
import torch
from torch import Tensor

from tin_lib.networks import registry
from tin_lib.networks.base import SIZE, Network

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


def measure(network: Network) -> dict[str, Field | None]:
    """The field of every layer's units; None where they see the whole image, or where the fields
    are not the same for rows and columns or not evenly spaced."""
    try:
        probed = _probe_network(network)
        rows, columns = (_dependence(probed, list(network.layers), axis) for axis in (2, 3))
    except RuntimeError:  # it does not compute in float64 on the CPU
        return dict.fromkeys(network.layers)
    fields = {name: fit(rows[name]) for name in network.layers}
    return {k: field if field == fit(columns[k]) else None for k, field in fields.items()}


def _probe_network(network: Network) -> Network:
    """A copy to probe; a narrow one of built-in networks, whose width changes no field."""
    if network.name in registry.BUILT_IN:
        with torch.random.fork_rng(devices=[]):
            network = registry.build(network.name, 2, 0.01, network.options)
    return copy.deepcopy(network).cpu().double().eval()


@torch.no_grad()
def _dependence(network: Network, layers: list[str], axis: int) -> dict[str, np.ndarray]:
    """For each layer with a map, which units along ``axis`` depend on each pixel: bool (64, h)."""
    found: dict[str, list[Tensor]] = {name: [] for name in layers}
    for first in range(0, SIZE, BATCH):
        images = torch.zeros(BATCH, 3, SIZE, SIZE, dtype=torch.float64)
        for index in range(BATCH):
            images[index].select(axis - 1, first + index).fill_(torch.nan)
        for name, maps in network.forward_features(images, layers)[1].items():
            spread = maps.isnan().flatten(1, 1).any(1)
            found[name].append(spread.any(4 - axis) if maps.ndim == 4 else spread[:, None])
    return {name: torch.cat(parts).numpy() for name, parts in found.items()}


def fit(seen: np.ndarray) -> Field | None:
    """The field of units that depend on the pixels ``seen``, bool (64, h); None for no such."""
    places = np.flatnonzero(seen.any(0))
    first, last = seen.argmax(0), SIZE - 1 - seen[::-1].argmax(0)
    left, right = places[first[places] > 0], places[last[places] < SIZE - 1]
    strides = {int(d) for edge, at in ((first, left), (last, right)) for d in slopes(edge, at)}
    if not len(left) or not len(right) or len(strides) != 1:
        return None  # no unit's field ends within the image, or they are not evenly spaced
    stride = strides.pop()
    start = int(first[left[0]] - left[0] * stride)
    field = Field(int(last[right[0]] - right[0] * stride) - start + 1, stride, start)
    spans = [(max(a, 0), min(b, SIZE) - 1) for a, b in map(field.span, places)]
    exact = spans == list(zip(first[places], last[places], strict=True))
    return field if exact and field.size < SIZE else None


def slopes(edge: np.ndarray, at: np.ndarray) -> np.ndarray:
    """Steps of ``edge`` per position between neighbours among the positions ``at``."""
    return np.diff(edge[at]) / np.diff(at)
