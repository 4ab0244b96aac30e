"""The picture of a saliency browser: image, preprocessed image, and a row for each network."""

from dataclasses import dataclass
from typing import Any

import numpy as np
import torch

from tin_lib import augment
from tin_lib.analysis import saliency
from tin_lib.analysis.saliency.store import CHANNELS
from tin_lib.lab.widgets.canvas import FAINT, GAP, RIGHT, TEXT, WRONG, Canvas, shorten

LARGE, SMALL = 192, 128  # pixels of a tile's side: three and two times the image's
TITLE, HEAD = 46, 18  # room above the first tiles, and above the first row's
ROW = SMALL + GAP
TILES = ("overlay", *CHANNELS)
NOTES = GAP + len(TILES) * (SMALL + GAP)  # where the texts beside a row begin
WIDTH = NOTES + 320
TOP = TITLE + LARGE + GAP  # where the first row's head begins


@dataclass(frozen=True, eq=False)
class Row:
    """A network's and method's part of the picture."""

    title: str
    views: np.ndarray  # uint8 (7, 64, 64)
    best: list[tuple[str, float, bool]]  # up to five: class, probability, whether it is right


@dataclass(frozen=True, eq=False)
class Subject:
    """The image a picture is about."""

    title: str
    pixels: np.ndarray  # uint8 (3, 64, 64)
    inputs: np.ndarray  # uint8 (3, 64, 64), the preprocessed image for display
    box: np.ndarray | None  # x0, y0, x1, y1, or None for no outline


def subject(title: str, pixels: np.ndarray, fit: Any, box: np.ndarray | None) -> Subject:
    """Prepare an image, uint8 (3, 64, 64), with a fit's normalisation."""
    batch = torch.from_numpy(np.array(pixels)[None])
    inputs = augment.normalise(batch, fit.mean, fit.std)
    return Subject(title, np.array(pixels), saliency.preprocessed(inputs)[0], box)


def place(row: int, tile: str) -> tuple[int, int, int]:
    """Left, top and zoom of a tile: ``overlay``, ``absolute``, ``positive``, ``negative`` of a
    row, or ``original``, ``preprocessed`` (row -1)."""
    if row < 0:
        return GAP + ("original", "preprocessed").index(tile) * (LARGE + GAP), TITLE, 3
    return GAP + TILES.index(tile) * (SMALL + GAP), TOP + HEAD + row * ROW, 2


def draw(about: Subject, rows: list[Row], strength: float) -> Canvas:
    """Compose the picture; ``strength`` 0..1 of the map over the image."""
    canvas = Canvas(WIDTH, TOP + HEAD + max(len(rows), 1) * ROW)
    canvas.text(GAP, 6, shorten(about.title, 110), 16)
    for name, pixels in (("original", about.pixels), ("preprocessed", about.inputs)):
        x, y, zoom = place(-1, name)
        canvas.text(x, y - 17, name, colour=FAINT)
        canvas.tile(x, y, pixels, zoom)
        if about.box is not None:
            canvas.box(x, y, about.box, zoom)
    for name in TILES:
        canvas.text(place(0, name)[0], TOP, name, colour=FAINT)
    for number, row in enumerate(rows):
        _draw_row(canvas, about, row, number, strength)
    return canvas


def _draw_row(canvas: Canvas, about: Subject, row: Row, number: int, strength: float) -> None:
    absolute = row.views[CHANNELS["absolute"]]
    laid = saliency.overlay(about.pixels[None], absolute, strength)[0]
    tiles = {"overlay": laid} | {name: row.views[part] for name, part in CHANNELS.items()}
    for name, pixels in tiles.items():
        x, y, zoom = place(number, name)
        canvas.tile(x, y, pixels, zoom)
        if about.box is not None:
            canvas.box(x, y, about.box, zoom)
    _draw_best(canvas, row, place(number, "overlay")[1])


def _draw_best(canvas: Canvas, row: Row, top: int) -> None:
    """The top five with bars; the right class is marked in words, and by colour."""
    canvas.text(NOTES, top, row.title, 14)
    for rank, (name, probability, right) in enumerate(row.best):
        y = top + 24 + rank * 20
        canvas.bar(NOTES, y + 15, probability * 300, 3, RIGHT if right else WRONG)
        mark, colour = (" (its label)", RIGHT) if right else ("", TEXT)
        canvas.text(NOTES, y, f"{probability:5.1%}", colour=TEXT)
        canvas.text(NOTES + 52, y, shorten(name, 32 - len(mark)) + mark, colour=colour)
