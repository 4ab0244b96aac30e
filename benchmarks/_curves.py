"""A picture of accuracy against minutes, as SVG without a library: it is drawn on any machine.

Readable on GitHub in both themes: its own white background, dark text of 15 pixels and more.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from html import escape

WIDTH, HEIGHT = 900, 560
LEFT, TOP, RIGHT, BOTTOM = 72, 152, 782, 496  # of the plot; the right margin names the reference
INK, GRID, REFERENCE = "#1f2328", "#d0d7de", "#57606a"
BLUE, ORANGE = "#0550ae", "#bc4c00"  # colour-blind people tell them apart too
Points = Sequence[tuple[float, float]]  # minutes, accuracy in 0..1


@dataclass(frozen=True)
class Group:
    """Curves with one entry in the legend."""

    text: str
    colour: str
    curves: Sequence[Points]
    dots: bool = False  # at every point, instead of only at the last


@dataclass(frozen=True)
class Reference:
    """A dashed horizontal line."""

    value: float
    short: str  # at its end
    text: str  # in the legend


def svg(title: str, subtitle: str, groups: Sequence[Group], reference: Reference) -> str:
    """The picture as a text."""
    points = [point for group in groups for curve in group.curves for point in curve]
    scale = Scale(
        max(minutes for minutes, _ in points),
        math.ceil(10 * max(reference.value, *(y for _, y in points)) + 0.2) / 10,
    )
    parts = [
        text(LEFT, 34, title, size=20, weight="bold"),
        text(LEFT, 58, subtitle),
        *axes(scale),
        *dashed(scale, reference),
        *(part for group in groups for part in drawn(scale, group)),
        *legend(groups, reference),
    ]
    head = (
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {WIDTH} {HEIGHT}" width="{WIDTH}" '
        f'height="{HEIGHT}" role="img" font-family="Helvetica, Arial, sans-serif">'
    )
    background = f'<rect width="{WIDTH}" height="{HEIGHT}" fill="#ffffff"/>'
    lines = [head, f"<title>{escape(title)}</title>", background, *parts, "</svg>"]
    return "\n".join(lines) + "\n"


@dataclass(frozen=True)
class Scale:
    """From minutes and accuracies to pixels."""

    minutes: float  # at the right end
    accuracy: float  # at the top

    def x(self, minutes: float) -> float:
        """Pixels from the left."""
        return LEFT + (RIGHT - LEFT) * minutes / self.minutes

    def y(self, accuracy: float) -> float:
        """Pixels from the top."""
        return BOTTOM - (BOTTOM - TOP) * accuracy / self.accuracy


def ticks(end: float) -> list[float]:
    """At most nine round numbers from 0 to ``end``: steps of 1, 2 or 5 times a power of ten."""
    power = 10.0 ** math.floor(math.log10(end))
    steps = [f * power * p for p in (0.1, 1) for f in (1, 2, 5)]
    step = next(step for step in steps if end / step <= 8.001)
    return [round(k * step, 10) for k in range(int(end / step + 1.001))]


def axes(scale: Scale) -> Iterable[str]:
    """Grid, numbers and names of both axes."""
    for accuracy in ticks(scale.accuracy):
        y = scale.y(accuracy)
        yield line((LEFT, y), (RIGHT, y), GRID)
        yield text(LEFT - 10, y + 5, f"{accuracy:.1f}", anchor="end")
    for minutes in ticks(scale.minutes):
        x = scale.x(minutes)
        yield line((x, BOTTOM), (x, BOTTOM + 6), INK)
        yield text(x, BOTTOM + 24, f"{minutes:g}", anchor="middle")
    yield line((LEFT, BOTTOM), (RIGHT, BOTTOM), INK)
    middle = (TOP + BOTTOM) / 2
    yield text((LEFT + RIGHT) / 2, BOTTOM + 50, "minutes of training", anchor="middle")
    turned = f'transform="rotate(-90 24 {middle:g})"'
    yield text(24, middle, "validation accuracy", anchor="middle", more=turned)


def dashed(scale: Scale, reference: Reference) -> Iterable[str]:
    """The reference's line, with its name at the end."""
    y = scale.y(reference.value)
    yield line((LEFT, y), (RIGHT, y), REFERENCE, 'stroke-width="2" stroke-dasharray="8 5"')
    yield text(RIGHT + 8, y + 5, reference.short, colour=REFERENCE)


def drawn(scale: Scale, group: Group) -> Iterable[str]:
    """The group's curves: thin lines with dots."""
    for curve in group.curves:
        places = [(scale.x(minutes), scale.y(accuracy)) for minutes, accuracy in curve]
        path = " ".join(f"{x:.1f},{y:.1f}" for x, y in places)
        style = f'fill="none" stroke="{group.colour}" stroke-width="1.6" stroke-linejoin="round"'
        yield f'<polyline points="{path}" {style}/>'
        for x, y in places if group.dots else places[-1:]:
            yield f'<circle cx="{x:.1f}" cy="{y:.1f}" r="3.5" fill="{group.colour}"/>'


def legend(groups: Sequence[Group], reference: Reference) -> Iterable[str]:
    """A row for each group and one for the reference, above the plot: nothing is covered."""
    rows = [(group.colour, group.text, 'stroke-width="3"') for group in groups]
    rows.append((REFERENCE, reference.text, 'stroke-width="2" stroke-dasharray="8 5"'))
    for row, (colour, words, style) in enumerate(rows):
        y = 84 + 22 * row
        yield line((LEFT, y), (LEFT + 34, y), colour, style)
        yield text(LEFT + 44, y + 5, words)


def line(start: tuple[float, float], end: tuple[float, float], colour: str, more: str = "") -> str:
    """A straight line."""
    (x1, y1), (x2, y2) = start, end
    ends = f'x1="{x1:.1f}" y1="{y1:.1f}" x2="{x2:.1f}" y2="{y2:.1f}"'
    return f'<line {ends} stroke="{colour}" {more}/>'


def text(x: float, y: float, words: str, size: int = 15, colour: str = INK, **style: str) -> str:
    """Words at a place; style: anchor (start, middle, end), weight, more (attributes)."""
    anchor, weight = style.get("anchor", "start"), style.get("weight", "normal")
    font = f'font-size="{size}" font-weight="{weight}" text-anchor="{anchor}" fill="{colour}"'
    return f'<text x="{x:.1f}" y="{y:.1f}" {font} {style.get("more", "")}>{escape(words)}</text>'
