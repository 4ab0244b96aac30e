"""Figures of pruning: accuracy and size against the share that is kept, speed, kept by layer."""

from collections.abc import Mapping

import pandas as pd
import plotly.graph_objects as go

from tin_lib.lab.figures import style
from tin_lib.lab.figures.training import DASHES

SYMBOLS = ("circle", "diamond", "square", "triangle-up", "x", "star")
FORMATS = {
    "dense": "dense file",
    "compressed": "dense file with zeros, compressed (zlib)",
    "sparse": "sparse file (values and index differences)",
}
REMOVED = "dense file, filters removed"
SHARE = "share of the weights that are kept (log scale)"


def accuracy(table: pd.DataFrame) -> go.Figure:
    """Validation accuracy by share of the weights that are kept, one line a method.

    ``table``: of ``pruning.split_arms`` of ``arms.compare``. Dense networks that were trained on
    are drawn at the share of the pruned ones that had as many updates. Bars are standard deviations
    over the seeds. The method "dense" is a dotted level.
    """
    figure = go.Figure()
    for number, (method, part) in enumerate(table.groupby("method", sort=False)):
        colour = style.PALETTE[number % len(style.PALETTE)]
        if method == "dense":
            level = float(part["val_accuracy"].iloc[0])
            line = {"color": style.TEXT, "dash": "dot"}
            figure.add_hline(y=level, line=line, annotation_text=str(method))
            continue
        bars = {"array": part["val_std"], "type": "data", "width": 3}
        trace = go.Scatter(x=part["keep"], y=part["val_accuracy"], error_y=bars, name=str(method))
        line = {"color": colour, "dash": DASHES[number % len(DASHES)]}
        marker = {"symbol": SYMBOLS[number % len(SYMBOLS)], "size": 9}
        figure.add_trace(trace.update(mode="lines+markers", line=line, marker=marker))
    figure.update_yaxes(title="validation accuracy", tickformat=".0%", rangemode="tozero")
    return _by_share(figure, table["keep"])


def sizes(table: pd.DataFrame) -> go.Figure:
    """Stored bytes, as a share of the dense network's, by share of the weights that are kept.

    ``table``: of ``pruning.stored``; its first row is the dense network.
    """
    figure, whole = go.Figure(), table["dense"].iloc[0]
    unique = table.drop_duplicates("share").sort_values("share")
    narrow = unique["weights"] < table["weights"].iloc[0]
    lines = [(unique[~narrow], column, name) for column, name in FORMATS.items()]
    for number, (part, column, name) in enumerate([*lines, (unique[narrow], "dense", REMOVED)]):
        trace = go.Scatter(x=part["share"], y=part[column] / whole, name=name, mode="lines+markers")
        line = {"color": style.PALETTE[number], "dash": DASHES[number]}
        trace.update(marker={"symbol": SYMBOLS[number], "size": 9}, line=line)
        figure.add_trace(trace.update(customdata=part["arm"]))
    figure.update_traces(hovertemplate="%{customdata}: %{y:.1%} of the bytes")
    figure.update_yaxes(title="bytes, share of the dense file", tickformat=".0%")
    figure.update_yaxes(rangemode="tozero")
    return _by_share(figure, table["share"]).update_layout(hovermode="closest")


def _by_share(figure: go.Figure, shares: pd.Series) -> go.Figure:
    """A logarithmic axis of shares, from all to few."""
    ticks = [share for share in (1, 0.5, 0.2, 0.1, 0.05, 0.02, 0.01) if share >= 0.7 * shares.min()]
    text = [f"{100 * share:g} %" for share in ticks]
    figure.update_xaxes(title=SHARE, type="log", autorange="reversed", tickvals=ticks)
    figure.update_xaxes(ticktext=text)
    legend = {"orientation": "h", "y": -0.25, "yanchor": "top"}
    return style.apply(figure.update_layout(legend=legend, height=440, showlegend=True))


def speeds(tables: Mapping[str, pd.DataFrame]) -> go.Figure:
    """Speed as a ratio to the first arm of each table, with the range over the rounds.

    ``tables``: of ``pruning.training_speed`` and the like, by what was measured.
    """
    figure = go.Figure()
    for number, (what, table) in enumerate(tables.items()):
        rest = table.iloc[1:]
        bars = {"array": rest["high"] - rest["ratio"], "arrayminus": rest["ratio"] - rest["low"]}
        text = rest["images_per_second"].map("{:,.0f} images/s".format)
        trace = go.Scatter(x=rest["ratio"], y=[[what] * len(rest), rest["arm"]], text=text)
        marker = {"color": style.PALETTE[number % len(style.PALETTE)], "size": 9}
        marker |= {"symbol": SYMBOLS[number % len(SYMBOLS)]}
        trace.update(error_x=bars | {"type": "data"}, marker=marker, mode="markers", name=what)
        figure.add_trace(trace.update(hovertemplate="%{x:.2f} times as fast, %{text}"))
    figure.add_vline(x=1, line={"color": style.TEXT, "width": 1})
    figure.update_xaxes(title="speed, ratio to the dense network (log scale)", type="log")
    ticks = [0.1, 0.2, 0.5, 1, 2, 5, 10, 20, 50, 100]
    figure.update_xaxes(tickvals=ticks, ticktext=[f"{tick:g}×" for tick in ticks])
    figure.update_yaxes(autorange="reversed", automargin=True, showgrid=False)
    rows = sum(len(table) - 1 for table in tables.values())
    return style.apply(figure.update_layout(showlegend=False, height=140 + 30 * rows))


def kept_by_layer(tables: Mapping[str, pd.DataFrame]) -> go.Figure:
    """Share of each layer's weights that is kept, one group of bars a way of pruning.

    ``tables``: of ``pruning.weight_table``, by name.
    """
    figure = go.Figure()
    for number, (name, table) in enumerate(tables.items()):
        colour = style.PALETTE[number % len(style.PALETTE)]
        bar = go.Bar(x=table.index, y=table["share"], name=name, marker_color=colour)
        figure.add_trace(bar.update(hovertemplate="%{x}: %{y:.1%}"))
    figure.update_yaxes(title="share of the weights that are kept", tickformat=".0%")
    figure.update_xaxes(showgrid=False)
    legend = {"orientation": "h", "y": -0.2, "yanchor": "top"}
    layout = {"barmode": "group", "height": 380, "legend": legend, "showlegend": True}
    return style.apply(figure.update_layout(layout))
