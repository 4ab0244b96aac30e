"""Are the maps readable? The paper's sentence, "not readily interpretable", put to the test.

Every method is measured image by image, and so are maps that know nothing of the network (uniform,
centre, edges, noise): what chance gives. ``comparisons`` tests the one against the other.
"""

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
import pandas as pd
import torch
from torch import Tensor

from tin_lib.analysis.layers import find_layer
from tin_lib.analysis.saliency import comparisons
from tin_lib.analysis.saliency.baselines import BASELINES
from tin_lib.analysis.saliency.images import ExplainedImages
from tin_lib.analysis.saliency.insertion_deletion import STEPS, area, insertion_deletion
from tin_lib.analysis.saliency.methods import (
    CHUNK,
    check_options,
    explain,
    unavailable,
)
from tin_lib.analysis.saliency.views import absolute
from tin_lib.networks.base import evaluation_mode

if TYPE_CHECKING:
    from tin_lib.networks import Network

Progress = Callable[[int, int], None]


@dataclass(frozen=True, eq=False)
class Evaluation:
    """Results of ``evaluate``.

    Attributes:
        per_image: one row for each network, method and image. Columns network, method, kind (method
            or baseline), image (row), empty (the map is 0 everywhere; its measures are NaN),
            insertion and deletion (areas under the curves, 0..1) and, with boxes, mass inside
            (share of the map within the box), beyond the box (that minus the box's share of the
            image) and pointing (whether the highest pixel lies in the box).
        measures: means over images, by ``comparisons.summarise``, and places: how many a map
            resolves (its pixels; for Grad-CAM, the last conv layer's output).
        comparisons: each method against each baseline, by ``comparisons.against_baselines``.
        curves: columns network, method, kind, curve (insertion or deletion), share (0..1 of the
            pixels), probability (of the predicted class, mean over images).
        map_sizes: Grad-CAM's resolution (height, width) by network, if it was measured.
        left_out: (network, method) that were not measured, and why.
    """

    per_image: pd.DataFrame
    measures: pd.DataFrame
    comparisons: pd.DataFrame
    curves: pd.DataFrame
    map_sizes: dict[str, tuple[int, int]]
    left_out: dict[tuple[str, str], str]


def evaluate(
    networks: "Mapping[str, Network]",
    images: ExplainedImages,
    methods: Sequence[str] = ("gradient", "smoothgrad", "grad_cam"),
    progress: Progress | None = None,
) -> Evaluation:
    """Measure every method, and the baselines, on every network.

    A method that cannot explain a network is left out for it. Without boxes only insertion and
    deletion are measured. ``progress(done, total)`` counts pairs of network and method. Raises
    ValueError for an unknown method before anything is computed.
    """
    for method in methods:
        check_options(method, {})
    left_out = {
        (name, method): reason
        for name, network in networks.items()
        for method, reason in unavailable(network).items()
        if method in methods
    }
    pairs = [(name, method) for name in networks for method in (*methods, *BASELINES)]
    pairs = [pair for pair in pairs if pair not in left_out]
    tables, curves = [], []
    for done, (name, method) in enumerate(pairs, 1):
        kind = "baseline" if method in BASELINES else "method"
        label = {"network": name, "method": method, "kind": kind}
        values, points = _measure(networks[name], images, method)
        tables.append(pd.DataFrame(label | values))
        curves += [label | point for point in points]
        if progress:
            progress(done, len(pairs))
    per_image = pd.concat(tables, ignore_index=True)
    sizes = {name: grad_cam_size(networks[name]) for name, m in pairs if m == "grad_cam"}
    measures, pixels = comparisons.summarise(per_image), math.prod(images.pixels.shape[2:])
    named = zip(measures["network"], measures["method"], strict=True)
    places = [math.prod(sizes[n]) if m == "grad_cam" else pixels for n, m in named]
    return Evaluation(
        per_image=per_image,
        measures=measures.assign(places=places),
        comparisons=comparisons.against_baselines(per_image),
        curves=pd.DataFrame(curves),
        map_sizes=sizes,
        left_out=left_out,
    )


def _measure(
    network: "Network", images: ExplainedImages, method: str
) -> tuple[dict[str, np.ndarray], list[dict[str, object]]]:
    """Columns of ``per_image`` and rows of ``curves`` of one pair, a batch of maps at a time."""
    parts, curves = [], []
    for batch in images.batches(CHUNK):
        maps = make_maps(network, batch, method)
        curves.append(insertion_deletion(network, batch.inputs, maps))
        parts.append(_of_batch(maps, batch.inside, curves[-1]))
    values = {name: torch.cat([part[name] for part in parts]) for name in parts[0]}
    empty = values.pop("empty")
    columns = {name: each.masked_fill(empty, math.nan).numpy() for name, each in values.items()}
    table = {"image": np.arange(len(images)), "empty": empty.numpy(), **columns}
    joined = {name: torch.cat([part[name] for part in curves]) for name in curves[0]}
    return table, _points({name: each[~empty] for name, each in joined.items()})


def _of_batch(maps: Tensor, inside: Tensor | None, curves: dict[str, Tensor]) -> dict[str, Tensor]:
    """The measures of a batch of maps (N, H, W), and whether each is empty, (N,) each."""
    values = {"empty": maps.flatten(1).amax(1) == 0}
    values |= {name: area(curve) for name, curve in curves.items()}
    if inside is not None:
        mass, box = mass_inside(maps, inside), inside.flatten(1).double().mean(1)
        values |= {"mass inside": mass, "beyond the box": mass - box}
        values["pointing"] = pointing(maps, inside)
    return values


def _points(curves: dict[str, Tensor]) -> list[dict[str, object]]:
    """The points of the mean curves, of curves (N, STEPS)."""
    return [
        {"curve": name, "share": share, "probability": probability}
        for name, values in curves.items()
        for share, probability in zip(STEPS.tolist(), values.mean(0).tolist(), strict=True)
    ]


def make_maps(network: "Network", images: ExplainedImages, method: str) -> Tensor:
    """Absolute maps (N, H, W) of a method or a baseline, on the CPU."""
    if method in BASELINES:
        return BASELINES[method](torch.from_numpy(images.pixels))
    return absolute(explain(network, images.inputs, method)).cpu()


def grad_cam_size(network: "Network", side: int = 64) -> tuple[int, int]:
    """Height and width of the last conv layer's output, the resolution of a Grad-CAM map.

    ``side``: of the images in pixels.
    """
    with evaluation_mode(network) as device, torch.no_grad():
        image = torch.zeros(1, 3, side, side, device=device)
        _, found = network.forward_features(image, [find_layer(network, "last")])
    (output,) = found.values()
    return output.shape[2], output.shape[3]


def mass_inside(maps: Tensor, inside: Tensor) -> Tensor:
    """Share (0..1) of each map's mass within the box, (N,); the box's share for an empty map."""
    mass, area = maps.flatten(1).double(), inside.flatten(1).double()
    total = mass.sum(1)
    return torch.where(total > 0, (mass * area).sum(1) / total.clamp(min=1e-300), area.mean(1))


def pointing(maps: Tensor, inside: Tensor) -> Tensor:
    """Whether each map's highest pixel lies within the box (Zhang et al., 2018), 0..1, (N,).

    Several pixels with the highest value, such as a plateau of a coarse map, count by the share of
    them that lies within.
    """
    flat = maps.flatten(1)
    best = flat == flat.amax(1, keepdim=True)
    return (best & inside.flatten(1)).double().sum(1) / best.double().sum(1)
