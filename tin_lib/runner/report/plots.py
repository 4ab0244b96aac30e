"""Plotly figures in the report's pages: a div for report.js, with words for what is shown."""

import base64
import html
import json
import re
from collections.abc import Iterable
from typing import Any

import numpy as np

HEIGHT = 450  # pixels, plotly's own default
KINDS = {"scatter": "Dots", "bar": "Bars", "heatmap": "Heat map", "image": "Images"}
MOST = 12  # names of series and panels in a description


def figure_div(figure: dict[str, Any], label: str = "") -> str:
    """A plotly figure as a div with its JSON, which report.js draws.

    ``label`` precedes the description, e.g. the heading above the figure.
    """
    layout = figure.get("layout", {})
    height = int(layout.get("height") or HEIGHT)
    content = json.dumps({"data": figure["data"], "layout": layout}).replace("<", "\\u003c")
    start = label + (" " if label.endswith(("?", "!", ".")) else ". ") if label else ""
    words = start + describe(figure)
    return (
        f'<div class="tin-figure" role="group" aria-label="{html.escape(words, quote=True)}" '
        f'style="height:{height}px">'
        f'<script type="application/json">{content}</script></div>'
    )


def describe(figure: dict[str, Any]) -> str:
    """What a figure shows, in a sentence: its title, kind, panels, axes and series."""
    layout, traces = figure.get("layout", {}), figure.get("data", [])
    titles = [plain(layout.get("title"))]
    kinds = unique(kind_of(trace) for trace in traces)
    axes = {name: unique(axis_titles(layout, name)) for name in ("y", "x")}
    measured = " by ".join(" and ".join(names) for names in axes.values() if names)
    panels = unique(plain(each) for each in layout.get("annotations", []))
    series = unique(plain(trace.get("name")) for trace in traces)
    colours = unique(plain(trace.get("colorbar", {}).get("title")) for trace in traces)
    parts = [*titles, " and ".join(kinds) + (f": {measured}" if measured else "")]
    parts += [listed("colour: ", colours)]
    parts += [listed("with the texts ", panels), listed("series: ", series)]
    return "; ".join(part for part in parts if part) or "Figure"


def kind_of(trace: dict[str, Any]) -> str:
    """The kind of a trace in words; empty for invisible markers, which only carry hover texts."""
    if trace.get("marker", {}).get("opacity") == 0:
        return ""
    kind = str(trace.get("type", "scatter"))
    if kind == "scatter" and "lines" in str(trace.get("mode", "lines")):
        return "Lines"
    return KINDS.get(kind, kind)


def axis_titles(layout: dict[str, Any], letter: str) -> list[str]:
    """The titles of all x or all y axes."""
    found = [layout[key] for key in layout if re.fullmatch(rf"{letter}axis\d*", key)]
    return [plain(axis.get("title")) for axis in found]


def plain(text: Any) -> str:
    """A title, or a thing with a ``text``, without tags, on one line."""
    words = text.get("text") if isinstance(text, dict) else text
    return " ".join(re.sub("<[^>]*>", " ", str(words or "")).split())


def unique(words: Iterable[str]) -> list[str]:
    """The different words that are not empty, in their order."""
    return list(dict.fromkeys(word for word in words if word))


def listed(start: str, words: list[str]) -> str:
    """At most MOST words after ``start``; empty for none."""
    rest = f" and {len(words) - MOST} more" if len(words) > MOST else ""
    return start + ", ".join(words[:MOST]) + rest if words else ""


def values(array: Any) -> list[Any]:
    """A trace's array as a list: plotly stores arrays of numbers in base64."""
    if not isinstance(array, dict):
        return list(array) if array is not None else []
    numbers = np.frombuffer(base64.b64decode(array["bdata"]), array["dtype"])
    shape = str(array.get("shape", "")).split(",")
    return numbers.reshape([int(n) for n in shape]).tolist() if shape != [""] else numbers.tolist()
