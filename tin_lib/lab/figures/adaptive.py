"""Figures of class-adaptive augmentation: which classes get copies, and what they gain."""

import numpy as np
import pandas as pd
import plotly.graph_objects as go
from plotly.subplots import make_subplots

from tin_lib.analysis.adaptive import ADAPTIVE, OTHERS, SHUFFLED, WORST
from tin_lib.analysis.errors import short_names
from tin_lib.lab.figures import style
from tin_lib.lab.formatting import shorten

NAMED = 60  # classes, above which the axis shows no names
COLOURS = {WORST: style.PALETTE[4], OTHERS: style.PALETTE[0]}
SYMBOLS = {WORST: "diamond", OTHERS: "circle"}


def allotment(errors: pd.DataFrame) -> go.Figure:
    """Held-out error of each class above, its share of the copies below, the worst class first.

    ``errors``: of ``adaptive.heldout_errors``, with the columns share and worst.
    """
    table = errors.sort_values(["worst", "smoothed", "error"], ascending=False)
    short = short_names(list(table["class_id"]), list(table["class_name"]))
    names = [shorten(short[wnid], 24) for wnid in table["class_id"]]
    places = np.arange(len(table))
    figure = make_subplots(rows=2, shared_xaxes=True, vertical_spacing=0.06)
    for column, symbol, colour in (("error", "circle-open", 6), ("smoothed", "circle", 0)):
        marker = {"symbol": symbol, "color": style.PALETTE[colour], "size": 8}
        trace = go.Scatter(x=places, y=table[column], mode="markers", marker=marker, text=names)
        title = {"error": "held-out error", "smoothed": "smoothed"}[column]
        figure.add_trace(trace.update(name=title, hovertemplate="%{text}: %{y:.1%}"), row=1, col=1)
    for group, inside in ((WORST, table["worst"]), (OTHERS, ~table["worst"])):
        bars = go.Bar(x=places[inside], y=table["share"][inside], marker_color=COLOURS[group])
        bars.update(name=group, text=np.array(names)[inside], textposition="none")
        figure.add_trace(bars.update(hovertemplate="%{text}: %{y:.2f}"), row=2, col=1)
    figure.add_hline(y=1, line={"color": style.TEXT, "dash": "dot"}, row=2, col=1)
    figure.update_yaxes(title="error", tickformat=".0%", rangemode="tozero", row=1)
    figure.update_yaxes(title="copies / mean of all classes", rangemode="tozero", row=2)
    shown = {"tickvals": places, "ticktext": names} if len(table) <= NAMED else {"title": "classes"}
    figure.update_xaxes(showgrid=False)
    figure.update_xaxes(row=2, showticklabels=len(table) <= NAMED, **shown)
    legend = {"orientation": "h", "y": 1.0, "yanchor": "bottom", "x": 0}
    return style.apply(figure.update_layout(height=460, legend=legend))


def changes(table: pd.DataFrame) -> go.Figure:
    """Change of each class's validation accuracy against its held-out error, a panel for each arm.

    ``table``: of ``adaptive.changes``, with the columns share and worst. The line is the
    least-squares fit over the classes.
    """
    panels = {ADAPTIVE: "adaptive − uniform", SHUFFLED: "shuffled − uniform"}
    figure = make_subplots(cols=2, shared_yaxes=True, subplot_titles=list(panels.values()))
    for column, arm in enumerate(panels, 1):
        for trace in _points(table, arm, column == 1):
            figure.add_trace(trace, row=1, col=column)
    figure.add_hline(y=0, line={"color": style.TEXT, "width": 1})
    figure.update_xaxes(title="held-out error of the class", tickformat=".0%")
    figure.update_yaxes(title="change in validation accuracy (percentage points)", col=1)
    legend = {"orientation": "h", "y": -0.2, "yanchor": "top"}
    return style.apply(figure.update_layout(height=420, legend=legend))


def _points(table: pd.DataFrame, arm: str, showlegend: bool) -> list[go.Scatter]:
    """Points of both groups of classes, and the fitted line."""
    traces = []
    for group, part in ((WORST, table[table["worst"]]), (OTHERS, table[~table["worst"]])):
        marker = {"color": COLOURS[group], "symbol": SYMBOLS[group], "size": 8}
        trace = go.Scatter(x=part["error"], y=100 * part[arm], mode="markers", marker=marker)
        trace.update(text=part["class_name"], hovertemplate="%{text}: %{y:+.1f} points")
        traces.append(trace.update(name=group, legendgroup=group, showlegend=showlegend))
    known = table[["error", arm]].dropna()
    if known["error"].min() < known["error"].max():
        ends = np.array([known["error"].min(), known["error"].max()])
        line = np.polyval(np.polyfit(known["error"], 100 * known[arm], 1), ends)
        fit = go.Scatter(x=ends, y=line, mode="lines", name="least-squares line")
        style_of = {"color": style.TEXT, "dash": "dot"}
        traces.append(fit.update(line=style_of, hoverinfo="skip", showlegend=showlegend))
    return traces
