"""Arrays as PNG data URIs, and grids of small images as plotly figures.

A grid is one PNG mosaic at the images' own resolution, drawn by one trace at a whole-number zoom:
the figure's JSON stays small and every image pixel is a crisp square on the screen.
"""

import base64
import io
import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import plotly.graph_objects as go
from PIL import Image

from tin_lib.lab.figures import style

LINE = 15  # pixels a line of tile title takes on the screen
GAP = 8  # pixels between tiles on the screen
MARGIN = 10  # pixels around the mosaic
TITLE_FONT = 12
OUTLINE = "#F0E442"  # of boxes: Okabe and Ito's yellow, over black

Images = np.ndarray | Sequence[np.ndarray]


def to_hwc(image: np.ndarray) -> np.ndarray:
    """Return a uint8 image as H×W×C with C = 1 or 3.

    ``image``: uint8 (H, W), (C, H, W) or (H, W, C). Where both readings are possible, as for a
    3×3×3 kernel, channels come first, as everywhere in tin_lib. Raises ValueError otherwise.
    """
    image = np.asarray(image)
    if image.dtype != np.uint8:
        raise ValueError(
            f"image: expected uint8 values 0..255, got {image.dtype}; scale and cast it first"
        )
    if image.ndim == 2:
        return image[:, :, None]
    if image.ndim == 3 and image.shape[0] in (1, 3):
        return image.transpose(1, 2, 0)
    if image.ndim == 3 and image.shape[2] in (1, 3):
        return image
    raise ValueError(
        f"image: expected (H, W), (C, H, W) or (H, W, C) with 1 or 3 channels, got {image.shape}"
    )


def to_rgb(image: np.ndarray) -> np.ndarray:
    """Return a uint8 image, in any layout ``to_hwc`` reads, as H×W×3."""
    image = to_hwc(image)
    return np.broadcast_to(image, (*image.shape[:2], 3))


def enlarge(image: np.ndarray, zoom: int) -> np.ndarray:
    """Repeat every pixel of an (H, W, C) image ``zoom`` times along both axes."""
    return image.repeat(zoom, axis=0).repeat(zoom, axis=1)


def encode_png(pixels: np.ndarray) -> str:
    """Encode uint8 (H, W, 3) or (H, W, 4) pixels as a PNG data URI."""
    buffer = io.BytesIO()
    Image.fromarray(np.ascontiguousarray(pixels)).save(buffer, format="PNG", optimize=True)
    return "data:image/png;base64," + base64.b64encode(buffer.getvalue()).decode("ascii")


def data_uri(image: np.ndarray, zoom: int = 1) -> str:
    """Return one uint8 image as a PNG data URI, ``zoom`` times as large. See ``to_hwc``."""
    return encode_png(enlarge(to_rgb(image), zoom))


@dataclass(frozen=True)
class Layout:
    """Where the tiles of a grid lie, in image pixels; one is ``zoom`` pixels on the screen."""

    count: int
    columns: int
    height: int  # of a tile
    width: int
    gap: int
    head: int  # room for titles above each tile
    zoom: int

    @property
    def rows(self) -> int:
        return math.ceil(self.count / self.columns)

    @property
    def size(self) -> tuple[int, int]:
        """Height and width of the mosaic."""
        width = self.columns * (self.width + self.gap) - self.gap
        return self.rows * (self.head + self.height + self.gap) - self.gap, width

    def corner(self, tile: int) -> tuple[int, int]:
        """Top and left pixel of a tile's image."""
        row, column = divmod(tile, self.columns)
        top = row * (self.head + self.height + self.gap) + self.head
        return top, column * (self.width + self.gap)


def plan(tiles: Sequence[np.ndarray], columns: int, zoom: int, titles: Sequence[str]) -> Layout:
    """Lay out tiles of one size, with room above each for the longest title's lines."""
    lines = max((title.count("<br>") + 1 for title in titles if title), default=0)
    height, width = tiles[0].shape[:2]
    gap, head = math.ceil(GAP / zoom), math.ceil(lines * LINE / zoom)
    return Layout(len(tiles), min(columns, len(tiles)), height, width, gap, head, zoom)


def mosaic(tiles: Sequence[np.ndarray], layout: Layout) -> np.ndarray:
    """Paste (H, W, 3) tiles into one uint8 (H, W, 4) picture, transparent between them."""
    canvas = np.zeros((*layout.size, 4), dtype=np.uint8)
    for number, tile in enumerate(tiles):
        top, left = layout.corner(number)
        area = canvas[top : top + layout.height, left : left + layout.width]
        area[..., :3], area[..., 3] = tile, 255
    return canvas


def grid(
    images: Images,
    titles: Sequence[str] | None = None,
    columns: int = 8,
    zoom: int = 2,
    boxes: np.ndarray | None = None,
    hover: Sequence[str] | None = None,
) -> go.Figure:
    """Draw images of one size as a grid, row by row, every image pixel ``zoom`` screen pixels wide.

    ``images``: uint8 (N, 3, H, W), (N, H, W, 3), (N, H, W), or a list of such images. ``titles``:
    N short texts above the tiles, ``<br>`` breaks a line. ``boxes``: integers (N, 4) x0, y0, x1,
    y1, inclusive pixels, outlined; a row of -1 has none. ``hover``: N texts shown under the mouse
    (default: the titles). Raises ValueError where there is no image, sizes differ, or the numbers
    of titles, boxes or hover texts do not match.
    """
    tiles = [to_rgb(image) for image in images]
    if not tiles:
        return style.nothing("none")
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
    tiles: Sequence[np.ndarray],
    titles: Sequence[str],
    hover: Sequence[str],
    boxes: np.ndarray | None,
) -> None:
    sizes = {tile.shape[:2] for tile in tiles}
    if len(sizes) > 1:
        raise ValueError(f"images: all must have one size, got {sorted(sizes)}; resize them first")
    for name, values in (("titles", titles), ("hover", hover), ("boxes", boxes)):
        if values is not None and len(values) != len(tiles):
            raise ValueError(
                f"{name}: {len(values)} for {len(tiles)} images; give one for each image"
            )


def _canvas(pixels: np.ndarray, zoom: int) -> go.Figure:
    """A figure of exactly the picture's size, one axis unit to one screen pixel, y downwards."""
    height, width = pixels.shape[0] * zoom, pixels.shape[1] * zoom
    # x0 and y0 are the centre of the first pixel, hence the half zoom.
    picture = go.Image(
        source=encode_png(pixels), dx=zoom, dy=zoom, x0=zoom / 2, y0=zoom / 2, hoverinfo="skip"
    )
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
    """Invisible markers at the tiles' centres carry the hover texts (the picture itself cannot)."""
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
    """Outline boxes twice, dark below bright, so that they show on any image."""
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


def label_rows(figure: go.Figure, labels: Sequence[str], width: int = 120) -> go.Figure:
    """Write one text to the left of each row of a ``grid``, in a margin of ``width`` pixels.

    ``<br>`` breaks a line.
    """
    height = figure.layout.yaxis.range[0]
    pitch = (height + GAP) / len(labels)
    for row, label in enumerate(labels):
        place = {"x": 0, "xref": "x", "xanchor": "right", "xshift": -6}
        middle = {"y": (row + 0.5) * pitch - GAP / 2, "yref": "y", "yanchor": "middle"}
        text = {"text": label, "align": "right", "font": {"size": TITLE_FONT}}
        figure.add_annotation(**place, **middle, **text, showarrow=False)
    added = width - figure.layout.margin.l
    return figure.update_layout(width=figure.layout.width + added, margin_l=width)
