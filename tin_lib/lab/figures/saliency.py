"""Figures of saliency: the paper's Figure 5, and measures of the quality of maps."""

from collections.abc import Mapping

import numpy as np
import pandas as pd
import plotly.graph_objects as go
from plotly.subplots import make_subplots

from tin_lib import catalog
from tin_lib.lab.figures import images, style
from tin_lib.lab.formatting import method_title

TITLES = ("original", "preprocessed", "absolute", "positive", "negative")
MEASURES = {
    "beyond the box": "share of saliency inside the box<br>minus the box's share of the area",
    "pointing": "pointing game: maximum<br>inside the box",
    "insertion": "insertion: mean probability<br>(higher is better)",
    "deletion": "deletion: mean probability<br>(lower is better)",
}
SYMBOLS = ("circle", "square", "diamond", "triangle-up")
DASHES = ("solid", "dash", "dot", "dashdot")


def figure5(rows: Mapping[str, list[np.ndarray]], zoom: int = 2) -> go.Figure:
    """Figure 5: a labelled row for each image and network.

    ``rows``: label (a method's name becomes its title) -> original, preprocessed, absolute,
    positive, negative; uint8 (3, 64, 64), the absolute view uint8 (64, 64).
    """
    tiles = [tile for row in rows.values() for tile in row]
    titles = [title if number == 0 else "" for number in range(len(rows)) for title in TITLES]
    figure = images.grid(tiles, titles, columns=len(TITLES), zoom=zoom)
    return images.label_rows(figure, [method_title(label) for label in rows])


def measures(table: pd.DataFrame) -> go.Figure:
    """Measures of ``saliency.evaluate`` with 95 % intervals: a panel for each, methods as rows.

    ``table``: columns network, method, kind, measure, mean, low, high. Open symbols are baselines,
    which do not use the network.
    """
    shown = [name for name in MEASURES if name in set(table.measure)]  # without boxes only two
    titles, rows = [MEASURES[name] for name in shown], -(-len(shown) // 2)
    networks = list(dict.fromkeys(table.network))
    methods = list(dict.fromkeys(table.sort_values("kind", ascending=False, kind="stable").method))
    drawn = 120 + rows * 30 * len(methods)  # pixels from the top axis to the bottom one
    figure = make_subplots(
        rows=rows, cols=2, shared_yaxes=True, vertical_spacing=70 / drawn, subplot_titles=titles
    )
    for place, measure in enumerate(shown):
        row, column = place // 2 + 1, place % 2 + 1
        for number, network in enumerate(networks):
            part = table[(table.measure == measure) & (table.network == network)]
            shift = (number - (len(networks) - 1) / 2) * 0.6 / max(len(networks), 1)
            trace = _dots(part, [methods.index(name) + shift for name in part.method], number)
            figure.add_trace(trace.update(showlegend=place == 0), row=row, col=column)
    names = [method_title(method) for method in methods]
    ticks = {"tickvals": list(range(len(methods))), "ticktext": names}
    figure.update_yaxes(**ticks, range=[len(methods) - 0.5, -0.5], showgrid=False, zeroline=False)
    figure.update_xaxes(tickformat=".0%")
    legend = {"orientation": "h", "y": -0.1}
    return style.apply(
        figure.update_layout(height=drawn + 120, legend=legend, margin_l=140, margin_t=60)
    )


def _dots(part: pd.DataFrame, y: list[float], number: int) -> go.Scatter:
    network = str(part.network.iloc[0]) if len(part) else ""
    shape = SYMBOLS[number % len(SYMBOLS)]
    symbols = [shape + "-open" * (kind == "baseline") for kind in part.kind]
    error = {"array": part.high - part["mean"], "arrayminus": part["mean"] - part.low}
    return go.Scatter(
        x=part["mean"],
        y=y,
        error_x=error | {"thickness": 1, "width": 2},
        mode="markers",
        name=catalog.title(network),
        legendgroup=network,
        marker={"symbol": symbols, "color": style.PALETTE[number % len(style.PALETTE)], "size": 7},
        text=part.method.map(method_title),
        hovertemplate="%{text}: %{x:.1%}<extra>" + catalog.title(network) + "</extra>",
    )


def curves(table: pd.DataFrame, network: str) -> go.Figure:
    """Insertion and deletion curves of one network, from ``saliency.evaluate``; baselines dotted.

    Raises ValueError, naming the table's networks, for an unknown one.
    """
    part = table[table.network == network]
    if part.empty:
        known = ", ".join(table.network.unique())
        raise ValueError(f"network={network!r}: the table has curves of {known}")
    figure = make_subplots(cols=2, shared_yaxes=True, subplot_titles=("insertion", "deletion"))
    for column, name in enumerate(("insertion", "deletion"), 1):
        groups = part[part.curve == name].groupby(["method", "kind"], sort=False)
        for number, ((method, kind), rows) in enumerate(groups):
            line = {"color": style.PALETTE[number % len(style.PALETTE)]}
            line["dash"] = "dot" if kind == "baseline" else "solid"
            trace = go.Scatter(x=rows["share"], y=rows["probability"], line=line)
            trace.update(name=method_title(str(method)))
            trace.update(legendgroup=str(method), showlegend=column == 1)
            figure.add_trace(trace, row=1, col=column)
    figure.update_xaxes(title="share of the pixels", tickformat=".0%")
    figure.update_yaxes(title="probability of the predicted class", col=1, rangemode="tozero")
    return style.apply(figure.update_layout(height=380))


def randomisation(table: pd.DataFrame) -> go.Figure:
    """Rank correlation of maps before and after layers were re-initialised, with 95 % intervals.

    ``table``: from ``saliency.parameter_randomisation``. A panel for each method, a line for each
    network.
    """
    methods = list(dict.fromkeys(table.method))
    names = [method_title(method) for method in methods]
    figure = make_subplots(cols=len(methods), shared_yaxes=True, subplot_titles=names)
    for column, method in enumerate(methods, 1):
        groups = table[table.method == method].groupby("network", sort=False)
        for number, (network, rows) in enumerate(groups):
            error = {"array": rows.high - rows["mean"], "arrayminus": rows["mean"] - rows.low}
            line = {"color": style.PALETTE[number % len(style.PALETTE)], "dash": DASHES[number % 4]}
            trace = go.Scatter(x=rows.layers, y=rows["mean"], error_y=error, line=line)
            trace.update(name=catalog.title(str(network)), legendgroup=str(network))
            trace.update(showlegend=column == 1)
            figure.add_trace(trace, row=1, col=column)
    figure.update_yaxes(
        title="rank correlation with<br>the trained network's maps", col=1, range=[-0.3, 1.05]
    )
    figure.update_xaxes(title="re-initialised<br>layers")
    return style.apply(figure.update_layout(height=400))
