"""Figure of overfitting: accuracy and gap by the width of a network."""

import pandas as pd
import plotly.graph_objects as go
from plotly.subplots import make_subplots

from tin_lib.lab.figures import style

PARTS = (("train", "training", 0, "circle"), ("val", "validation", 1, "diamond"))


def by_width(table: pd.DataFrame) -> go.Figure:
    """Training and validation accuracy, and their gap with standard deviations, by width.

    ``table``: of ``conclusions.overfitting.width_table``. Hovering shows the parameters.
    """
    figure = make_subplots(cols=2, subplot_titles=("Accuracy", "Gap (training − validation)"))
    text = table["parameters"].map("{:,} parameters".format)
    for part, name, colour, symbol in PARTS:
        marker = {"color": style.PALETTE[colour], "symbol": symbol, "size": 9}
        line = go.Scatter(x=table["width"], y=table[f"{part}_accuracy"], name=name, text=text)
        figure.add_trace(line.update(marker=marker, mode="lines+markers"), row=1, col=1)
    bars = {"array": 100 * table["gap_std"], "type": "data"}
    gap = go.Scatter(x=table["width"], y=100 * table["gap"], error_y=bars, text=text, name="gap")
    gap.update(marker={"color": style.PALETTE[4], "size": 9}, mode="lines+markers")
    figure.add_trace(gap.update(showlegend=False), row=1, col=2)
    ticks = {"tickvals": list(table["width"]), "ticktext": [f"{w:g}" for w in table["width"]]}
    figure.update_xaxes(type="log", title="width", **ticks)
    figure.update_yaxes(tickformat=".0%", rangemode="tozero", col=1)
    figure.update_yaxes(title="percentage points", col=2)
    legend = {"orientation": "h", "y": -0.25, "yanchor": "top"}
    return style.apply(figure.update_layout(height=380, legend=legend))
