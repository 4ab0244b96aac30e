"""Figures of filters: kernels, maximising images, patches of highest activation, comparisons."""

from collections.abc import Iterable, Mapping, Sequence

import numpy as np
import pandas as pd
import plotly.graph_objects as go
from plotly.subplots import make_subplots

from tin_lib import catalog
from tin_lib.lab.figures import images, style

SIDE = 64  # pixels to which the pictures of all networks are enlarged
TILE = 48  # screen pixels to which a small kernel is enlarged
TITLES = {
    "kernel_roughness": "Roughness of kernels",
    "image_roughness": "Roughness of images",
    "similarity": "Cosine similarity to<br>the most similar filter",
    "dead": "Share of dead filters",
    "selectivity": "Class selectivity",
}
NOISE = ("kernel_roughness", "image_roughness")  # figures that are 1 for white noise
SYMBOLS = ("circle", "diamond", "square", "triangle-up")


def kernel_grid(kernels: np.ndarray, columns: int = 16) -> go.Figure:
    """First-layer kernels, uint8 (K, 3, h, w) from ``filters.first_layer``; zero is gray."""
    zoom = max(1, TILE // kernels.shape[-1])
    return images.grid(kernels, columns=columns, zoom=zoom, hover=_numbers(range(len(kernels))))


def by_network(pictures: Mapping[str, np.ndarray], most: int = 12) -> go.Figure:
    """One row for each network: kernels or maximising images of its first filters.

    ``pictures``: uint8 (K, 3, h, w) by network's name, enlarged to SIDE. Each row has as many as
    the network with the fewest, and at most ``most``.
    """
    shown = min(most, *(len(kernels) for kernels in pictures.values()))
    rows = np.concatenate([_resize(kernels[:shown], SIDE) for kernels in pictures.values()])
    titles = [_title(name) for name in pictures]
    hover = [f"{title}, filter {index}" for title in titles for index in range(shown)]
    figure = images.grid(rows, columns=shown, zoom=1, hover=hover)
    return images.label_rows(figure, titles)


def top_activations_grid(
    patches: np.ndarray,
    labels: Sequence[str],
    pictures: np.ndarray | None = None,
    zoom: int = 1,
) -> go.Figure:
    """One row for each filter: its maximising image (if given), then its patches.

    ``patches``: uint8 (K, top, 3, s, s) of highest activation; ``labels``: K texts left of the
    rows, ``<br>`` breaks a line; ``pictures``: uint8 (K, 3, S, S), to whose size the patches are
    enlarged.
    """
    side = patches.shape[-1] if pictures is None else pictures.shape[-1]
    rows = _resize(patches, side)
    if pictures is not None:
        rows = np.concatenate([pictures[:, None], rows], axis=1)
    columns = rows.shape[1]
    figure = images.grid(rows.reshape(-1, *rows.shape[2:]), columns=columns, zoom=zoom)
    return images.label_rows(figure, labels)


def _title(name: str) -> str:
    """Title of a network that may have a remark: ``vgg16 (untrained)``."""
    network, bracket, remark = name.partition(" (")
    return catalog.title(network) + bracket + remark


def _resize(patches: np.ndarray, side: int) -> np.ndarray:
    """Resize (..., s, s) to (..., side, side) by nearest neighbours."""
    near = np.arange(side) * patches.shape[-1] // side
    return patches[..., near[:, None], near[None]]


def _numbers(filters: Iterable[int]) -> list[str]:
    return [f"filter {index}" for index in filters]


def comparison(table: pd.DataFrame) -> go.Figure:
    """Compare networks in a panel for each figure: means with 95 % intervals, by place.

    ``table``: from ``filters.compare`` or ``filters.summarise``.
    """
    shown = [name for name in TITLES if name in set(table["figure"])]
    figure = make_subplots(
        cols=len(shown), shared_yaxes=True, subplot_titles=[TITLES[name] for name in shown]
    )
    for column, name in enumerate(shown, start=1):
        for number, (place, rows) in enumerate(_by(table[table["figure"] == name], "place")):
            trace = _dots(rows, place, number).update(showlegend=column == 1)
            figure.add_trace(trace, row=1, col=column)
        if name in NOISE:
            figure.add_vline(x=1, line_dash="dot", line_color=style.TEXT, row=1, col=column)
    figure.update_xaxes(rangemode="tozero", nticks=5)
    figure.update_yaxes(range=[table["network"].nunique() - 0.5, -0.5], automargin=True)
    height = 160 + 45 * table["network"].nunique()
    legend = {"orientation": "h", "y": -0.15, "yanchor": "top"}
    figure.update_layout(height=height, scattermode="group", legend=legend, margin={"t": 60})
    return style.apply(figure)


def _by(table: pd.DataFrame, column: str) -> list[tuple[str, pd.DataFrame]]:
    return [(str(name), rows) for name, rows in table.groupby(column, sort=False)]


def _dots(rows: pd.DataFrame, place: str, number: int) -> go.Scatter:
    """Means as dots and intervals as bars, a line for each network."""
    error = {
        "type": "data",
        "symmetric": False,
        "array": rows["high"] - rows["mean"],
        "arrayminus": rows["mean"] - rows["low"],
    }
    colour = style.PALETTE[number % len(style.PALETTE)]
    marker = {"color": colour, "symbol": SYMBOLS[number % len(SYMBOLS)], "size": 9}
    hover = "%{y}, " + place + ": %{x:.3f} [%{customdata[0]:.3f}, %{customdata[1]:.3f}]"
    return go.Scatter(
        x=rows["mean"],
        y=[_title(str(name)) for name in rows["network"]],
        error_x=error,
        mode="markers",
        orientation="h",  # places of one network above each other
        marker=marker,
        cliponaxis=False,
        name=f"{place} conv layer" if place in ("first", "last") else place,
        legendgroup=place,
        customdata=rows[["low", "high"]],
        hovertemplate=hover + "<extra></extra>",
    )
