"""Are the maps readable? The paper's sentence, "not readily interpretable", put to the test.

Each measure comes with its chance level: the same for maps that know nothing of the network
(uniform, centre, edges, noise).
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
import pandas as pd
import torch
from torch import Tensor

from tin_lib import augment
from tin_lib.data import Split
from tin_lib.saliency import baselines
from tin_lib.saliency.methods import explain, explaining, winners
from tin_lib.saliency.views import absolute
from tin_lib.statistics import t_quantile

if TYPE_CHECKING:
    from tin_lib.networks import Network

Progress = Callable[[int, int], None]
STEPS = 8  # shares of the pixels at which insertion and deletion are measured, besides 0 and 1


@dataclass(frozen=True, eq=False)
class Subjects:
    """Images to explain: ``pixels`` uint8 (N, 3, 64, 64), normalised ``inputs`` float32 of the same
    shape, and ``inside`` bool (N, 64, 64), the object's box."""

    pixels: np.ndarray
    inputs: Tensor
    inside: Tensor

    def __len__(self) -> int:
        return len(self.inputs)


def subjects(split: Split, mean: Tensor, std: Tensor, limit: int | None = None) -> Subjects:
    """Images with a box of a split, or ``limit`` of them evenly spread over it.

    Raises ValueError when no image has a box.
    """
    rows = np.flatnonzero((np.asarray(split.boxes) >= 0).all(1))
    if not len(rows):
        raise ValueError(f"no image of {split.name} has a box; use val")
    if limit is not None and limit < len(rows):
        rows = rows[np.arange(limit) * len(rows) // limit]
    pixels = np.array(split.images[rows])
    boxes = torch.from_numpy(np.array(split.boxes[rows])).long()
    inputs = augment.normalise(torch.from_numpy(pixels), mean, std)
    return Subjects(pixels, inputs, box_mask(boxes, pixels.shape[-1]))


def box_mask(boxes: Tensor, side: int) -> Tensor:
    """Inside of boxes int64 (N, 4) x0, y0, x1, y1 (inclusive): bool (N, side, side)."""
    place = torch.arange(side)
    x0, y0, x1, y1 = boxes[:, :, None].unbind(1)
    rows, columns = (place >= y0) & (place <= y1), (place >= x0) & (place <= x1)
    return rows[:, :, None] & columns[:, None, :]


def mass_inside(maps: Tensor, inside: Tensor) -> Tensor:
    """Share (0..1) of each map's mass within the box, (N,); the box's share for an empty map."""
    mass, area = maps.flatten(1).double(), inside.flatten(1).double()
    total = mass.sum(1)
    return torch.where(total > 0, (mass * area).sum(1) / total.clamp(min=1e-300), area.mean(1))


def pointing(maps: Tensor, inside: Tensor) -> Tensor:
    """Whether each map's highest pixel lies within the box (Zhang et al., 2018), 0 or 1, (N,).

    Several pixels with the highest value count by the share of them that lies within.
    """
    flat = maps.flatten(1)
    best = flat == flat.amax(1, keepdim=True)
    return (best & inside.flatten(1)).double().sum(1) / best.double().sum(1)


@torch.no_grad()
def curve(network: "Network", inputs: Tensor, maps: Tensor, insert: bool) -> Tensor:
    """Probability of the winning class while pixels are inserted or deleted: (N, STEPS + 2).

    Pixels go in the order of ``maps`` (N, H, W), the most salient first, at equal shares from 0 to
    1 (Petsiuk et al., 2018). A deleted pixel, or one not yet inserted, has the mean colour.
    """
    target = winners(network, inputs)
    rank = maps.flatten(1).argsort(1, descending=True).argsort(1).view(maps.shape)
    points = []
    for share in torch.linspace(0, 1, STEPS + 2).tolist():
        reached = (rank < share * rank[0].numel())[:, None]
        shown = inputs * (reached if insert else ~reached)
        points.append(network(shown).softmax(1).gather(1, target[:, None])[:, 0])
    return torch.stack(points, 1)


def evaluate(
    networks: "Mapping[str, Network]",
    images: Subjects,
    methods: Sequence[str] = ("gradient", "smoothgrad", "grad_cam"),
    progress: Progress | None = None,
) -> tuple[pd.DataFrame, pd.DataFrame]:
    """Measure every method, and the baselines, on every network.

    Returns (measures, curves). Measures: network, method, kind (method or baseline), measure, mean,
    low, high (95 %, t), n; the measures are ``mass inside`` (share of the map within the box),
    ``beyond the box`` (that minus the box's share of the image), ``pointing``, and the means over
    the ``insertion`` (high is good) and ``deletion`` (low is good) curves. Curves: network, method,
    kind, curve, share (0..1 of the pixels), probability.
    """
    tasks = [(name, method) for name in networks for method in (*methods, *baselines.BASELINES)]
    measures, curves = [], []
    for done, (name, method) in enumerate(tasks, 1):
        kind = "baseline" if method in baselines.BASELINES else "method"
        label = {"network": name, "method": method, "kind": kind}
        maps = make_maps(networks[name], images, method)
        values, found = measure(networks[name], images, maps)
        measures += [label | {"measure": key} | interval(v) for key, v in values.items()]
        curves += [label | row for row in found]
        if progress:
            progress(done, len(tasks))
    return pd.DataFrame(measures), pd.DataFrame(curves)


def make_maps(network: "Network", images: Subjects, method: str) -> Tensor:
    """Absolute maps (N, H, W) of a method or a baseline."""
    if method in baselines.BASELINES:
        return baselines.BASELINES[method](torch.from_numpy(images.pixels))
    return absolute(explain(network, images.inputs, method))


def measure(
    network: "Network", images: Subjects, maps: Tensor
) -> tuple[dict[str, Tensor], list[dict[str, object]]]:
    """The measures of each image, (N,) each, and the mean curves' points."""
    inside = mass_inside(maps, images.inside)
    values = {
        "mass inside": inside,
        "beyond the box": inside - images.inside.flatten(1).double().mean(1),
        "pointing": pointing(maps, images.inside),
    }
    points: list[dict[str, object]] = []
    with explaining(network):
        for name in ("insertion", "deletion"):
            found = curve(network, images.inputs, maps, name == "insertion")
            values[name] = found.mean(1)
            shares = np.linspace(0, 1, found.shape[1])
            points += [
                {"curve": name, "share": float(s), "probability": float(p)}
                for s, p in zip(shares, found.mean(0), strict=True)
            ]
    return values, points


def interval(values: Tensor) -> dict[str, float]:
    """Mean with its 95 % interval by Student's t: mean, low, high, n."""
    n, mean = len(values), float(values.double().mean())
    half = 0.0
    if n > 1:
        half = t_quantile(0.975, n - 1) * float(values.double().std()) / n**0.5
    return {"mean": mean, "low": mean - half, "high": mean + half, "n": n}
