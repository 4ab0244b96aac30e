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
from tin_lib.analysis.saliency import baselines
from tin_lib.analysis.saliency.insertion_deletion import SHARES, area, curves
from tin_lib.analysis.saliency.methods import check_options, explain
from tin_lib.analysis.saliency.views import absolute
from tin_lib.analysis.statistics import t_quantile, wilson
from tin_lib.data import Split

if TYPE_CHECKING:
    from tin_lib.networks import Network

Progress = Callable[[int, int], None]


@dataclass(frozen=True, eq=False)
class Subjects:
    """Images to explain: ``pixels`` uint8 (N, 3, 64, 64), normalised ``inputs`` float32 of the same
    shape on the networks' device, and ``inside`` bool (N, 64, 64), the object's box."""

    pixels: np.ndarray
    inputs: Tensor
    inside: Tensor

    def __len__(self) -> int:
        return len(self.inputs)


def subjects(
    split: Split, mean: Tensor, std: Tensor, limit: int | None = None, device: str = "cpu"
) -> Subjects:
    """Images with a box of a split, or ``limit`` of them evenly spread over it.

    ``device``: where the networks are that explain them. Raises ValueError when no image has a box.
    """
    rows = np.flatnonzero((np.asarray(split.boxes) >= 0).all(1))
    if not len(rows):
        raise ValueError(f"no image of {split.name} has a box; use val")
    if limit is not None and limit < len(rows):
        rows = rows[np.arange(limit) * len(rows) // limit]
    pixels = np.array(split.images[rows])
    boxes = torch.from_numpy(np.array(split.boxes[rows])).long()
    inputs = augment.normalise(torch.from_numpy(pixels), mean, std)
    return Subjects(pixels, inputs.to(device), box_mask(boxes, pixels.shape[-1]))


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


def times_the_box(inside: Tensor, area: Tensor) -> Tensor:
    """The mean share of map within the box over the mean share of image, spread over images: (N,).

    Linear in the images (the delta method), so that the mean of the values is the ratio of means,
    and their interval the ratio's: the mean of each image's ratio would be that of tiny boxes.
    """
    ratio = inside.mean() / area.mean()
    return ratio + (inside - ratio * area) / area.mean()


def evaluate(
    networks: "Mapping[str, Network]",
    images: Subjects,
    methods: Sequence[str] = ("gradient", "smoothgrad", "grad_cam"),
    progress: Progress | None = None,
) -> tuple[pd.DataFrame, pd.DataFrame]:
    """Measure every method, and the baselines, on every network.

    Returns (measures, curves). Measures: network, method, kind (method or baseline), measure, mean,
    low, high (95 %), n; the measures are ``mass inside`` (share of the map within the box),
    ``beyond the box`` (that minus the box's share of the image), ``times the box`` (that over the
    box's share), ``pointing``, and the areas under the ``insertion`` (high is good) and
    ``deletion`` (low is good) curves. Curves: network, method, kind, curve, share (0..1 of the
    pixels), probability. Raises ValueError for an unknown method, before anything is computed.
    """
    for method in methods:
        check_options(method, {})
    tasks = [(name, method) for name in networks for method in (*methods, *baselines.BASELINES)]
    measures: list[dict[str, object]] = []
    points: list[dict[str, object]] = []
    for done, (name, method) in enumerate(tasks, 1):
        kind = "baseline" if method in baselines.BASELINES else "method"
        label = {"network": name, "method": method, "kind": kind}
        maps = make_maps(networks[name], images, method)
        found = curves(networks[name], images.inputs, maps)
        measures += [label | row for row in _measures(maps, images.inside, found)]
        points += [label | row for row in _points(found)]
        if progress:
            progress(done, len(tasks))
    return pd.DataFrame(measures), pd.DataFrame(points)


def make_maps(network: "Network", images: Subjects, method: str) -> Tensor:
    """Absolute maps (N, H, W) of a method or a baseline, on the CPU."""
    if method in baselines.BASELINES:
        return baselines.BASELINES[method](torch.from_numpy(images.pixels))
    return absolute(explain(network, images.inputs, method)).cpu()


def _measures(maps: Tensor, inside: Tensor, found: dict[str, Tensor]) -> list[dict[str, object]]:
    """A row a measure: its name, mean, low, high, n."""
    mass, box = mass_inside(maps, inside), inside.flatten(1).double().mean(1)
    hits = pointing(maps, inside)
    values = {"mass inside": mass, "beyond the box": mass - box}
    values["times the box"] = times_the_box(mass, box)
    rows = {name: interval(each) for name, each in values.items()}
    rows["pointing"] = proportion(hits)
    rows |= {name: interval(area(each)) for name, each in found.items()}
    return [{"measure": name, **row} for name, row in rows.items()]


def _points(found: dict[str, Tensor]) -> list[dict[str, object]]:
    """The mean curves' points."""
    return [
        {"curve": name, "share": share, "probability": probability}
        for name, values in found.items()
        for share, probability in zip(SHARES.tolist(), values.mean(0).tolist(), strict=True)
    ]


def interval(values: Tensor) -> dict[str, float]:
    """Mean of (N,) values with its 95 % interval by Student's t: mean, low, high, n."""
    n, mean = len(values), float(values.double().mean())
    half = float("nan")  # one image has no interval
    if n > 1:
        half = t_quantile(0.975, n - 1) * float(values.double().std()) / n**0.5
    return {"mean": mean, "low": mean - half, "high": mean + half, "n": n}


def proportion(hits: Tensor) -> dict[str, float]:
    """Mean of (N,) hits, 0 or 1, with Wilson's 95 % interval: mean, low, high, n."""
    low, high = wilson(float(hits.sum()), len(hits))
    return {"mean": float(hits.mean()), "low": float(low), "high": float(high), "n": len(hits)}
