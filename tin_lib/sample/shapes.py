"""The ten shapes, as polygons in a square of -1..1.

A shape is a list of parts ``(corners, filled)`` drawn one after the other: corners float64 (M, 2);
``filled`` False cuts the part out again. A flipped shape still belongs to its class.
"""

import numpy as np

Part = tuple[np.ndarray, bool]
Shape = list[Part]


def regular(corners: int, radius: float = 1.0, centre: tuple[float, float] = (0, 0)) -> np.ndarray:
    """Corners (M, 2) of a regular polygon; many corners make a circle."""
    angle = 2 * np.pi * np.arange(corners) / corners
    return np.stack([np.cos(angle), np.sin(angle)], 1) * radius + np.array(centre)


def bar(x0: float, y0: float, x1: float, y1: float) -> Part:
    """A filled upright rectangle."""
    return np.array([[x0, y0], [x1, y0], [x1, y1], [x0, y1]], float), True


def star() -> Shape:
    """A regular polygon with every other corner drawn in."""
    corners = regular(10)
    corners[1::2] *= 0.42
    return [(corners, True)]


def zigzag() -> Shape:
    """A thin line that turns back four times."""
    x = np.array([-0.4, 0.4, -0.4, 0.4, -0.4, 0.4])
    middle = np.stack([x, np.linspace(-0.9, 0.9, 6)], 1)
    across = np.array([0.0, 0.13])
    return [(np.concatenate([middle - across, (middle + across)[::-1]]), True)]


DISC: Shape = [(regular(48), True)]
RING: Shape = [*DISC, (regular(48, 0.6), False)]
CRESCENT: Shape = [*DISC, (regular(48, 0.8, (0.5, 0)), False)]
SQUARE: Shape = [bar(-0.85, -0.85, 0.85, 0.85)]
TRIANGLE: Shape = [(regular(3), True)]
CROSS: Shape = [bar(-1, -0.25, 1, 0.25), bar(-0.25, -1, 0.25, 1)]
RUNGS = [bar(-0.4, y - 0.07, 0.4, y + 0.07) for y in (-0.72, -0.24, 0.24, 0.72)]
LADDER: Shape = [bar(-0.5, -1, -0.36, 1), bar(0.36, -1, 0.5, 1), *RUNGS]
TEETH = [bar(-0.4, y - 0.08, 0.5, y + 0.08) for y in (-0.92, -0.46, 0.0, 0.46, 0.92)]
COMB: Shape = [bar(-0.5, -1, -0.3, 1), *TEETH]

# Class id -> names as words.txt gives them, and the shape. In the order of wnids.txt, which is
# not sorted, like the official file. The ids are made up: WordNet has none that start with n9.
CLASSES: dict[str, tuple[str, Shape]] = {
    "n90000007": ("star, five-pointed star", star()),
    "n90000002": ("ring, hoop", RING),
    "n90000009": ("comb, rake", COMB),
    "n90000004": ("square", SQUARE),
    "n90000001": ("disc, disk", DISC),
    "n90000010": ("zigzag", zigzag()),
    "n90000006": ("cross, plus sign", CROSS),
    "n90000003": ("crescent, half-moon", CRESCENT),
    "n90000008": ("ladder", LADDER),
    "n90000005": ("triangle", TRIANGLE),
}
# words.txt names more than the classes, as the official one does.
OTHER_WORDS = {
    "n90000000": "shape, drawn shape",
    "n90000011": "hexagon",
    "n90000012": "arrow",
    "n90000013": "spiral",
    "n90000014": "oval, ellipse",
}
