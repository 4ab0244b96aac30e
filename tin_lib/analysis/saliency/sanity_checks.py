"""The model-randomisation check (Adebayo et al., 2018): do maps depend on what was learnt?"""

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING

import pandas as pd
import torch
from torch import Tensor

from tin_lib.analysis.reinitialised import reinitialised
from tin_lib.analysis.saliency.comparisons import interval
from tin_lib.analysis.saliency.evaluation import Progress
from tin_lib.analysis.saliency.images import ExplainedImages
from tin_lib.analysis.saliency.methods import CHUNK, explain, predicted_classes, unavailable
from tin_lib.analysis.saliency.views import absolute
from tin_lib.networks.base import evaluation_mode

if TYPE_CHECKING:
    from tin_lib.networks import Network

DEPTHS = {"output layer": 0.0, "upper half": 0.5, "all layers": 1.0}


def parameter_randomisation(
    networks: "Mapping[str, Network]",
    images: ExplainedImages,
    methods: Sequence[str] = ("gradient", "smoothgrad", "grad_cam"),
    seed: int = 0,
    progress: Progress | None = None,
) -> pd.DataFrame:
    """How similar maps stay when layers are reset to random weights, from the output down.

    Columns: network, method, layers (a key of DEPTHS), mean, low, high (Spearman's correlation of
    the absolute maps with the trained network's, 95 %), n (images), empty (images left out, whose
    map was empty before the reset). The class explained stays the trained network's prediction. A
    method whose maps hardly change explains the image, not the network. Methods that cannot explain
    a network are left out for it.
    """
    rows: list[dict[str, object]] = []
    for done, (name, network) in enumerate(networks.items(), 1):
        usable = [method for method in methods if method not in unavailable(network)]
        changed = {depth: reinitialised(network, share, seed) for depth, share in DEPTHS.items()}
        for method in usable:
            found = _correlations(network, changed, images, method)
            rows += [{"network": name} | row for row in found]
        if progress:
            progress(done, len(networks))
    return pd.DataFrame(rows)


def _correlations(
    network: "Network", changed: "Mapping[str, Network]", images: ExplainedImages, method: str
) -> list[dict[str, object]]:
    """One row of the table for each changed network, a batch of maps at a time."""
    found: dict[str, list[Tensor]] = {depth: [] for depth in changed}
    for batch in images.batches(CHUNK):
        inputs = batch.inputs
        with evaluation_mode(network):
            target = predicted_classes(network, inputs)
        trained = absolute(explain(network, inputs, method, target)).cpu()
        kept = trained.flatten(1).amax(1) > 0
        for depth, other in changed.items():
            maps = absolute(explain(other, inputs, method, target)).cpu()
            found[depth].append(rank_correlation(trained[kept], maps[kept]))
    values = {depth: torch.cat(parts).numpy() for depth, parts in found.items()}
    return [
        {"method": method, "layers": depth, **interval(each), "empty": len(images) - len(each)}
        for depth, each in values.items()
    ]


def rank_correlation(first: Tensor, second: Tensor) -> Tensor:
    """Spearman's correlation of two maps (N, H, W), image by image: (N,) in -1..1.

    0 where one of the two is constant, such as an empty map.
    """
    if not len(first):
        return torch.zeros(0, dtype=torch.float64)
    centred = [ranks(maps) - (first[0].numel() - 1) / 2 for maps in (first, second)]
    product = (centred[0] * centred[1]).sum(1)
    return product / (centred[0].norm(dim=1) * centred[1].norm(dim=1)).clamp(min=1e-300)


def ranks(maps: Tensor) -> Tensor:
    """Rank (0 the lowest) of each pixel of maps (N, H, W), float64 (N, H·W).

    Equal pixels share the mean of their ranks, as the many zeros of a Grad-CAM map do.
    """
    flat = maps.flatten(1).contiguous()
    ordered = flat.sort(1)[0]
    below, to = (torch.searchsorted(ordered, flat, right=right) for right in (False, True))
    return (below + to - 1).double() / 2
