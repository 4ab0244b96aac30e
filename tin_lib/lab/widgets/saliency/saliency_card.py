"""The picture of a saliency browser: image, preprocessed image, and a row for each network."""

import textwrap
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch

from tin_lib import augment
from tin_lib.analysis import saliency
from tin_lib.analysis.saliency.store import CHANNELS
from tin_lib.lab.formatting import shorten
from tin_lib.lab.widgets.canvas import FAINT, GAP, RIGHT, TEXT, WRONG, Canvas

LARGE, SMALL = 192, 128  # side of a tile in pixels: three and two times the image's
TITLE, HEAD = 46, 18  # space above the first tiles, and above those of the first row
ROW = SMALL + GAP
TILES = ("overlay", *CHANNELS)
NOTES = GAP + len(TILES) * (SMALL + GAP)  # left of the texts beside a row
WIDTH = NOTES + 320
TOP = TITLE + LARGE + GAP  # top of the first row's headings


@dataclass(frozen=True, eq=False)
class CardRow:
    """The part of the picture for one network and method."""

    title: str
    views: np.ndarray | None  # uint8 (7, 64, 64)
    best: list[tuple[str, float, bool]]  # up to five: class, probability, whether it is correct
    note: str = ""  # why there are no views


@dataclass(frozen=True, eq=False)
class Subject:
    """The image that is explained."""

    title: str
    pixels: np.ndarray  # uint8 (3, 64, 64)
    inputs: np.ndarray  # uint8 (3, 64, 64), preprocessed, for display
    box: np.ndarray | None  # x0, y0, x1, y1; None or -1: no outline


def prepare(title: str, pixels: np.ndarray, fit: Any, box: np.ndarray | None) -> Subject:
    """Return the subject of an image, uint8 (3, 64, 64), preprocessed as for a fit."""
    batch = torch.from_numpy(np.array(pixels)[None])
    inputs = augment.normalise(batch, fit.mean, fit.std)
    return Subject(title, np.array(pixels), saliency.preprocessed(inputs)[0], box)


def place(row: int, tile: str) -> tuple[int, int, int]:
    """Return left, top and zoom of a tile: ``overlay``, ``absolute``, ``positive`` or ``negative``
    of a row; ``original`` or ``preprocessed`` of row -1."""
    if row < 0:
        return GAP + ("original", "preprocessed").index(tile) * (LARGE + GAP), TITLE, 3
    return GAP + TILES.index(tile) * (SMALL + GAP), TOP + HEAD + row * ROW, 2


def draw(subject: Subject, rows: list[CardRow], strength: float) -> Canvas:
    """Draw the picture; ``strength``: 0..1, of the map laid over the image."""
    canvas = Canvas(WIDTH, TOP + HEAD + max(len(rows), 1) * ROW)
    canvas.text(GAP, 6, shorten(subject.title, 110), 16)
    for name, pixels in (("original", subject.pixels), ("preprocessed", subject.inputs)):
        x, y, zoom = place(-1, name)
        canvas.text(x, y - 17, name, colour=FAINT)
        canvas.tile(x, y, pixels, zoom)
        if subject.box is not None:
            canvas.box(x, y, subject.box, zoom)
    for name in TILES:
        canvas.text(place(0, name)[0], TOP, name, colour=FAINT)
    for number, row in enumerate(rows):
        _draw_row(canvas, subject, row, number, strength)
    return canvas


def _draw_row(canvas: Canvas, subject: Subject, row: CardRow, number: int, strength: float) -> None:
    _draw_best(canvas, row, place(number, "overlay")[1])
    if row.views is None:
        x, y, _ = place(number, "overlay")
        for line, text in enumerate(textwrap.wrap(row.note, 80)):
            canvas.text(x, y + 20 * line, text, colour=FAINT)
        return
    absolute = row.views[CHANNELS["absolute"]]
    laid = saliency.overlay(subject.pixels[None], absolute, strength)[0]
    tiles = {"overlay": laid} | {name: row.views[part] for name, part in CHANNELS.items()}
    for name, pixels in tiles.items():
        x, y, zoom = place(number, name)
        canvas.tile(x, y, pixels, zoom)
        if subject.box is not None:
            canvas.box(x, y, subject.box, zoom)


def _draw_best(canvas: Canvas, row: CardRow, top: int) -> None:
    """Write the top five with bars; text and colour mark the correct class."""
    canvas.text(NOTES, top, row.title, 14)
    for rank, (name, probability, correct) in enumerate(row.best):
        y = top + 24 + rank * 20
        canvas.bar(NOTES, y + 15, probability * 300, 3, RIGHT if correct else WRONG)
        mark, colour = (" (its label)", RIGHT) if correct else ("", TEXT)
        canvas.text(NOTES, y, f"{probability:5.1%}", colour=TEXT)
        canvas.text(NOTES + 52, y, shorten(name, 32 - len(mark)) + mark, colour=colour)
