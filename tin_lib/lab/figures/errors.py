"""Figures of errors by class, by pair of classes and by image."""

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import pandas as pd
import plotly.graph_objects as go
from plotly.colors import sample_colorscale

from tin_lib.analysis.errors import PAPER_IMAGES
from tin_lib.lab.figures import images, style
from tin_lib.lab.formatting import shorten

ENDS = {"best": style.PALETTE[0], "worst": style.PALETTE[4]}
TITLE = 18  # letters that fit above an image


def per_class(classes: pd.DataFrame) -> go.Figure:
    """Error rate of every class, from the best to the worst, with 95 % intervals.

    ``classes``: from ``errors.per_class``. The mouse shows names; so do the labels once zoomed in.
    """
    table = classes[classes.images > 0].sort_values("error_rate", kind="stable")
    points = go.Scatter(
        x=table.name,
        y=table.error_rate,
        mode="markers",
        marker={"size": 6, "color": style.PALETTE[0]},
        cliponaxis=False,
        error_y=style.reach(table.error_rate, table.low, table.high),
        **_class_hover(table, "x"),
    )
    figure = go.Figure(points)
    mean = table.errors.sum() / table.images.sum()
    figure.add_hline(y=mean, line_dash="dash", line_color=style.TEXT)
    figure.add_annotation(
        x=0, xref="paper", y=mean, text=f"all classes: {mean:.1%}", showarrow=False, yshift=10
    )
    figure.update_yaxes(title="error rate", tickformat=".0%", range=[0, 1])
    figure.update_xaxes(title="classes, from the lowest to the highest error rate", showgrid=False)
    return style.apply(figure.update_layout(height=440))


def _class_hover(rows: pd.DataFrame, axis: str = "y") -> dict[str, Any]:
    """Hover text of a class: its errors and its most frequent wrong prediction."""
    text = f"%{{{axis}}}: %{{customdata[0]}} of %{{customdata[1]}} misclassified%{{customdata[2]}}"
    instead = [f", most often predicted as {name}" if name else "" for name in rows.predicted_as]
    custom = [list(row) for row in zip(rows.errors, rows.images, instead)]
    return {"customdata": custom, "hovertemplate": f"{text}<extra></extra>"}


def best_and_worst(table: pd.DataFrame) -> go.Figure:
    """Table 3 as a figure: error rates of the best and worst classes, and the paper's.

    ``table``: from ``errors.best_and_worst``, of one network.
    """
    figure = go.Figure()
    table = pd.concat([table[table.end == "best"], table[table.end == "worst"].iloc[::-1]])
    for end, rows in table.groupby("end", sort=False):
        dots = _dots(rows.error_rate, list(rows.name), rows, f"{end} classes", ENDS[str(end)])
        figure.add_trace(dots.update(_class_hover(rows)))
    known = table[table.paper_errors.notna()]
    if len(known):
        marker = {"symbol": "diamond-open", "size": 12, "color": style.TEXT, "line": {"width": 2}}
        marks = {"x": known.paper_errors / PAPER_IMAGES, "y": known.name, "marker": marker}
        figure.add_trace(go.Scatter(**marks, mode="markers", name="the paper's VGG-16"))
    figure.update_yaxes(autorange="reversed")
    figure.update_xaxes(title="error rate", tickformat=".0%", range=[0, 1])
    figure.update_layout(height=120 + 30 * len(table), legend={"orientation": "h", "y": 1.12})
    return style.apply(figure)


def _dots(x: pd.Series, y: Sequence[str], rows: pd.DataFrame, name: str, colour: str) -> go.Scatter:
    """Points with the intervals ``low`` to ``high`` of ``rows``."""
    return go.Scatter(
        x=x,
        y=y,
        name=name,
        mode="markers",
        marker={"size": 10, "color": colour},
        cliponaxis=False,
        error_x={**style.reach(x, rows.low, rows.high), "thickness": 2, "width": 4},
    )


def confusion(
    counts: pd.DataFrame, names: Mapping[str, str], order: Sequence[str] | None = None
) -> go.Figure:
    """Confusion matrix that can be zoomed, with names under the mouse.

    ``counts``: (C, C) from ``errors.confusion_matrix``. ``names``: class id -> name. ``order``:
    class ids, from ``errors.class_order`` (default: as in ``counts``). Colours follow the square
    root of the count, so that a single error is visible next to a full diagonal.
    """
    order = list(counts.index if order is None else order)
    labels = [names[wnid] for wnid in order]
    z, percents = _cells(counts.loc[order, order].to_numpy())
    heat = go.Heatmap(
        z=z,
        customdata=percents,
        x=labels,
        y=labels,
        colorscale=_root_scale("Viridis"),
        hovertemplate="%{y} predicted as %{x}:<br>%{z} images, %{customdata}%<extra></extra>",
        colorbar={"title": {"text": "images", "side": "right"}, "thickness": 14},
    )
    figure = go.Figure(heat)
    figure.update_xaxes(title="predicted", constrain="domain", showgrid=False, tickangle=-60)
    figure.update_yaxes(title="label", autorange="reversed", scaleanchor="x", constrain="domain")
    figure.update_layout(height=820, width=880, dragmode="zoom")
    return style.apply(figure)


def _cells(matrix: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Counts, and whole percentages of the images of each label (row), in small types."""
    percents = 100 * matrix / np.maximum(matrix.sum(axis=1, keepdims=True), 1)
    return matrix.astype(np.uint16), percents.round().astype(np.uint8)


def _root_scale(name: str) -> list[tuple[float, str]]:
    """Return a colour scale whose colours follow the square root of the value."""
    places = np.linspace(0, 1, 17)
    return list(zip((places**2).tolist(), sample_colorscale(name, places.tolist())))


def confused_pairs(pairs: pd.DataFrame) -> go.Figure:
    """The most frequent confusions with 95 % intervals, from ``errors.most_confused``."""
    titles = [f"{a} → {b}" for a, b in zip(pairs.label_name, pairs.predicted_name)]
    dots = _dots(pairs.share, titles, pairs, "", style.PALETTE[0])
    hover = "%{y}: %{customdata[0]} of %{customdata[1]} images<extra></extra>"
    dots.update(customdata=pairs[["count", "images"]].to_numpy(), hovertemplate=hover)
    figure = go.Figure(dots)
    figure.update_yaxes(autorange="reversed")
    figure.update_xaxes(
        title="share of the label's images predicted as the other class", tickformat=".0%"
    )
    figure.update_xaxes(rangemode="tozero")
    return style.apply(figure.update_layout(height=120 + 24 * len(pairs), showlegend=False))


def agreement(table: pd.DataFrame) -> go.Figure:
    """Images by number of networks that misclassify them, and the number under independence.

    ``table``: from ``errors.agreement``.
    """
    measured = go.Bar(
        x=table.wrong,
        y=table.images,
        name="measured",
        marker={"color": style.PALETTE[0]},
        hovertemplate="misclassified by %{x} networks: %{y} images<extra></extra>",
    )
    marker = {"symbol": "diamond", "size": 12, "color": style.PALETTE[1]}
    expected = go.Scatter(
        x=table.wrong,
        y=table.independent,
        name="if errors were independent",
        mode="markers",
        marker=marker,
        hovertemplate="expected if independent: %{y:.0f} images<extra></extra>",
    )
    figure = go.Figure([measured, expected])
    figure.update_xaxes(title="number of networks that misclassify an image", dtick=1)
    figure.update_yaxes(title="validation images")
    figure.update_layout(height=380, legend={"orientation": "h", "y": 1.15})
    return style.apply(figure)


def examples(
    chosen: pd.DataFrame, pictures: np.ndarray, names: Mapping[str, str], zoom: int = 2
) -> go.Figure:
    """Figure 7: images of a class in three rows: correct, missed, false positives.

    ``chosen``: from ``errors.examples``. ``pictures``: uint8 (N, 3, 64, 64), those of the
    whole split. The title of each image is its prediction (or label) and the probability.
    """
    width = int(chosen.groupby("group").size().max())
    tiles: list[np.ndarray | None] = []
    titles: list[str] = []
    hover: list[str] = []
    for group, rows in chosen.groupby("group", sort=False):
        short = width - len(rows)
        tiles += [*pictures[rows.row.to_numpy()], *[None] * short]
        titles += [_title(row, str(group), names) for row in _rows(rows)] + [""] * short
        hover += [_hover(row, names) for row in _rows(rows)] + ["no more images"] * short
    return images.grid(tiles, titles, columns=width, zoom=zoom, hover=hover)


def _title(row: Any, group: str, names: Mapping[str, str]) -> str:
    """Two short lines above an image."""
    first = {"correct": "correct", "missed": f"→ {names[row.predicted]}"}
    what = first.get(group, f"label {names[row.label]}")
    return f"{shorten(what, TITLE)}<br>{row.probability:.0%}"


def _hover(row: Any, names: Mapping[str, str]) -> str:
    text = f"{names[row.label]}, predicted as {names[row.predicted]} ({row.probability:.0%})"
    return f"{row.file}<br>{text}"


def label_issues(
    table: pd.DataFrame, pictures: Sequence[np.ndarray], names: Mapping[str, str], columns: int = 6
) -> go.Figure:
    """Images whose labels may be wrong, with the label and the suggested one above each.

    ``table``: rows of ``errors.label_issues``. ``pictures``: one uint8 (3, 64, 64) for each row.
    """
    rows = [(row, " or ".join(names[w] for w in row.suggested.split())) for row in _rows(table)]
    titles = [
        f"{shorten(names[row.label], TITLE)}<br>? {shorten(other, 16)}" for row, other in rows
    ]
    hover = [
        f"{row.split}/{row.file}<br>label {names[row.label]}; suggested: {other}<br>{row.reason}"
        for row, other in rows
    ]
    return images.grid(pictures, titles, columns=columns, hover=hover)


def _rows(table: pd.DataFrame) -> list[Any]:
    return list(table.itertuples(index=False))
