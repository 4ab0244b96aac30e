"""The model-randomisation check (Adebayo et al., 2018): do maps depend on what was learnt?"""

import copy
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING

import pandas as pd
import torch
from torch import Tensor

from tin_lib.analysis.saliency.evaluate import Progress, Subjects, interval
from tin_lib.analysis.saliency.methods import explain, winners
from tin_lib.analysis.saliency.views import absolute

if TYPE_CHECKING:
    from tin_lib.networks import Network

DEPTHS = {"output layer": 0.0, "upper half": 0.5, "all layers": 1.0}


def rank_correlation(first: Tensor, second: Tensor) -> Tensor:
    """Spearman's correlation of two maps (N, H, W), image by image: (N,) in -1..1.

    0 where one of the two is the same everywhere, such as an empty map.
    """
    centred = [ranks(maps) - (maps[0].numel() - 1) / 2 for maps in (first, second)]
    product = (centred[0] * centred[1]).sum(1)
    return product / (centred[0].norm(dim=1) * centred[1].norm(dim=1)).clamp(min=1e-300)


def ranks(maps: Tensor) -> Tensor:
    """Rank (0 the lowest) of each pixel of maps (N, H, W), float64 (N, H·W); equal ones share the
    mean of theirs, as the many zeros of a Grad-CAM map do."""
    flat = maps.flatten(1).contiguous()
    ordered = flat.sort(1)[0]
    below, to = (torch.searchsorted(ordered, flat, right=right) for right in (False, True))
    return (below + to - 1).double() / 2


def randomised(network: "Network", share: float, seed: int = 0) -> "Network":
    """A copy whose last ``share`` (0..1) of layers, at least the output, is untrained again."""
    from tin_lib.analysis.filters import untrained

    fresh, changed = untrained(network, seed), copy.deepcopy(network)
    names = list(network.layers)
    first = names[min(len(names) - 1, round((1 - share) * len(names)))]
    start = child(network.layers[first].weight)
    order = [f"{part}.{key}" for part in ("features", "classifier") for key in keys(network, part)]
    reset = set(order[order.index(start) :])
    state = {k: v for k, v in fresh.state_dict().items() if child(k) in reset}
    changed.load_state_dict(state, strict=False)
    return changed.eval()


def keys(network: "Network", part: str) -> list[str]:
    """Names of a part's modules, in order."""
    return [key for key, _ in getattr(network, part).named_children()]


def child(path: str) -> str:
    """The module of ``features`` or ``classifier`` that a path leads to or into."""
    return ".".join(path.split(".")[:2])


def randomisation(
    networks: "Mapping[str, Network]",
    images: Subjects,
    methods: Sequence[str] = ("gradient", "smoothgrad", "grad_cam"),
    seed: int = 0,
    progress: Progress | None = None,
) -> pd.DataFrame:
    """How alike maps stay when layers are set back to random weights, from the output down.

    Columns: network, method, layers (a key of DEPTHS), mean, low, high (Spearman's correlation of
    the absolute maps with the trained network's, 95 %), n. The explained class stays the trained
    network's. A method whose maps hardly change explains the image, not the network.
    """
    rows: list[dict[str, object]] = []
    for done, (name, network) in enumerate(networks.items(), 1):
        target = winners(network, images.inputs)
        trained = _maps(network, images, methods, target)
        for depth, share in DEPTHS.items():
            other = _maps(randomised(network, share, seed), images, methods, target)
            for method in methods:
                found = interval(rank_correlation(trained[method], other[method]))
                rows.append({"network": name, "method": method, "layers": depth, **found})
        if progress:
            progress(done, len(networks))
    return pd.DataFrame(rows)


def _maps(
    network: "Network", images: Subjects, methods: Sequence[str], target: Tensor
) -> dict[str, Tensor]:
    """Absolute maps (N, H, W) of each method."""
    return {m: absolute(explain(network, images.inputs, m, target)) for m in methods}
