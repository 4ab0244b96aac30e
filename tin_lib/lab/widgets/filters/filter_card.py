"""The picture of a filter browser: one filter's made image, its figures, and what excites it."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from tin_lib.lab.widgets.canvas import FAINT, GAP, RIGHT, Canvas, shorten

LARGE, SMALL = 192, 128  # pixels of a tile's side: three and two times the image's
TITLE, HEAD, CAPTION = 46, 26, 38  # room above the first tiles, above a row, and below its tiles
COLUMNS = 6
WIDTH = GAP + COLUMNS * (SMALL + GAP)
FIRST = TITLE + LARGE + GAP  # where the first row's head begins


@dataclass(frozen=True, eq=False)
class Plate:
    """What a picture shows of one filter.

    Attributes:
        title: the filter.
        made: uint8 (3, 64, 64), None while it is not made yet.
        kernel: uint8 (3, h, w) of a first layer's filter, else None.
        figures: lines of text.
        classes: the favourite ones first: name and mean answer in units of the mean of all images.
        patches: uint8 (N, 3, s, s), None where each unit sees the whole image.
        images: uint8 (N, 3, 64, 64) that excite the filter most.
        boxes: int (N, 4) x0, y0, x1, y1, the patches' place in them; -1 for none.
        captions: N pairs of lines.
    """

    title: str
    made: np.ndarray | None
    kernel: np.ndarray | None
    figures: Sequence[str]
    classes: Sequence[tuple[str, float]]
    patches: np.ndarray | None
    images: np.ndarray
    boxes: np.ndarray
    captions: Sequence[tuple[str, str]]

    def words(self) -> list[str]:
        """The picture in words, line by line."""
        lines = [self.title, "; ".join(self.figures)]
        if self.classes:
            told = [f"{name} {times:.1f}" for name, times in self.classes]
            lines.append(f"Favours, in times of its mean answer: {', '.join(told)}")
            told = [f"{answer}, {name}" for answer, name in self.captions]
            lines.append(f"Excited most by {'; '.join(told)}")
        return lines


def zoom_of(side: int, room: int) -> int:
    """How many screen pixels wide a tile's pixels are drawn."""
    return max(1, room // side)


def place(part: str, number: int = 0, patches: bool = True) -> tuple[int, int]:
    """Left and top of a tile: ``made``, ``kernel``, or a numbered one of ``patches`` or ``images``.

    ``patches``: whether the picture has a row of them.
    """
    if part in ("made", "kernel"):
        return GAP + ("made", "kernel").index(part) * (LARGE + GAP), TITLE
    top = FIRST + HEAD
    if part == "images" and patches:
        top += SMALL + GAP + HEAD
    return GAP + number * (SMALL + GAP), top


def draw(plate: Plate) -> Canvas:
    """Compose the picture."""
    bottom = place("images", 0, plate.patches is not None)[1] + SMALL + CAPTION
    canvas = Canvas(WIDTH, bottom)
    canvas.text(GAP, 6, shorten(plate.title, 100), 16)
    _draw_tiles(canvas, plate)
    left = place("made" if plate.kernel is None else "kernel")[0] + LARGE + 2 * GAP
    for number, line in enumerate(plate.figures):
        canvas.text(left, TITLE + 20 * number, line)
    _draw_classes(canvas, plate.classes, left + 210)
    if plate.patches is not None:
        _draw_patches(canvas, plate.patches)
    _draw_images(canvas, plate)
    return canvas


def _draw_tiles(canvas: Canvas, plate: Plate) -> None:
    x, y = place("made")
    canvas.text(x, y - 17, "made to excite it", colour=FAINT)
    if plate.made is None:
        canvas.text(x + 12, y + 80, "being made …")
    else:
        canvas.tile(x, y, plate.made, LARGE // 64)
    if plate.kernel is not None:
        x, y = place("kernel")
        canvas.text(x, y - 17, "kernel, gray is zero", colour=FAINT)
        canvas.tile(x, y, plate.kernel, zoom_of(plate.kernel.shape[1], LARGE))


def _draw_classes(canvas: Canvas, classes: Sequence[tuple[str, float]], left: int) -> None:
    """Bars as long as the mean answer to a class."""
    canvas.text(left, TITLE - 17, "classes it favours (mean: 1)", colour=FAINT)
    for rank, (name, times) in enumerate(classes):
        y = TITLE + rank * 34
        canvas.text(left, y, shorten(f"{times:.1f}  {name}", 29))
        canvas.bar(left, y + 18, 180 * times / max(classes[0][1], 1e-9), 4, RIGHT)


def _draw_patches(canvas: Canvas, patches: np.ndarray) -> None:
    canvas.text(GAP, FIRST + 7, "patches that excite it most, as far as it sees", colour=FAINT)
    for number, patch in enumerate(patches):
        canvas.tile(*place("patches", number), patch, zoom_of(patch.shape[1], SMALL))


def _draw_images(canvas: Canvas, plate: Plate) -> None:
    rows = plate.patches is not None
    words = "and their images" if rows else "images that excite it most; it sees all of each"
    canvas.text(GAP, place("images", 0, rows)[1] - HEAD + 7, words, colour=FAINT)
    for number, (pixels, box) in enumerate(zip(plate.images, plate.boxes)):
        x, y = place("images", number, rows)
        canvas.tile(x, y, pixels, SMALL // 64)
        canvas.box(x, y, box, SMALL // 64)
        for line, caption in enumerate(plate.captions[number]):
            canvas.text(x, y + SMALL + 3 + 16 * line, shorten(caption, 20), 12, FAINT)


def waiting(title: str) -> Canvas:
    """The picture until a layer is surveyed."""
    canvas = Canvas(WIDTH, FIRST)
    canvas.text(GAP, 6, shorten(title, 100), 16)
    canvas.text(GAP, TITLE + 20, "The network is being shown images …")
    return canvas
