"""Figures of the data: images with boxes, augmentation (Figure 1), counts, pixels, box sizes."""

from collections.abc import Sequence

import numpy as np
import pandas as pd
import plotly.graph_objects as go
from plotly.subplots import make_subplots

from tin_lib.lab.figures import images, style

CHANNELS = (("red", "#D55E00", "solid"), ("green", "#009E73", "dash"), ("blue", "#0072B2", "dot"))
SIDE = 64  # pixels of an image
BIN = 4  # pixels of box size counted together
NAME = 16  # letters of a class name that fit above an image


def augmentations(pictures: np.ndarray, titles: Sequence[str]) -> go.Figure:
    """Figure 1: an image and its augmentations, uint8 (N, 3, 64, 64), with a title above each."""
    return images.grid(pictures, titles, columns=3, zoom=3)


def gallery(
    pictures: np.ndarray,
    names: Sequence[str],
    boxes: np.ndarray | None = None,
    columns: int = 8,
    zoom: int = 2,
) -> go.Figure:
    """Images with class names above them (in full under the mouse) and their boxes outlined.

    ``pictures``: uint8 (N, 3, H, W); ``names``: N; ``boxes``: integers (N, 4), -1 where none.
    """
    short = [shorten(name) for name in names]
    return images.grid(pictures, short, columns, zoom, boxes, hover=names)


def shorten(name: str, letters: int = NAME) -> str:
    """A class's first name, cut to fit above an image: ``goldfish, Carassius`` is ``goldfish``."""
    first = name.split(",")[0]
    return first if len(first) <= letters else first[: letters - 1] + "…"


def pairs(left: np.ndarray, right: np.ndarray, titles: Sequence[tuple[str, str]]) -> go.Figure:
    """Two images a row, such as byte-identical files, each with its own title (two a pair)."""
    both = np.stack([left, right], axis=1).reshape(-1, *left.shape[1:])
    return images.grid(both, [text for pair in titles for text in pair], columns=6)


def class_counts(table: pd.DataFrame) -> go.Figure:
    """Images of each class as bars, one colour for each split.

    ``table``: columns ``name``, ``split``, ``images``. With many classes names show on hover only.
    """
    figure = go.Figure()
    for number, (split, rows) in enumerate(table.groupby("split", sort=False)):
        marker = {"color": style.PALETTE[number], "pattern": {"shape": ("", "/", ".")[number % 3]}}
        figure.add_trace(go.Bar(x=rows["name"], y=rows["images"], name=str(split), marker=marker))
    figure.update_yaxes(title="images")
    many = table["name"].nunique() > 40
    figure.update_xaxes(title="class", showticklabels=not many, showgrid=False)
    return style.apply(figure.update_layout(barmode="stack", height=360))


def channel_histograms(counts: np.ndarray, mean: np.ndarray, std: np.ndarray) -> go.Figure:
    """Pixel values of each channel before and after normalisation.

    ``counts``: integers (3, 256), pixels of each value; ``mean`` and ``std``: (3,), 0..255 units.
    """
    figure = make_subplots(cols=2, subplot_titles=("Before", "After: (value − mean) / deviation"))
    values, shares = np.arange(256), counts / counts.sum(axis=1, keepdims=True)
    for channel, (name, colour, dash) in enumerate(CHANNELS):
        line = {"color": colour, "dash": dash}
        after = (values - mean[channel]) / std[channel]
        # A density keeps its area when its axis is stretched: per deviation, not per value.
        for column, x, y in (
            (1, values, shares[channel]),
            (2, after, shares[channel] * std[channel]),
        ):
            trace = go.Scatter(x=x.round(4), y=y.round(6), name=name, line=line, legendgroup=name)
            figure.add_trace(trace.update(showlegend=column == 1), row=1, col=column)
    figure.update_xaxes(title="pixel value (0..255)", row=1, col=1)
    figure.update_xaxes(title="normalised value (deviations)", row=1, col=2)
    # The spikes of black and white pixels (0 and 255) would flatten all else: they leave the frame.
    highest = 1.2 * shares[:, 1:-1].max()
    figure.update_yaxes(title="density", range=[0, highest], col=1)
    figure.update_yaxes(range=[0, highest * np.max(std)], col=2)
    return style.apply(figure.update_layout(height=360))


def box_sizes(boxes: np.ndarray) -> go.Figure:
    """How wide and high the objects' boxes are: images for each size, logarithmic colour.

    ``boxes``: integers (N, 4) x0, y0, x1, y1, inclusive pixels; rows of -1 are left out.
    """
    known = boxes[(boxes >= 0).all(axis=1)].astype(int)
    width, height = known[:, 2] - known[:, 0] + 1, known[:, 3] - known[:, 1] + 1
    edges = np.arange(0.5, SIDE + 1, BIN)
    counts, _, _ = np.histogram2d(height, width, bins=(edges, edges))
    centres = (edges[:-1] + edges[1:]) / 2
    ticks = [10**power for power in range(len(str(int(counts.max(initial=1)))))]
    heat = go.Heatmap(
        x=centres,
        y=centres,
        z=np.log10(np.where(counts > 0, counts, np.nan)),
        customdata=counts,
        colorscale="Cividis",
        colorbar={"title": "images", "tickvals": np.log10(ticks), "ticktext": ticks},
        hovertemplate="about %{x:.0f} × %{y:.0f} pixels: %{customdata} images<extra></extra>",
    )
    figure = go.Figure(heat)
    figure.update_xaxes(title="box width (pixels)", range=[0, SIDE + 1], constrain="domain")
    figure.update_yaxes(title="box height (pixels)", range=[0, SIDE + 1], scaleanchor="x")
    return style.apply(figure.update_layout(height=440, width=500))
