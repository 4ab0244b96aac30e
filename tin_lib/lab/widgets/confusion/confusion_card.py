"""The picture of a cell of a confusion matrix: its images, and correct ones of both classes."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from tin_lib.lab.formatting import shorten
from tin_lib.lab.widgets.canvas import FAINT, GAP, Canvas

COLUMNS, ZOOM = 6, 2
TILE = 64 * ZOOM  # side of a tile in pixels
HEAD, CAPTION = 28, 22  # space for a group's title, and for the line below each tile
WIDTH = GAP + COLUMNS * (TILE + GAP)


@dataclass(frozen=True, eq=False)
class Group:
    """Images under one title."""

    title: str
    images: np.ndarray  # uint8 (N, 3, 64, 64)
    captions: Sequence[str]  # N

    @property
    def height(self) -> int:
        """Pixels from the title to the next group's title."""
        rows = -(-len(self.images) // COLUMNS)
        return HEAD + rows * (TILE + CAPTION) + GAP

    def place(self, number: int) -> tuple[int, int]:
        """Return the left of a tile, and its top relative to the group's."""
        row, column = divmod(number, COLUMNS)
        return GAP + column * (TILE + GAP), HEAD + row * (TILE + CAPTION)


def draw(groups: Sequence[Group]) -> Canvas:
    """Draw the picture, the groups below each other."""
    canvas = Canvas(WIDTH, sum(group.height for group in groups))
    top = 0
    for group in groups:
        _draw_group(canvas, group, top)
        top += group.height
    return canvas


def _draw_group(canvas: Canvas, group: Group, top: int) -> None:
    canvas.text(GAP, top + 5, shorten(group.title, 100), 15)
    for number, (pixels, caption) in enumerate(zip(group.images, group.captions, strict=True)):
        x, y = group.place(number)
        canvas.tile(x, top + y, pixels, ZOOM)
        canvas.text(x, top + y + TILE + 3, shorten(caption, 21), 12, FAINT)
