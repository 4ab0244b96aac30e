"""Pictures composed of image tiles and text with PIL."""

import io
import struct
import zlib
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
        # At least four wide and high, or nothing lies within the dark line.
        east = max(x + (x1 + 1) * zoom - 1, west + 3)
        south = max(y + (y1 + 1) * zoom - 1, north + 3)
        self.draw.rectangle((west, north, east, south), outline="black", width=3)
        self.draw.rectangle((west + 1, north + 1, east - 1, south - 1), outline=BOX, width=1)

    def png(self) -> bytes:
        """As a PNG file."""
        return encode_png(np.asarray(self.image))


def encode_png(pixels: np.ndarray) -> bytes:
    """Pixels uint8 (H, W, 3) as a PNG file, quickly: it goes over the loopback.

    Rows are stored as they are. PIL tries a PNG's filters on each of them, which takes twice as
    long and, for enlarged tiles whose rows repeat, makes the file larger.
    """
    height, width, _ = pixels.shape
    lines = np.zeros((height, 1 + 3 * width), np.uint8)  # 0, before each row, says: no filter
    lines[:, 1:] = pixels.reshape(height, 3 * width)
    head = struct.pack(">IIBBBBB", width, height, 8, 2, 0, 0, 0)  # 8 bits, RGB
    parts = ((b"IHDR", head), (b"IDAT", zlib.compress(lines.tobytes(), 1)), (b"IEND", b""))
    return b"\x89PNG\r\n\x1a\n" + b"".join(_chunk(kind, data) for kind, data in parts)


def _chunk(kind: bytes, data: bytes) -> bytes:
    """A part of a PNG file."""
    check = zlib.crc32(kind + data)
    return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", check)


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
