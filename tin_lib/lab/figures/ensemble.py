"""Figures of ensembles: accuracies with intervals, and the correlation of networks' errors."""

from collections.abc import Mapping

import numpy as np
import pandas as pd
import plotly.graph_objects as go

from tin_lib import catalog
from tin_lib.lab.figures import style

COLOURS = {"network": style.PALETTE[0], "vote": style.PALETTE[4]}


def accuracy(table: pd.DataFrame, marks: Mapping[str, float] | None = None) -> go.Figure:
    """Validation accuracy of networks and votes with 95 % intervals, the best at the top.

    ``table``: from ``ensemble.ensemble_table``. ``marks``: the paper's accuracies (0..1) by name,
    drawn as open diamonds.
    """
    figure = go.Figure()
    table = table.sort_values("accuracy")
    for kind, rows in table.groupby("kind", sort=False):
        figure.add_trace(_points(rows, str(kind)))
    if marks:
        given = [name for name in table.name if name in marks]
        figure.add_trace(_marks(given, [marks[name] for name in given]))
    order = [catalog.title(name) for name in table.name]
    figure.update_yaxes(categoryorder="array", categoryarray=order)
    figure.update_xaxes(title="validation accuracy", tickformat=".0%")
    figure.update_layout(height=110 + 40 * len(table), legend={"orientation": "h", "y": 1.15})
    return style.apply(figure)


def _points(rows: pd.DataFrame, kind: str) -> go.Scatter:
    reach = {"array": rows.high - rows.accuracy, "arrayminus": rows.accuracy - rows.low}
    return go.Scatter(
        x=rows.accuracy,
        y=[catalog.title(name) for name in rows.name],
        name=kind,
        mode="markers",
        marker={"size": 11, "color": COLOURS[kind]},
        error_x={"type": "data", "symmetric": False, **reach},
        customdata=rows[["correct", "images", "low", "high"]].to_numpy(),
        hovertemplate="%{y}: %{customdata[0]} of %{customdata[1]} correct, %{x:.1%} "
        "(%{customdata[2]:.1%} to %{customdata[3]:.1%})<extra></extra>",
    )


def _marks(names: list[str], values: list[float]) -> go.Scatter:
    marker = {"symbol": "diamond-open", "size": 12, "color": style.TEXT, "line": {"width": 2}}
    return go.Scatter(
        x=values,
        y=[catalog.title(name) for name in names],
        name="the paper",
        mode="markers",
        marker=marker,
        hovertemplate="%{y} in the paper: %{x:.1%}<extra></extra>",
    )


def error_correlation(table: pd.DataFrame) -> go.Figure:
    """Pearson correlation of the networks' errors, a cell for each pair below the diagonal.

    ``table``: (M, M) from ``ensemble.error_correlation``.
    """
    titles = [catalog.title(str(name)) for name in table.columns]
    values = table.to_numpy(dtype=np.float64, copy=True)
    values[np.triu_indices(len(values))] = np.nan
    heat = go.Heatmap(
        z=values[1:, :-1],
        x=titles[:-1],
        y=titles[1:],
        zmin=min(0, np.nanmin(values, initial=0)),
        zmax=1,
        colorscale="Cividis",
        texttemplate="%{z:.2f}",
        textfont={"size": 14},
        hoverongaps=False,
        hovertemplate="%{y} and %{x}: r = %{z:.3f}<extra></extra>",
        colorbar={"title": {"text": "Pearson r"}, "thickness": 14},
    )
    figure = go.Figure(heat)
    figure.update_yaxes(autorange="reversed", showgrid=False)
    figure.update_xaxes(showgrid=False)
    size = 70 * len(titles)
    figure.update_layout(height=130 + size, width=320 + size)
    return style.apply(figure)
