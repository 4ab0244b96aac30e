"""Image tiles pasted into one picture, and pictures as PNG and JPEG files."""

import io
import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from PIL import Image

GAP = 8  # screen pixels between tiles
LINE = 15  # screen pixels of one line of a tile's title


def to_hwc(image: np.ndarray) -> np.ndarray:
    """Return a uint8 image as H×W×C with C = 1 or 3.

    ``image``: uint8 (H, W), (C, H, W) or (H, W, C). A shape that fits both, such as a 3×3×3
    kernel's, is read as channels first. Raises ValueError for other types and shapes.
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
    """Return a uint8 image, in any layout that ``to_hwc`` reads, as H×W×3."""
    image = to_hwc(image)
    return np.broadcast_to(image, (*image.shape[:2], 3))


@dataclass(frozen=True)
class Layout:
    """Positions of the tiles of a grid, in image pixels; each is ``zoom`` screen pixels wide."""

    count: int
    columns: int
    height: int  # of a tile
    width: int
    gap: int = 0
    head: int = 0  # space for titles above each tile
    zoom: int = 1

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


def plan(
    tiles: Sequence[np.ndarray | None], columns: int, zoom: int, titles: Sequence[str]
) -> Layout:
    """Lay out tiles of one size, with space above each for the longest title's lines."""
    lines = max((title.count("<br>") + 1 for title in titles if title), default=0)
    height, width = next(tile for tile in tiles if tile is not None).shape[:2]
    gap, head = math.ceil(GAP / zoom), math.ceil(lines * LINE / zoom)
    return Layout(len(tiles), min(columns, len(tiles)), height, width, gap, head, zoom)


def mosaic(tiles: Sequence[np.ndarray | None], layout: Layout) -> np.ndarray:
    """Paste (H, W, 3) tiles into one uint8 (H, W, 4) picture, transparent between them and for
    None."""
    canvas = np.zeros((*layout.size, 4), dtype=np.uint8)
    for number, tile in enumerate(tiles):
        if tile is None:
            continue
        top, left = layout.corner(number)
        area = canvas[top : top + layout.height, left : left + layout.width]
        area[..., :3], area[..., 3] = tile, 255
    return canvas


def sheet(images: np.ndarray, columns: int, quality: int = 80) -> bytes:
    """Encode images, uint8 (N, 3, H, W), as one JPEG, row by row without gaps.

    The picture is ``columns`` tiles wide even if there are fewer images. Colour has full
    resolution, so that tiles do not mix.
    """
    layout = Layout(len(images), columns, *images.shape[2:])
    pixels = mosaic(list(images.transpose(0, 2, 3, 1)), layout)[..., :3]
    return _encode(pixels, "JPEG", quality=quality, subsampling=0, optimize=True)


def small_png(pixels: np.ndarray) -> bytes:
    """Encode uint8 (H, W, 3) or (H, W, 4) pixels as a PNG file of few bytes."""
    return _encode(pixels, "PNG", optimize=True)


def _encode(pixels: np.ndarray, kind: str, **options: int) -> bytes:
    buffer = io.BytesIO()
    Image.fromarray(np.ascontiguousarray(pixels)).save(buffer, kind, **options)
    return buffer.getvalue()
