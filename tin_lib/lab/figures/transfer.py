"""Figure of transfer: a probe's accuracy by images per class."""

from itertools import pairwise

import pandas as pd
import plotly.graph_objects as go

from tin_lib.lab.figures import style
from tin_lib.lab.figures.training import DASHES

NEAR = 1.5  # factor between the values of two names of the axis, at least


def learning_curves(table: pd.DataFrame, chance: float | None = None) -> go.Figure:
    """Validation accuracy by images per class, one line an arm.

    ``table``: columns arm, per_class, val_accuracy (0..1), a row for each probe. Points are means,
    error bars reach from the lowest to the highest of an arm's probes. ``chance``: drawn as a line.
    """
    figure = go.Figure()
    for number, (arm, part) in enumerate(table.groupby("arm", sort=False)):
        found = part.groupby("per_class")["val_accuracy"].agg(["mean", "min", "max", "size"])
        bars = {"array": found["max"] - found["mean"], "arrayminus": found["mean"] - found["min"]}
        text = [f"{arm}: {row.mean:.1%}, mean of {row.size} probes" for row in found.itertuples()]
        line = go.Scatter(x=found.index, y=found["mean"], name=arm, text=text, error_y=bars)
        dash = DASHES[number // len(style.PALETTE) % len(DASHES)]
        colour = style.PALETTE[number % len(style.PALETTE)]
        line.update(line={"color": colour, "dash": dash}, mode="lines+markers")
        figure.add_trace(line.update(hovertemplate="%{x} images per class<br>%{text}"))
    if chance is not None:
        note = {"annotation_text": "chance level", "annotation_position": "bottom right"}
        figure.add_hline(y=chance, line={"color": style.TEXT, "dash": "dot", "width": 1}, **note)
    counts = sorted(table["per_class"].unique())
    # Without those that the name of the next one would cover on a phone.
    ticks = [a for a, b in pairwise([*counts, NEAR * counts[-1]]) if b >= NEAR * a]
    names = {"tickvals": ticks, "ticktext": [f"{tick:,}" for tick in ticks]}
    figure.update_xaxes(type="log", title="training images per class", **names)
    figure.update_yaxes(title="validation accuracy", tickformat=".0%", rangemode="tozero")
    legend = {"orientation": "h", "y": -0.25, "yanchor": "top"}
    return style.apply(figure.update_layout(legend=legend, height=440))
