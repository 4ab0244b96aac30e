"""Are filters noisy, dead or alike? Figures of each filter, and their means by network.

The paper reads noisy filters as a sign of too little regularisation; these figures test that.
"""

from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING

import numpy as np
import pandas as pd
import torch
from torch import Tensor

from tin_lib.analysis import statistics
from tin_lib.analysis.arrays import real
from tin_lib.analysis.filters.images import Images
from tin_lib.analysis.filters.maximise import Maximised
from tin_lib.analysis.filters.top_activations import Survey, selectivity, survey
from tin_lib.analysis.layers import weight
from tin_lib.analysis.reinitialised import reinitialised

if TYPE_CHECKING:
    from tin_lib.networks import Network

# What networks are compared by: a column of ``filter_table`` and how it reads.
FIGURES = {
    "kernel_roughness": "roughness of the kernels (white noise: 1)",
    "image_roughness": "roughness of the maximising images (white noise: 1)",
    "similarity": "largest cosine with another filter of the layer",
    "dead": "share of filters never active",
    "selectivity": "class selectivity",
}


def roughness(values: np.ndarray) -> np.ndarray:
    """How noisy pictures are, (K,) of ``values`` (K, C, h, w) about zero.

    The mean squared difference of neighbouring values over twice the mean square (von Neumann's
    ratio, 1941, in two dimensions), which weighs the spectrum's energy by frequency: 0 for a
    constant, about 1 for white noise of zero mean, 2 for a checkerboard. It works on 3×3 kernels,
    for which a band of the spectrum is too coarse. NaN where all is zero or
    nothing has a neighbour.
    """
    values = real("values", values, infinite=True)
    if values.ndim != 4:
        raise ValueError(f"values: {values.shape}, must be (K, C, h, w)")
    flat = [np.diff(values, axis=axis).reshape(len(values), -1) ** 2 for axis in (2, 3)]
    steps = np.concatenate(flat, axis=1)
    energy = (values.reshape(len(values), -1) ** 2).mean(axis=1)
    if steps.shape[1] == 0:
        return np.full(len(values), np.nan)
    with np.errstate(invalid="ignore", divide="ignore"):
        return np.where(energy > 0, steps.mean(axis=1) / (2 * energy), np.nan)


def kernel_roughness(weights: Tensor) -> np.ndarray:
    """``roughness`` of kernels (K, C, h, w); NaN for dense layers and 1×1 kernels."""
    if weights.ndim != 4:
        return np.full(len(weights), np.nan)
    return roughness(weights.numpy())


def image_roughness(images: np.ndarray) -> np.ndarray:
    """``roughness`` of pictures (K, 3, H, W), each channel about its mean."""
    values = real("images", images)
    return roughness(values - values.mean(axis=(2, 3), keepdims=True))


def nearest(weights: Tensor) -> tuple[np.ndarray, np.ndarray]:
    """The most similar other filter (K,) of each and their cosine (K,), from weights (K, ...).

    A filter of zeros has cosine 0 with all others. With a single filter: -1 and NaN.
    """
    if weights.ndim < 2 or weights.is_complex():
        raise ValueError(f"weights: {weights.dtype} {tuple(weights.shape)}, must be real (K, ...)")
    flat = torch.nn.functional.normalize(weights.flatten(1), dim=1)
    if len(flat) < 2:
        return np.full(len(flat), -1), np.full(len(flat), np.nan)
    cosine = (flat @ flat.T).fill_diagonal_(-torch.inf)
    value, index = cosine.max(dim=1)
    return index.numpy(), value.numpy()


def filter_table(
    network: "Network",
    layer: str,
    images: Images,
    maximised: Maximised | None = None,
    progress: Callable[[int, int], None] | None = None,
) -> pd.DataFrame:
    """Run ``images`` through the network once and describe each filter of ``layer``.

    See ``describe`` for the columns.

    ``layer``: a name, ``first`` or ``last`` conv layer; ``progress(done, total)`` counts images.
    """
    return describe(network, survey(network, layer, images, top=1, progress=progress), maximised)


def describe(network: "Network", found: Survey, maximised: Maximised | None = None) -> pd.DataFrame:
    """One row for each filter of the layer surveyed.

    Columns: layer, filter, norm (L2 of the weights), kernel_roughness, image_roughness (of the
    images in ``maximised``, NaN without), nearest, similarity (cosine with it), active (share of
    images with a response above zero), dead (active on none of them), mean and largest (response),
    preferred (class index, -1 for a dead filter), selectivity (0..1).
    """
    layer, weights = found.layer, weight(network, found.layer)
    neighbour, cosine = nearest(weights)
    dead = found.active == 0
    known = np.where(np.isnan(found.class_mean), -np.inf, found.class_mean)
    columns = {
        "layer": layer,
        "filter": np.arange(len(weights)),
        "norm": weights.flatten(1).norm(dim=1).numpy(),
        "kernel_roughness": kernel_roughness(weights),
        "image_roughness": _of_images(maximised, layer, len(weights)),
        "nearest": neighbour,
        "similarity": cosine,
        "active": found.active,
        "dead": dead,
        "mean": found.mean,
        "largest": found.value[:, 0],
        "preferred": np.where(dead, -1, known.argmax(axis=1)),
        "selectivity": selectivity(found),
    }
    return pd.DataFrame(columns)


def _of_images(maximised: Maximised | None, layer: str, filters: int) -> np.ndarray:
    column = np.full(filters, np.nan)
    if maximised is None:
        return column
    if maximised.layer != layer:
        raise ValueError(f"maximised: its images are of {maximised.layer}, the table is of {layer}")
    column[maximised.filters] = image_roughness(maximised.images)
    return column


def compare(
    networks: "Mapping[str, Network]",
    images: Images,
    layers: tuple[str, ...] = ("first", "last"),
    seed: int = 0,
) -> pd.DataFrame:
    """Compare networks by their filters; see ``summarise`` for the columns.

    All networks see the same ``images``. For networks of different normalisation, or to add the
    roughness of maximising images, make the tables with ``filter_table`` and summarise them.
    """
    tables = {
        (name, layer): filter_table(network, layer, images)
        for name, network in networks.items()
        for layer in layers
    }
    return summarise(tables, seed)


def summarise(tables: Mapping[tuple[str, str], pd.DataFrame], seed: int = 0) -> pd.DataFrame:
    """Mean of each figure over a layer's filters with its 95 % interval.

    ``tables``: filter tables by (network, place), place such as ``first`` or ``last``. Columns:
    network, place, layer, figure (a key of FIGURES), filters (counted), mean, low, high. Figures
    that a table does not have are left out. Intervals: bootstrap over the filters; Wilson's for
    the share of dead filters, since resampling a layer without any would claim certainty.
    """
    rows = []
    for (name, place), table in tables.items():
        for figure in FIGURES:
            values = table[figure].dropna().to_numpy(dtype=np.float64)
            if len(values):
                low, high = interval(values, figure, seed)
                label = (name, place, table["layer"].iloc[0], figure, len(values))
                rows.append((*label, values.mean(), low, high))
    names = ["network", "place", "layer", "figure", "filters", "mean", "low", "high"]
    return pd.DataFrame(rows, columns=names)


def interval(values: np.ndarray, figure: str, seed: int) -> tuple[float, float]:
    """95 % interval of the mean of ``values`` (K,), one of FIGURES for each filter."""
    if figure == "dead":
        low, high = statistics.wilson(values.sum(), len(values))
        return float(low), float(high)
    return bootstrap(values, seed)


def bootstrap(values: np.ndarray, seed: int, draws: int = 1000) -> tuple[float, float]:
    """95 % percentile interval of the mean of ``values`` (K,), resampled ``draws`` times."""
    generator = np.random.default_rng(seed)
    means = [generator.choice(values, len(values)).mean() for _ in range(draws)]
    low, high = np.quantile(means, [0.025, 0.975])
    return float(low), float(high)


def untrained(network: "Network", seed: int = 0) -> "Network":
    """A copy of the network with fresh starting weights, to compare the trained one with."""
    return reinitialised(network, 1.0, seed)
