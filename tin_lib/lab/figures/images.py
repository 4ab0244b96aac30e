"""Grids of small images as plotly figures.

A grid is one PNG mosaic at the images' own resolution, drawn by one trace at a whole-number zoom:
the figure's JSON stays small, and every image pixel is a sharp square on the screen.
"""

import base64
from collections.abc import Sequence

import numpy as np
import plotly.graph_objects as go

from tin_lib.lab.figures import style
from tin_lib.lab.figures.tiles import GAP, Layout, mosaic, plan, small_png, to_rgb

MARGIN = 10  # screen pixels around the mosaic
TITLE_FONT = 12
LETTER = 6.5  # screen pixels that a letter of a title takes, with some to spare
OUTLINE = "#F0E442"  # of boxes: yellow from Okabe and Ito's palette, on black

Images = np.ndarray | Sequence[np.ndarray | None]


def grid(
    images: Images,
    titles: Sequence[str] | None = None,
    columns: int = 8,
    zoom: int = 2,
    boxes: np.ndarray | None = None,
    hover: Sequence[str] | None = None,
) -> go.Figure:
    """Draw images of one size as a grid, row by row, every image pixel ``zoom`` screen pixels wide.

    ``images``: uint8 (N, 3, H, W), (N, H, W, 3), (N, H, W), or a list of such images, where None
    leaves a place empty. ``titles``: N short texts above the tiles, ``<br>`` breaks a line.
    ``boxes``: integers (N, 4) x0, y0, x1, y1, inclusive pixels, outlined; a row of -1 has no box.
    ``hover``: N texts shown under the mouse (default: the titles). Without images the figure says
    so. Raises ValueError if sizes differ, or if the numbers of titles, boxes or hover texts do
    not match.
    """
    tiles = [None if image is None else to_rgb(image) for image in images]
    if not any(tile is not None for tile in tiles):
        return style.nothing("No images.")
    titles = list(titles) if titles is not None else [""] * len(tiles)
    hover = list(hover) if hover is not None else titles
    _check(tiles, titles, hover, boxes)
    if columns < 1 or zoom < 1:
        raise ValueError(f"columns and zoom must be at least 1, got {columns} and {zoom}")
    layout = plan(tiles, columns, zoom, titles)
    figure = _canvas(mosaic(tiles, layout), zoom)
    _add_titles(figure, layout, titles)
    _add_hover(figure, layout, hover)
    if boxes is not None:
        _add_boxes(figure, layout, np.asarray(boxes))
    return style.apply(figure)


def _check(
    tiles: Sequence[np.ndarray | None],
    titles: Sequence[str],
    hover: Sequence[str],
    boxes: np.ndarray | None,
) -> None:
    sizes = {tile.shape[:2] for tile in tiles if tile is not None}
    if len(sizes) > 1:
        raise ValueError(f"images: all must have one size, got {sorted(sizes)}; resize them first")
    for name, values in (("titles", titles), ("hover", hover), ("boxes", boxes)):
        if values is not None and len(values) != len(tiles):
            raise ValueError(
                f"{name}: {len(values)} for {len(tiles)} images; give one for each image"
            )


def _canvas(pixels: np.ndarray, zoom: int) -> go.Figure:
    """Return a figure of the picture's size: an axis unit is a screen pixel, and y points down."""
    height, width = pixels.shape[0] * zoom, pixels.shape[1] * zoom
    source = "data:image/png;base64," + base64.b64encode(small_png(pixels)).decode("ascii")
    # x0 and y0 are the centre of the first pixel, hence the half zoom.
    picture = go.Image(source=source, dx=zoom, dy=zoom, x0=zoom / 2, y0=zoom / 2, hoverinfo="skip")
    figure = go.Figure(picture)
    hidden = {"visible": False, "fixedrange": False, "constrain": "domain"}
    figure.update_xaxes(range=[0, width], **hidden)
    figure.update_yaxes(range=[height, 0], scaleanchor="x", **hidden)
    return figure.update_layout(
        width=width + 2 * MARGIN,
        height=height + 2 * MARGIN,
        margin={"l": MARGIN, "r": MARGIN, "t": MARGIN, "b": MARGIN},
        showlegend=False,
    )


def _centre(layout: Layout, tile: int) -> tuple[float, float]:
    top, left = layout.corner(tile)
    return (left + layout.width / 2) * layout.zoom, (top + layout.height / 2) * layout.zoom


def _add_titles(figure: go.Figure, layout: Layout, titles: Sequence[str]) -> None:
    annotations = []
    for tile, title in enumerate(titles):
        x, _ = _centre(layout, tile)
        y = layout.corner(tile)[0] * layout.zoom
        place = {"x": x, "y": y, "xanchor": "center", "yanchor": "bottom"}
        text = {"text": title, "font": {"size": TITLE_FONT}, "borderpad": 0}
        annotations.append({**place, **text, "showarrow": False})
    figure.update_layout(annotations=[each for each in annotations if each["text"]])


def _add_hover(figure: go.Figure, layout: Layout, hover: Sequence[str]) -> None:
    """Add invisible markers with the hover texts, which the picture itself cannot have."""
    if not any(hover):
        return
    x, y = zip(*(_centre(layout, tile) for tile in range(layout.count)))
    marker = {
        "size": min(layout.width, layout.height) * layout.zoom,
        "symbol": "square",
        "opacity": 0,
    }
    trace = go.Scatter(x=x, y=y, text=list(hover), hoverinfo="text", mode="markers", marker=marker)
    figure.add_trace(trace)


def _add_boxes(figure: go.Figure, layout: Layout, boxes: np.ndarray) -> None:
    """Outline boxes twice, bright on dark, so that they are visible on any image."""
    x: list[float | None] = []
    y: list[float | None] = []
    for tile in np.flatnonzero((boxes >= 0).all(axis=1)):
        top, left = layout.corner(int(tile))
        x0, y0, x1, y1 = (int(value) for value in boxes[tile])
        west, east = (left + x0) * layout.zoom, (left + x1 + 1) * layout.zoom
        north, south = (top + y0) * layout.zoom, (top + y1 + 1) * layout.zoom
        x += [west, east, east, west, west, None]
        y += [north, north, south, south, north, None]
    for colour, width in (("black", 3.0), (OUTLINE, 1.5)):
        line = {"color": colour, "width": width}
        figure.add_trace(go.Scatter(x=x, y=y, mode="lines", line=line, hoverinfo="skip"))


def label_rows(figure: go.Figure, labels: Sequence[str]) -> go.Figure:
    """Write one text to the left of each row of a ``grid``, in a margin as wide as they need.

    ``<br>`` breaks a line.
    """
    longest = max(len(line) for label in labels for line in label.split("<br>"))
    width = 2 * MARGIN + round(LETTER * longest)
    height = figure.layout.yaxis.range[0]
    pitch = (height + GAP) / len(labels)
    for row, label in enumerate(labels):
        place = {"x": 0, "xref": "x", "xanchor": "right", "xshift": -6}
        middle = {"y": (row + 0.5) * pitch - GAP / 2, "yref": "y", "yanchor": "middle"}
        text = {"text": label, "align": "right", "font": {"size": TITLE_FONT}}
        figure.add_annotation(**place, **middle, **text, showarrow=False)
    added = width - figure.layout.margin.l
    return figure.update_layout(width=figure.layout.width + added, margin_l=width)
