"""Figures of a network's filters: kernels, maximising images, exciting patches, comparisons."""

from collections.abc import Iterable, Mapping, Sequence

import numpy as np
import pandas as pd
import plotly.graph_objects as go
from plotly.subplots import make_subplots

from tin_lib.lab.figures import images, style

SIDE = 64  # pixels that a picture of any network is enlarged to
TILE = 48  # pixels on the screen that a tiny kernel is enlarged to
TITLES = {
    "kernel_roughness": "Roughness of kernels",
    "image_roughness": "Roughness of images",
    "similarity": "Largest cosine<br>with another filter",
    "dead": "Share of dead filters",
    "selectivity": "Class selectivity",
}
NOISE = ("kernel_roughness", "image_roughness")  # figures in which white noise is 1
SYMBOLS = ("circle", "diamond", "square", "triangle-up")


def kernel_grid(kernels: np.ndarray, columns: int = 16) -> go.Figure:
    """First-layer kernels, uint8 (K, 3, h, w) from ``filters.first_layer``; zero is mid gray."""
    zoom = max(1, TILE // kernels.shape[-1])
    return images.grid(kernels, columns=columns, zoom=zoom, hover=_numbers(range(len(kernels))))


def maximised_grid(
    pictures: np.ndarray, filters: Sequence[int] | np.ndarray, columns: int = 10, zoom: int = 1
) -> go.Figure:
    """Figure 6: the images uint8 (K, 3, 64, 64) that maximise the given filters (K,)."""
    titles = [str(index) for index in filters]
    return images.grid(pictures, titles, columns, zoom, hover=_numbers(filters))


def by_network(pictures: Mapping[str, np.ndarray], most: int = 12) -> go.Figure:
    """One row for each network: its first filters' kernels or made images, as many as all have.

    ``pictures``: uint8 (K, 3, h, w) by network; those of fewer pixels are enlarged to SIDE.
    """
    shown = min(most, *(len(kernels) for kernels in pictures.values()))
    rows = np.concatenate([_resize(kernels[:shown], SIDE) for kernels in pictures.values()])
    hover = [f"{name}, filter {index}" for name in pictures for index in range(shown)]
    figure = images.grid(rows, columns=shown, zoom=1, hover=hover)
    return images.label_rows(figure, list(pictures))


def exciting_grid(
    patches: np.ndarray,
    labels: Sequence[str],
    pictures: np.ndarray | None = None,
    zoom: int = 1,
) -> go.Figure:
    """One row for each filter: its maximising image (if given), then the patches it likes most.

    ``patches``: uint8 (K, top, 3, s, s); ``labels``: K texts left of the rows, ``<br>`` breaks a
    line; ``pictures``: uint8 (K, 3, S, S), to whose size S the patches are enlarged.
    """
    side = patches.shape[-1] if pictures is None else pictures.shape[-1]
    rows = _resize(patches, side)
    if pictures is not None:
        rows = np.concatenate([pictures[:, None], rows], axis=1)
    columns = rows.shape[1]
    figure = images.grid(rows.reshape(-1, *rows.shape[2:]), columns=columns, zoom=zoom)
    return images.label_rows(figure, labels, width=190)


def _resize(patches: np.ndarray, side: int) -> np.ndarray:
    """Nearest-neighbour resize of (..., s, s) to (..., side, side)."""
    near = np.arange(side) * patches.shape[-1] // side
    return patches[..., near[:, None], near[None]]


def _numbers(filters: Iterable[int]) -> list[str]:
    return [f"filter {index}" for index in filters]


def comparison(table: pd.DataFrame) -> go.Figure:
    """Networks side by side in each figure: means with 95 % intervals, one symbol for each place.

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
    """Means as dots and intervals as bars, one network a line."""
    error = {
        "type": "data",
        "symmetric": False,
        "array": rows["high"] - rows["mean"],
        "arrayminus": rows["mean"] - rows["low"],
    }
    marker = {"color": style.PALETTE[number], "symbol": SYMBOLS[number], "size": 9}
    hover = "%{y}, " + place + ": %{x:.3f} [%{customdata[0]:.3f}, %{customdata[1]:.3f}]"
    return go.Scatter(
        x=rows["mean"],
        y=rows["network"],
        error_x=error,
        mode="markers",
        orientation="h",  # places of one network lie above each other, not side by side
        marker=marker,
        cliponaxis=False,
        name=f"{place} conv layer" if place in ("first", "last") else place,
        legendgroup=place,
        customdata=rows[["low", "high"]],
        hovertemplate=hover + "<extra></extra>",
    )


def distribution(tables: Mapping[str, pd.DataFrame], figure: str = "kernel_roughness") -> go.Figure:
    """One figure of every filter, network by network, from ``filters.filter_table`` tables."""
    chart = go.Figure()
    for number, (name, table) in enumerate(tables.items()):
        colour = style.PALETTE[number % len(style.PALETTE)]
        text = _numbers(table["filter"])
        box = go.Box(x=table[figure], name=name, boxpoints="all", jitter=0.4, text=text)
        chart.add_trace(box.update(pointpos=0, marker={"color": colour, "size": 4}))
    chart.update_xaxes(title=TITLES[figure].replace("<br>", " "))
    chart.update_yaxes(autorange="reversed", automargin=True)
    chart.update_layout(showlegend=False, height=120 + 70 * len(tables))
    return style.apply(chart)
