"""Pictures composed of image tiles and text with PIL."""

import io
from functools import cache

import numpy as np
from PIL import Image, ImageDraw, ImageFont

# A dark card, whatever the page's theme: maps are mostly black. Okabe and Ito's colours on it.
GROUND, TEXT, FAINT = "#16181d", "#f2f2f2", "#a8adb7"
RIGHT, WRONG, BOX = "#56B4E9", "#E69F00", "#F0E442"
GAP = 8  # pixels between tiles


@cache
def font(size: int) -> ImageFont.FreeTypeFont | ImageFont.ImageFont:
    """PIL's own font."""
    return ImageFont.load_default(size)


class Canvas:
    """An RGB picture to paste tiles and write texts on; coordinates in pixels."""

    def __init__(self, width: int, height: int) -> None:
        self.image = Image.new("RGB", (width, height), GROUND)
        self.draw = ImageDraw.Draw(self.image)

    def tile(self, x: int, y: int, pixels: np.ndarray, zoom: int) -> None:
        """Paste uint8 (1 or 3, H, W), each pixel ``zoom`` × ``zoom``."""
        rgb = np.broadcast_to(pixels, (3, *pixels.shape[1:])).transpose(1, 2, 0)
        large = rgb.repeat(zoom, 0).repeat(zoom, 1)
        self.image.paste(Image.fromarray(large), (x, y))

    def text(self, x: int, y: int, words: str, size: int = 13, colour: str = TEXT) -> None:
        """One line, its upper left corner at x, y."""
        self.draw.text((x, y), words, colour, font(size))

    def bar(self, x: int, y: int, width: float, height: int, colour: str) -> None:
        """A filled bar."""
        if width >= 1:
            self.draw.rectangle((x, y, x + round(width) - 1, y + height - 1), colour)

    def box(self, x: int, y: int, box: np.ndarray, zoom: int) -> None:
        """Outline inclusive pixels x0, y0, x1, y1 of a tile at x, y: bright within dark."""
        if (box < 0).any():
            return
        x0, y0, x1, y1 = (int(value) for value in box)
        west, north = x + x0 * zoom, y + y0 * zoom
        east, south = x + (x1 + 1) * zoom - 1, y + (y1 + 1) * zoom - 1
        self.draw.rectangle((west, north, east, south), outline="black", width=3)
        self.draw.rectangle((west + 1, north + 1, east - 1, south - 1), outline=BOX, width=1)

    def png(self) -> bytes:
        """Encoded fast rather than small: it goes over the loopback."""
        buffer = io.BytesIO()
        self.image.save(buffer, "PNG", compress_level=1)
        return buffer.getvalue()


def shorten(text: str, length: int) -> str:
    """Cut a text to a length, the cut marked."""
    return text if len(text) <= length else text[: length - 1] + "…"


def thumbnails(images: np.ndarray, columns: int, quality: int = 80) -> bytes:
    """Images uint8 (N, 3, H, W) as one JPEG mosaic, row by row, without gaps."""
    count, _, height, width = images.shape
    rows = -(-count // columns)
    sheet = np.zeros((rows * columns, 3, height, width), np.uint8)
    sheet[:count] = images
    grid = sheet.reshape(rows, columns, 3, height, width).transpose(0, 3, 1, 4, 2)
    buffer = io.BytesIO()
    Image.fromarray(np.ascontiguousarray(grid).reshape(rows * height, columns * width, 3)).save(
        buffer, "JPEG", quality=quality
    )
    return buffer.getvalue()
