"""Pictures made of image tiles and text with PIL."""

from functools import cache

import numpy as np
from PIL import Image, ImageDraw, ImageFont

from tin_lib.lab.figures.tiles import fast_png

# Dark in every theme, because maps are mostly black. Colours of Okabe and Ito's palette.
BACKGROUND, TEXT, FAINT = "#16181d", "#f2f2f2", "#a8adb7"
RIGHT, WRONG, BOX = "#56B4E9", "#E69F00", "#F0E442"
GAP = 8  # pixels between tiles


@cache
def font(size: int) -> ImageFont.FreeTypeFont | ImageFont.ImageFont:
    """Return PIL's built-in font."""
    return ImageFont.load_default(size)


class Canvas:
    """An RGB picture on which tiles and texts are placed; coordinates in pixels."""

    def __init__(self, width: int, height: int) -> None:
        self.image = Image.new("RGB", (width, height), BACKGROUND)
        self.draw = ImageDraw.Draw(self.image)

    def tile(self, x: int, y: int, pixels: np.ndarray, zoom: int) -> None:
        """Paste an image, uint8 (1 or 3, H, W), enlarged ``zoom`` times."""
        rgb = np.broadcast_to(pixels, (3, *pixels.shape[1:])).transpose(1, 2, 0)
        large = rgb.repeat(zoom, 0).repeat(zoom, 1)
        self.image.paste(Image.fromarray(large), (x, y))

    def text(self, x: int, y: int, text: str, size: int = 13, colour: str = TEXT) -> None:
        """Write one line; x, y is its upper left corner."""
        self.draw.text((x, y), text, colour, font(size))

    def bar(self, x: int, y: int, width: float, height: int, colour: str) -> None:
        """Draw a filled bar."""
        if width >= 1:
            self.draw.rectangle((x, y, x + round(width) - 1, y + height - 1), colour)

    def box(self, x: int, y: int, box: np.ndarray, zoom: int) -> None:
        """Outline inclusive pixels x0, y0, x1, y1 of a tile at x, y; a box of -1 is not drawn."""
        if (box < 0).any():
            return
        x0, y0, x1, y1 = (int(value) for value in box)
        west, north = x + x0 * zoom, y + y0 * zoom
        # At least four pixels wide and high, so that the bright line fits into the dark one.
        east = max(x + (x1 + 1) * zoom - 1, west + 3)
        south = max(y + (y1 + 1) * zoom - 1, north + 3)
        self.draw.rectangle((west, north, east, south), outline="black", width=3)
        self.draw.rectangle((west + 1, north + 1, east - 1, south - 1), outline=BOX, width=1)

    def png(self) -> bytes:
        """Return the picture as a PNG file."""
        return fast_png(np.asarray(self.image))
