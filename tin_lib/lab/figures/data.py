"""Figures of the data: images with boxes, augmentation (Figure 1), pixel values, box sizes."""

from collections.abc import Sequence

import numpy as np
import plotly.graph_objects as go
from plotly.subplots import make_subplots

from tin_lib.lab.figures import images, style
from tin_lib.lab.formatting import shorten

CHANNELS = (("red", "#D55E00", "solid"), ("green", "#009E73", "dash"), ("blue", "#0072B2", "dot"))
SIDE = 64  # pixels of an image
BIN = 4  # pixels of box size counted together
NAME = 16  # letters of a class name that fit above an image


def augmentations(pictures: np.ndarray, titles: Sequence[str]) -> go.Figure:
    """Figure 1: an image and its augmentations, uint8 (N, 3, 64, 64), with titles above them."""
    return images.grid(pictures, titles, columns=3, zoom=3)


def gallery(
    pictures: np.ndarray,
    names: Sequence[str],
    boxes: np.ndarray | None = None,
    columns: int = 8,
    zoom: int = 2,
) -> go.Figure:
    """Show images with their boxes and, above them, the first of each class's names.

    ``pictures``: uint8 (N, 3, H, W); ``names``: N, complete under the mouse; ``boxes``: integers
    (N, 4), -1 for an image without a box.
    """
    short = [shorten(name.split(",")[0], NAME) for name in names]
    return images.grid(pictures, short, columns, zoom, boxes, hover=names)


def channel_histograms(counts: np.ndarray, mean: np.ndarray, std: np.ndarray) -> go.Figure:
    """Pixel values of each channel before and after normalisation.

    ``counts``: integers (3, 256), pixels of each value; ``mean`` and ``std``: (3,), 0..255 units.
    """
    figure = make_subplots(
        cols=2, subplot_titles=("Before normalisation", "After: (value − mean) / std")
    )
    values, shares = np.arange(256), counts / counts.sum(axis=1, keepdims=True)
    for channel, (name, colour, dash) in enumerate(CHANNELS):
        line = {"color": colour, "dash": dash}
        after = (values - mean[channel]) / std[channel]
        # Density per deviation, not per value, so that the area under the line stays 1.
        for column, x, y in (
            (1, values, shares[channel]),
            (2, after, shares[channel] * std[channel]),
        ):
            trace = go.Scatter(x=x.round(4), y=y.round(6), name=name, line=line, legendgroup=name)
            figure.add_trace(trace.update(showlegend=column == 1), row=1, col=column)
    figure.update_xaxes(title="pixel value (0..255)", row=1, col=1)
    figure.update_xaxes(title="normalised value (standard deviations)", row=1, col=2)
    # The spikes of black and white pixels (0 and 255) would flatten the rest, so they are clipped.
    highest = 1.2 * shares[:, 1:-1].max()
    figure.update_yaxes(title="density", range=[0, highest], col=1)
    figure.update_yaxes(range=[0, highest * np.max(std)], col=2)
    return style.apply(figure.update_layout(height=360))


def box_sizes(boxes: np.ndarray) -> go.Figure:
    """Show the number of images by width and height of the object's box, on a logarithmic scale.

    ``boxes``: integers (N, 4) x0, y0, x1, y1, inclusive pixels; rows of -1 have no box. Without any
    box, the figure is a text that says so.
    """
    known = boxes[(boxes >= 0).all(axis=1)].astype(int)
    if not len(known):
        return style.nothing("These images have no boxes.")
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
