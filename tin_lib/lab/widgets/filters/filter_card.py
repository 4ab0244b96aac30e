"""The picture of a filter browser: a filter's maximising image, figures and top activations."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from tin_lib.lab.formatting import shorten
from tin_lib.lab.widgets.canvas import FAINT, GAP, RIGHT, Canvas

LARGE, SMALL = 192, 128  # side of a tile in pixels: three and two times the image's
TITLE, HEAD, CAPTION = 46, 26, 38  # space above the first tiles, above a row, below its tiles
COLUMNS = 6
WIDTH = GAP + COLUMNS * (SMALL + GAP)
FIRST = TITLE + LARGE + GAP  # top of the first row's heading


@dataclass(frozen=True, eq=False)
class FilterCard:
    """The content of a filter's picture.

    Attributes:
        title: the filter.
        optimised: its maximising image, uint8 (3, 64, 64); None until it is computed.
        kernel: uint8 (3, h, w) of a first layer's filter, else None.
        figures: lines of text.
        classes: name and mean activation, relative to that of all images; the highest first.
        patches: uint8 (N, 3, s, s); None if the receptive field is the whole image.
        images: uint8 (N, 3, 64, 64) with the highest activations.
        boxes: int (N, 4) x0, y0, x1, y1, the patches' positions in them; -1 for none.
        captions: N pairs of lines.
    """

    title: str
    optimised: np.ndarray | None
    kernel: np.ndarray | None
    figures: Sequence[str]
    classes: Sequence[tuple[str, float]]
    patches: np.ndarray | None
    images: np.ndarray
    boxes: np.ndarray
    captions: Sequence[tuple[str, str]]

    def lines(self) -> list[str]:
        """Describe the picture in lines of text."""
        lines = [self.title, "; ".join(self.figures)]
        if self.classes:
            classes = [f"{name} {times:.1f}" for name, times in self.classes]
            lines.append(
                f"Preferred classes, relative to its mean activation: {', '.join(classes)}"
            )
            images = [f"{activation}, {name}" for activation, name in self.captions]
            lines.append(f"Highest activations: {'; '.join(images)}")
        return lines


def zoom_of(side: int, space: int) -> int:
    """Return the whole factor by which a tile is enlarged."""
    return max(1, space // side)


def place(part: str, number: int = 0, patches: bool = True) -> tuple[int, int]:
    """Return left and top of a tile: ``optimised``, ``kernel``, or a numbered one of ``patches`` or
    ``images``. ``patches``: whether the picture has a row of them."""
    if part in ("optimised", "kernel"):
        return GAP + ("optimised", "kernel").index(part) * (LARGE + GAP), TITLE
    top = FIRST + HEAD
    if part == "images" and patches:
        top += SMALL + GAP + HEAD
    return GAP + number * (SMALL + GAP), top


def draw(card: FilterCard) -> Canvas:
    """Draw the picture."""
    bottom = place("images", 0, card.patches is not None)[1] + SMALL + CAPTION
    canvas = Canvas(WIDTH, bottom)
    canvas.text(GAP, 6, shorten(card.title, 100), 16)
    _draw_tiles(canvas, card)
    left = place("optimised" if card.kernel is None else "kernel")[0] + LARGE + 2 * GAP
    for number, line in enumerate(card.figures):
        canvas.text(left, TITLE + 20 * number, line)
    _draw_classes(canvas, card.classes, left + 210)
    if card.patches is not None:
        _draw_patches(canvas, card.patches)
    _draw_images(canvas, card)
    return canvas


def _draw_tiles(canvas: Canvas, card: FilterCard) -> None:
    x, y = place("optimised")
    canvas.text(x, y - 17, "maximising image", colour=FAINT)
    if card.optimised is None:
        canvas.text(x + 12, y + 80, "being computed …")
    else:
        canvas.tile(x, y, card.optimised, LARGE // 64)
    if card.kernel is not None:
        x, y = place("kernel")
        canvas.text(x, y - 17, "kernel (gray: zero)", colour=FAINT)
        canvas.tile(x, y, card.kernel, zoom_of(card.kernel.shape[1], LARGE))


def _draw_classes(canvas: Canvas, classes: Sequence[tuple[str, float]], left: int) -> None:
    """Draw a bar for the mean activation of each class."""
    canvas.text(left, TITLE - 17, "preferred classes (mean: 1)", colour=FAINT)
    for rank, (name, times) in enumerate(classes):
        y = TITLE + rank * 34
        canvas.text(left, y, shorten(f"{times:.1f}  {name}", 29))
        canvas.bar(left, y + 18, 180 * times / max(classes[0][1], 1e-9), 4, RIGHT)


def _draw_patches(canvas: Canvas, patches: np.ndarray) -> None:
    canvas.text(GAP, FIRST + 7, "highest activations: the receptive fields", colour=FAINT)
    for number, patch in enumerate(patches):
        canvas.tile(*place("patches", number), patch, zoom_of(patch.shape[1], SMALL))


def _draw_images(canvas: Canvas, card: FilterCard) -> None:
    rows = card.patches is not None
    heading = "their images" if rows else "highest activations; the receptive field is the image"
    canvas.text(GAP, place("images", 0, rows)[1] - HEAD + 7, heading, colour=FAINT)
    for number, (pixels, box) in enumerate(zip(card.images, card.boxes)):
        x, y = place("images", number, rows)
        canvas.tile(x, y, pixels, SMALL // 64)
        canvas.box(x, y, box, SMALL // 64)
        for line, caption in enumerate(card.captions[number]):
            canvas.text(x, y + SMALL + 3 + 16 * line, shorten(caption, 20), 12, FAINT)


def waiting(title: str) -> Canvas:
    """Draw the picture for a layer that is not surveyed yet."""
    canvas = Canvas(WIDTH, FIRST)
    canvas.text(GAP, 6, shorten(title, 100), 16)
    canvas.text(GAP, TITLE + 20, "The network is being shown images …")
    return canvas
