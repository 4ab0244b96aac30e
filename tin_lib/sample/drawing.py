"""Draws one image of the sample: a cluttered ground, and on it a shape whose box is known."""

from io import BytesIO
from typing import NamedTuple

import numpy as np
from PIL import Image, ImageDraw

Part = tuple[np.ndarray, bool]  # corners (M, 2) in -1..1; False cuts the part out again
Shape = list[Part]
Random = np.random.Generator
SIZE = 64  # pixels a side
FINE = 4  # masks are drawn this many times finer, then averaged
QUALITY = 85  # of the JPEG
GRAY_SHARE = 0.02  # of the files; 1.8 % of the real training images

# Chosen so that small networks learn most of the sample, not all, in half a minute.
RADIUS = (11.0, 27.0)  # pixels from a shape's middle to its farthest corner, before stretching
TURN = 35.0  # degrees, the largest rotation either way
STRETCH = (0.65, 1.0)  # width over height
GROUND = (30.0, 150.0)  # range of a ground's mean colour, in 0..255 as all that follow
PATCHES = 20.0  # deviation of the ground's smooth patches from its mean
STROKES = (5, 12)  # number of strokes on a ground
INK = 32.0  # deviation of a stroke's colour from the ground's mean
LIGHTER = 45.0  # a shape is lighter than the ground under it by this or more
SHADE = 15.0  # largest change of a shape's colour from the image's middle to a side
NOISE = 8.0  # deviation of the pixel noise


class Drawing(NamedTuple):
    """One image file: its JPEG bytes, and its shape's box x0, y0, x1, y1 (inclusive pixels)."""

    data: bytes
    box: tuple[int, int, int, int]


def draw(shape: Shape, rng: Random) -> Drawing:
    """A 64×64 JPEG of ``shape`` with random size, place, rotation, stretch, colour and ground."""
    cover = cover_of(shape, rng)
    pixels = paint(_ground(rng), cover, rng)
    mode = "L" if rng.random() < GRAY_SHARE else "RGB"
    Image.fromarray(pixels).convert(mode).save(file := BytesIO(), "JPEG", quality=QUALITY)
    return Drawing(file.getvalue(), box_of(cover))


def box_of(cover: np.ndarray) -> tuple[int, int, int, int]:
    """Smallest inclusive box x0, y0, x1, y1 around the pixels with at least half the top cover."""
    rows, columns = np.nonzero(cover >= cover.max() / 2)
    return int(columns.min()), int(rows.min()), int(columns.max()), int(rows.max())


def cover_of(shape: Shape, rng: Random) -> np.ndarray:
    """Share of each pixel that the shape covers, float64 (64,64) in 0..1."""
    radius = np.exp(rng.uniform(*np.log(RADIUS)))  # as many small ones as large ones
    margin = 0.7 * radius  # so that some are cut by the border
    angle = np.deg2rad(rng.uniform(-TURN, TURN))
    turn = np.array([[np.cos(angle), -np.sin(angle)], [np.sin(angle), np.cos(angle)]])
    matrix = turn @ np.diag([rng.uniform(*STRETCH), 1.0]) * radius
    centre = rng.uniform(margin, SIZE - margin, 2)
    canvas = Image.new("L", (SIZE * FINE, SIZE * FINE))
    pen = ImageDraw.Draw(canvas)
    for corners, filled in shape:
        places = (corners @ matrix.T + centre) * FINE
        pen.polygon([tuple(place) for place in places.tolist()], fill=255 if filled else 0)
    return np.asarray(canvas.reduce(FINE), float) / 255


def _ground(rng: Random) -> np.ndarray:
    """A smooth coloured ground with strokes on it, float64 (64,64,3) in 0..255."""
    base = rng.uniform(*GROUND, 3)
    patches = np.clip(base + rng.normal(0, PATCHES, (4, 4, 3)), 0, 255).astype(np.uint8)
    side = SIZE * 2
    ground = Image.fromarray(patches).resize((side, side), Image.Resampling.BICUBIC)
    pen = ImageDraw.Draw(ground)
    for _ in range(rng.integers(*STROKES, endpoint=True)):
        _stroke(pen, base, side, rng)
    return np.asarray(ground.reduce(2), float)


def _stroke(pen: ImageDraw.ImageDraw, base: np.ndarray, side: int, rng: Random) -> None:
    """One line, arc, box or blob in a colour near the ground's."""
    ink = tuple(np.clip(base + rng.normal(0, INK, 3), 0, 255).astype(int).tolist())
    start = rng.uniform(0, side, 2)
    end = start + rng.normal(0, side / 5, 2)
    ends = (*np.minimum(start, end).tolist(), *np.maximum(start, end).tolist())
    width = int(rng.integers(2, 7))
    match rng.integers(4):
        case 0:
            pen.line((*start.tolist(), *end.tolist()), ink, width)
        case 1:
            first = rng.uniform(0, 360)
            pen.arc(ends, first, first + rng.uniform(60, 200), ink, width)
        case 2:
            pen.rectangle(ends, ink)
        case _:
            pen.ellipse(ends, ink)


def paint(ground: np.ndarray, cover: np.ndarray, rng: Random) -> np.ndarray:
    """The shape in one shaded colour over the ground, with noise; uint8 (64,64,3)."""
    cover = cover[..., None]
    inside = (ground * cover).sum((0, 1)) / cover.sum()
    colour = inside + LIGHTER + rng.uniform(0, 1, 3) * (255 - LIGHTER - inside)
    down, across = np.linspace(-1, 1, SIZE) * rng.uniform(-SHADE, SHADE, (2, 1))
    painted = ground + cover * (colour + np.add.outer(down, across)[..., None] - ground)
    painted += rng.normal(0, NOISE, painted.shape)
    return np.clip(np.rint(painted), 0, 255).astype(np.uint8)


def regular(corners: int, radius: float = 1.0, centre: tuple[float, float] = (0, 0)) -> np.ndarray:
    """Corners (M, 2) of a regular polygon; many corners make a circle."""
    angle = 2 * np.pi * np.arange(corners) / corners
    return np.stack([np.cos(angle), np.sin(angle)], 1) * radius + np.array(centre)


def bar(x0: float, y0: float, x1: float, y1: float) -> Part:
    """A filled upright rectangle."""
    return np.array([[x0, y0], [x1, y0], [x1, y1], [x0, y1]], float), True


STAR = regular(10) * np.array([1, 0.42] * 5)[:, None]  # every other corner drawn in
TURNS = np.stack([[-0.4, 0.4] * 3, np.linspace(-0.9, 0.9, 6)], 1)  # of a line, back four times
WIDE = np.array([0, 0.13])  # half of its width
ZIGZAG = np.concatenate([TURNS - WIDE, (TURNS + WIDE)[::-1]])
DISC: Shape = [(regular(48), True)]
RUNGS = [bar(-0.4, y - 0.07, 0.4, y + 0.07) for y in (-0.72, -0.24, 0.24, 0.72)]
TEETH = [bar(-0.4, y - 0.08, 0.5, y + 0.08) for y in (-0.92, -0.46, 0.0, 0.46, 0.92)]

# Class id -> names as words.txt gives them, and the shape. In the order of wnids.txt, which is
# not sorted, like the official file. The ids are made up: WordNet has none that start with n9.
CLASSES: dict[str, tuple[str, Shape]] = {
    "n90000007": ("star, five-pointed star", [(STAR, True)]),
    "n90000002": ("ring, hoop", [*DISC, (regular(48, 0.6), False)]),
    "n90000009": ("comb, rake", [bar(-0.5, -1, -0.3, 1), *TEETH]),
    "n90000004": ("square", [bar(-0.85, -0.85, 0.85, 0.85)]),
    "n90000001": ("disc, disk", DISC),
    "n90000010": ("zigzag", [(ZIGZAG, True)]),
    "n90000006": ("cross, plus sign", [bar(-1, -0.25, 1, 0.25), bar(-0.25, -1, 0.25, 1)]),
    "n90000003": ("crescent, half-moon", [*DISC, (regular(48, 0.8, (0.5, 0)), False)]),
    "n90000008": ("ladder", [bar(-0.5, -1, -0.36, 1), bar(0.36, -1, 0.5, 1), *RUNGS]),
    "n90000005": ("triangle", [(regular(3), True)]),
}
# words.txt names more than the classes, as the official one does.
OTHER_WORDS = {
    "n90000000": "shape, drawn shape",
    "n90000011": "hexagon",
    "n90000012": "arrow",
    "n90000013": "spiral",
    "n90000014": "oval, ellipse",
}
