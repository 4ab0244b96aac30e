"""Small static pictures of a notebook's figures for the report's contents: SVG, or a PNG of images.

A sketch without text: points, lines, intervals, bars and cells at their places.
"""

import base64
import io
import math
import re
from dataclasses import dataclass
from typing import Any

from PIL import Image

from tin_lib.runner.report import plots

WIDTH, HEIGHT, EDGE = 180, 120, 6  # pixels, and the space around what is drawn
MOST_POINTS = 400  # of a trace
COLOURS = ("#0072B2", "#E69F00", "#009E73", "#CC79A7", "#D55E00", "#56B4E9", "#8C8C8C")


@dataclass
class Axis:
    """Where the values of one axis lie, in 0..1 of the drawing."""

    layout: dict[str, Any]
    names: list[str]  # categories in their order; empty for numbers
    low: float = math.inf
    high: float = -math.inf

    def number(self, value: Any) -> float | None:
        """A value as a number on the axis; None if it has no place there."""
        if isinstance(value, str):
            return float(self.names.index(value)) if value in self.names else None
        if value is None or value != value or isinstance(value, bool):
            return None
        if self.layout.get("type") == "log":
            return math.log10(value) if value > 0 else None
        return float(value)

    def include(self, value: Any) -> None:
        """Widen the axis to the value."""
        number = self.number(value)
        if number is not None:
            self.low, self.high = min(self.low, number), max(self.high, number)

    def finish(self) -> None:
        """Take the figure's own range if it has one; else leave some space at both ends."""
        given = self.layout.get("range")
        if given and all(isinstance(end, int | float) for end in given):
            self.low, self.high = given
        elif self.low <= self.high:
            space = 0.5 if self.names else 0.04 * (self.high - self.low or 1)
            self.low, self.high = self.low - space, self.high + space
            if self.layout.get("autorange") == "reversed":
                self.low, self.high = self.high, self.low

    def place(self, value: Any) -> float | None:
        """A value's place, 0..1 from the axis' start within its part of the drawing."""
        number = self.number(value)
        if number is None or self.low == self.high or math.isinf(self.low):
            return None
        start, end = self.layout.get("domain") or (0, 1)
        return start + (end - start) * (number - self.low) / (self.high - self.low)


def thumbnail(figure: dict[str, Any]) -> str:
    """A plotly figure's picture as HTML; empty if there is nothing to draw."""
    traces = [trace for trace in figure.get("data", []) if trace.get("visible", True) is True]
    for trace in traces:
        if trace.get("type") == "image" and str(trace.get("source", "")).startswith("data:image/"):
            return picture(str(trace["source"]).partition(",")[2])
    axes = {key: axis(figure, key) for key in axis_keys(traces)}
    drawn = "".join(shapes(trace, number, axes) for number, trace in enumerate(traces))
    if not drawn:
        return ""
    return (
        f'<svg class="thumbnail" viewBox="0 0 {WIDTH} {HEIGHT}" width="{WIDTH}" height="{HEIGHT}" '
        f'aria-hidden="true">{drawn}</svg>'
    )


def picture(content: str) -> str:
    """The upper left part of a picture, given in base64, as an ``img`` with a PNG of its own."""
    try:
        image = Image.open(io.BytesIO(base64.b64decode(content))).convert("RGBA")
    except (OSError, ValueError):
        return ""
    scale = max(1.0, min(image.width / WIDTH, image.height / HEIGHT))
    width, height = min(image.width, round(WIDTH * scale)), min(image.height, round(HEIGHT * scale))
    part = image.crop((0, 0, width, height))
    part.thumbnail((WIDTH, HEIGHT), Image.Resampling.BILINEAR)
    buffer = io.BytesIO()
    part.save(buffer, "PNG", optimize=True)
    source = base64.b64encode(buffer.getvalue()).decode("ascii")
    return (
        f'<img class="thumbnail" alt="" width="{part.width}" height="{part.height}" '
        f'src="data:image/png;base64,{source}">'
    )


def axis_keys(traces: list[dict[str, Any]]) -> set[str]:
    """The names of the axes that the traces use, ``x``, ``y2`` and so on."""
    return {str(trace.get(f"{letter}axis", letter)) for trace in traces for letter in "xy"}


def axis(figure: dict[str, Any], key: str) -> Axis:
    """One axis of the figure, as wide as its traces need."""
    letter = key[0]
    layout = figure.get("layout", {}).get(f"{letter}axis{key[1:]}", {})
    mine = [t for t in figure["data"] if str(t.get(f"{letter}axis", letter)) == key]
    found = [value for trace in mine for value in plots.values(trace.get(letter))]
    words = dict.fromkeys(str(value) for value in found if isinstance(value, str))
    made = Axis(layout, list(layout.get("categoryarray") or words) if words else [])
    for value in [*found, *(end for trace in mine for end in ends(trace, letter))]:
        made.include(value)
    for trace in mine:
        if trace.get("type") == "bar" and (trace.get("orientation") == "h") == (letter == "x"):
            made.include(0)
    made.finish()
    return made


def ends(trace: dict[str, Any], letter: str) -> list[float]:
    """The ends of a trace's intervals on numbers."""
    centres = plots.values(trace.get(letter))
    return [
        centre + sign * size
        for sign, name in ((1, "array"), (-1, "arrayminus"))
        for centre, size in zip(centres, reach(trace, letter, name), strict=False)
        if isinstance(centre, int | float) and size is not None
    ]


def reach(trace: dict[str, Any], letter: str, name: str) -> list[Any]:
    """The lengths of error bars in one direction: ``array``, or ``arrayminus`` if it differs."""
    error = trace.get(f"error_{letter}") or {}
    return plots.values(error.get(name)) or plots.values(error.get("array"))


def shapes(trace: dict[str, Any], number: int, axes: dict[str, Axis]) -> str:
    """One trace as SVG."""
    x, y = (axes[str(trace.get(f"{letter}axis", letter))] for letter in "xy")
    rows = list(zip(plots.values(trace.get("x")), plots.values(trace.get("y")), strict=False))
    rows = rows[:: math.ceil(len(rows) / MOST_POINTS) or 1]
    places = [(left(x.place(a)), top(y.place(b))) for a, b in rows]
    known = [(a, b) for a, b in places if a is not None and b is not None]
    colour = colour_of(trace, number)
    kind = trace.get("type", "scatter")
    if kind == "bar":
        return bars(known, trace, (x, y), colour)
    if kind not in ("scatter", "scattergl") or not known or not shown(trace):
        return ""
    drawn = intervals(trace, rows, (x, y), colour)
    if "lines" in str(trace.get("mode", "lines")):
        points = " ".join(f"{a:.0f},{b:.0f}" for a, b in known)
        drawn += f'<polyline points="{points}" fill="none" stroke="{colour}" stroke-width="2"/>'
    if "markers" in str(trace.get("mode", "")):
        circle = '<circle cx="{:.0f}" cy="{:.0f}" r="3" fill="{}"/>'
        drawn += "".join(circle.format(a, b, colour) for a, b in known)
    return drawn


def shown(trace: dict[str, Any]) -> bool:
    """Whether a trace is more than a carrier of hover texts."""
    return (trace.get("marker") or {}).get("opacity", 1) != 0


def left(place: float | None) -> float | None:
    """Horizontal pixel of a place 0..1."""
    return None if place is None else EDGE + place * (WIDTH - 2 * EDGE)


def top(place: float | None) -> float | None:
    """Vertical pixel of a place 0..1, which counts from the bottom."""
    return None if place is None else HEIGHT - EDGE - place * (HEIGHT - 2 * EDGE)


def colour_of(trace: dict[str, Any], number: int) -> str:
    """The colour that a trace sets for itself, else the palette's."""
    for part in (trace.get("line"), trace.get("marker")):
        colour = part.get("color") if isinstance(part, dict) else None
        if isinstance(colour, str) and re.fullmatch(r"#[0-9A-Fa-f]{6}", colour):
            return colour
    return COLOURS[number % len(COLOURS)]


def bars(
    ends: list[tuple[float, float]], trace: dict[str, Any], axes: tuple[Axis, Axis], colour: str
) -> str:
    """Bars from zero, upright or lying."""
    lying = trace.get("orientation") == "h"
    room = (HEIGHT if lying else WIDTH) / max(len(ends), 1)
    thick = max(2.0, min(14.0, 0.5 * room))
    zero = left(axes[0].place(0)) if lying else top(axes[1].place(0))
    drawn = ""
    for x, y in ends:
        start = zero if zero is not None else (EDGE if lying else HEIGHT - EDGE)
        low, high = sorted((start, x if lying else y))
        corner = (low, y - thick / 2) if lying else (x - thick / 2, low)
        size = (high - low, thick) if lying else (thick, high - low)
        drawn += '<rect x="{:.0f}" y="{:.0f}" width="{:.0f}" height="{:.0f}" '.format(
            *corner, *size
        )
        drawn += f'fill="{colour}"/>'
    return drawn


def intervals(
    trace: dict[str, Any], rows: list[tuple[Any, Any]], axes: tuple[Axis, Axis], colour: str
) -> str:
    """The error bars of a trace that has one for every point drawn."""
    drawn = ""
    for letter in "xy":
        up, down = (reach(trace, letter, name) for name in ("array", "arrayminus"))
        if len(up) != len(rows) or len(down) != len(rows):
            continue
        for (a, b), more, less in zip(rows, up, down, strict=True):
            if None in (a, b, more, less):
                continue
            along_x = [a + more, a - less] if letter == "x" else [a, a]
            along_y = [b + more, b - less] if letter == "y" else [b, b]
            x0, x1 = (left(axes[0].place(value)) for value in along_x)
            y0, y1 = (top(axes[1].place(value)) for value in along_y)
            if x0 is not None and x1 is not None and y0 is not None and y1 is not None:
                drawn += f'<path d="M{x0:.0f} {y0:.0f}L{x1:.0f} {y1:.0f}" stroke="{colour}"/>'
    return drawn
