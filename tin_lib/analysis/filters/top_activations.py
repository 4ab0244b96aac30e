"""Top activations: the images, patches and classes to which a layer's filters respond most."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
import pandas as pd
import torch
from torch import Tensor

from tin_lib.analysis.filters.images import Images
from tin_lib.analysis.filters.receptive_field import Field, receptive_field
from tin_lib.analysis.layers import activation, filter_count, find_layer
from tin_lib.analysis.whole_numbers import whole
from tin_lib.networks.base import SIZE, evaluation_mode

if TYPE_CHECKING:
    from tin_lib.networks import Network

GRAY = 128  # of a patch's part outside of the image
BATCH = 128  # images whose maps are in memory at a time


@dataclass(frozen=True, eq=False)
class Survey:
    """One layer's responses to N images, for each of K filters; ``top`` strongest images first.

    A filter's response to an image is its largest activation (after the layer's ReLU) on the map.

    Attributes:
        layer: the layer's name.
        value: float32 (K, top), the responses.
        image: int64 (K, top), rows of the images given.
        position: int64 (K, top, 2), row and column on the map; -1 for a dense layer.
        active: float64 (K,), share of images with a response above zero.
        mean: float64 (K,), mean response.
        class_mean: float64 (K, C), mean response to each class's images; NaN without images.
        field: receptive field of the layer's units, None where they see the whole image.
    """

    layer: str
    value: np.ndarray
    image: np.ndarray
    position: np.ndarray
    active: np.ndarray
    mean: np.ndarray
    class_mean: np.ndarray
    field: Field | None


def survey(
    network: "Network",
    layer: str,
    images: Images,
    top: int = 9,
    progress: Callable[[int, int], None] | None = None,
) -> Survey:
    """Run ``images`` through the network once and record what activates each filter most.

    Memory: one batch's maps and the running best, whatever the number of images. ``layer``: a
    name, ``first`` or ``last`` conv layer. ``progress(done, total)`` counts images.
    """
    if not len(images) or top < 1:
        raise ValueError(f"images, top: need at least one of each, got {len(images)} and {top}")
    layer, top = find_layer(network, layer), whole("top", top, 1)
    running = _Running(filter_count(network, layer), network.num_classes, min(top, len(images)))
    with evaluation_mode(network) as device, torch.inference_mode():
        for first, batch in images.batches(BATCH, device):
            maps = activation(network, layer, batch).float()
            running.add(*_strongest(maps), first, images.labels[first : first + len(batch)])
            if progress:
                progress(first + len(batch), len(images))
    return running.finish(layer, receptive_field(network, layer))


def _strongest(maps: Tensor) -> tuple[Tensor, Tensor]:
    """Largest activation (B, K) of maps (B, K, h, w) or (B, K), and where on the map (B, K, 2)."""
    if maps.ndim == 2:
        return maps.cpu(), torch.full((*maps.shape, 2), -1)
    value, flat = maps.flatten(2).max(dim=2)
    width = maps.shape[3]
    return value.cpu(), torch.stack([flat // width, flat % width], dim=2).cpu()


class _Running:
    """Running top responses and sums."""

    def __init__(self, filters: int, classes: int, top: int) -> None:
        self.top = top
        self.value = torch.empty(0, filters)
        self.image = torch.empty(0, filters, dtype=torch.int64)
        self.position = torch.empty(0, filters, 2, dtype=torch.int64)
        self.sums = np.zeros((classes + 1, filters))  # the last row: images without a label
        self.images = np.zeros(classes + 1)
        self.active = np.zeros(filters)

    def add(self, value: Tensor, position: Tensor, first: int, labels: np.ndarray) -> None:
        """Add one batch: ``value`` (B, K), ``position`` (B, K, 2), ``labels`` (B,)."""
        rows = torch.arange(first, first + len(value))[:, None].expand(value.shape)
        values = torch.cat([self.value, value])
        # Stable, so that of equal responses the earlier image comes first.
        order = values.sort(dim=0, descending=True, stable=True).indices[: self.top]
        self.image = torch.cat([self.image, rows]).gather(0, order)
        where = torch.cat([self.position, position])
        self.position = where.gather(0, order[..., None].expand(*order.shape, 2))
        self.value = values.gather(0, order)
        np.add.at(self.sums, labels, value.double().numpy())
        np.add.at(self.images, labels, 1)
        self.active += (value > 0).sum(dim=0).numpy()

    def finish(self, layer: str, field: Field | None) -> Survey:
        total = self.images.sum()
        seen = np.where(self.images > 0, self.images, np.nan)[:, None]
        return Survey(
            layer,
            self.value.T.numpy(),
            self.image.T.numpy(),
            self.position.transpose(0, 1).numpy(),
            self.active / total,
            self.sums.sum(axis=0) / total,
            (self.sums / seen)[:-1].T,
            field,
        )


def patch(
    image: np.ndarray, position: Sequence[int] | np.ndarray, field: Field | None
) -> np.ndarray:
    """The part of ``image`` uint8 (3, 64, 64) that the unit at a map ``position`` sees.

    Returns (3, size, size), gray where the receptive field leaves the image; the whole image
    where ``field`` is None.
    """
    if field is None:
        return image
    result = np.full((3, field.size, field.size), GRAY, dtype=np.uint8)
    (top, bottom), (left, right) = (field.span(int(place)) for place in position)
    rows = slice(max(top, 0), min(bottom, SIZE))
    columns = slice(max(left, 0), min(right, SIZE))
    inside = image[:, rows, columns]
    down, across = rows.start - top, columns.start - left
    result[:, down : down + inside.shape[1], across : across + inside.shape[2]] = inside
    return result


def patches(found: Survey, images: Images, filters: Sequence[int] | np.ndarray) -> np.ndarray:
    """Patches of the chosen filters' strongest responses: uint8 (K, top, 3, size, size)."""
    chosen = np.asarray(filters, dtype=np.int64)
    rows = [
        [
            patch(images.pixels[row], place, found.field)
            for row, place in zip(found.image[index], found.position[index])
        ]
        for index in chosen
    ]
    return np.array(rows, dtype=np.uint8)


def preferred_classes(found: Survey, class_names: Sequence[str], best: int = 3) -> pd.DataFrame:
    """The classes each filter responds to most, one row for each filter and rank.

    Columns: filter, rank (1 is the strongest), class (index), name, mean (response to the class's
    images), times (that mean over the mean response to all images; NaN for a dead filter).
    """
    best = whole("best", best, 1)
    known = np.where(np.isnan(found.class_mean), -np.inf, found.class_mean)
    order = np.argsort(-known, axis=1, kind="stable")[:, :best]  # (K, best)
    filters, rank = np.indices(order.shape)
    means = np.take_along_axis(found.class_mean, order, axis=1)
    with np.errstate(invalid="ignore", divide="ignore"):
        times = np.where(found.mean[:, None] > 0, means / found.mean[:, None], np.nan)
    columns = {
        "filter": filters.ravel(),
        "rank": rank.ravel() + 1,
        "class": order.ravel(),
        "name": [class_names[int(index)] for index in order.ravel()],
        "mean": means.ravel(),
        "times": times.ravel(),
    }
    return pd.DataFrame(columns)


def selectivity(found: Survey) -> np.ndarray:
    """(best class − mean of the others) / (their sum), 0..1 (K,); NaN for a dead one.

    Morcos et al., "On the importance of single directions for generalization" (2018), section
    2.4; 0 responds equally to all classes, 1 to one alone. Also NaN without labels, and where the
    mean of the others is negative, as in a layer without ReLU.
    """
    known = ~np.isnan(found.class_mean)
    best = np.where(known, found.class_mean, -np.inf).max(axis=1)
    with np.errstate(invalid="ignore", divide="ignore"):
        rest = np.nansum(found.class_mean, axis=1) - best
        others = rest / np.maximum(known.sum(axis=1) - 1, 1)
        defined = (others >= 0) & (best + others > 0)
        return np.where(defined, (best - others) / (best + others), np.nan)
