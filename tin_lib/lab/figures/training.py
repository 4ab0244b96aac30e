"""Figures of training: loss and accuracy by epoch (Figure 4), comparisons, results, layers."""

from collections.abc import Mapping

import pandas as pd
import plotly.graph_objects as go
from plotly.subplots import make_subplots

from tin_lib import catalog
from tin_lib.lab.figures import style

# Parts of the data: prefix of the columns in a history, name, colour, dash.
PARTS = (
    ("train", "training", style.PALETTE[0], "solid"),
    ("heldout", "held-out part", style.PALETTE[2], "dot"),
    ("val", "validation", style.PALETTE[1], "dash"),
)
FLAT = 2  # a first epoch's loss above this many times all later ones is cut off
DASHES = ("solid", "dash", "dot", "dashdot", "longdash")
AXES = {
    "train_loss": "training loss (nats)",
    "val_loss": "validation loss (nats)",
    "train_accuracy": "training accuracy",
    "val_accuracy": "validation accuracy",
    "val_top5": "validation top-5 accuracy",
    "lr": "learning rate",
    "images_per_second": "images per second",
}


def curves(history: pd.DataFrame) -> go.Figure:
    """Figure 4: loss and accuracy by epoch, on training and validation images.

    ``history``: one row for each epoch, with epoch, train_loss, train_accuracy, val_loss,
    val_accuracy, heldout_loss and heldout_accuracy. Missing or empty columns are left out.
    """
    figure = make_subplots(cols=2, subplot_titles=("Loss (cross-entropy, nats)", "Accuracy"))
    for column, measure in enumerate(("loss", "accuracy"), start=1):
        for part, name, colour, dash in PARTS:
            key = f"{part}_{measure}"
            if key in history and history[key].notna().any():
                trace = _line(history["epoch"], history[key], name, colour, dash)
                figure.add_trace(trace.update(showlegend=column == 1), row=1, col=column)
    figure.update_yaxes(tickformat=".0%", row=1, col=2)
    losses = history.filter([f"{part}_loss" for part, *_ in PARTS])
    return style.apply(limit_loss(_by_epoch(figure, history["epoch"]), {"": losses}))


def limit_loss(figure: go.Figure, panels: Mapping[str, pd.DataFrame]) -> go.Figure:
    """End a loss axis above all epochs but the first, if that would flatten the others.

    ``panels``: losses, one row for each epoch, by the number of the panel's axes in plotly: "" for
    x and y, "2" for x2 and y2. All panels get the same axis; a text says what lies above.
    """
    later = max(losses.iloc[1:].max().max() for losses in panels.values())
    for panel, losses in panels.items():
        first = losses.iloc[0].max()
        if first > FLAT * later:  # not if there is one epoch only
            for each in panels:
                figure.update_layout({f"yaxis{each}": {"range": [0, 1.1 * later]}})
            place = {"xref": f"x{panel} domain", "yref": f"y{panel} domain", "x": 0.02, "y": 1}
            text = f"↑ first epoch: {first:.1f}"
            anchors = {"xanchor": "left", "yanchor": "top"}
            figure.add_annotation(text=text, showarrow=False, **anchors, **place)
    return figure


def _line(x: pd.Series, y: pd.Series, name: str, colour: str, dash: str) -> go.Scatter:
    mode = "lines+markers" if len(x) <= 30 else "lines"
    line = {"color": colour, "dash": dash}
    return go.Scatter(x=x, y=y, name=name, legendgroup=name, mode=mode, line=line)


def _by_epoch(figure: go.Figure, epochs: pd.Series) -> go.Figure:
    """Add an axis of whole epochs, with one hover box for all lines."""
    step = {"dtick": 1} if epochs.max() <= 12 else {}
    figure.update_xaxes(title="epoch", **step)
    figure.update_yaxes(rangemode="tozero")
    legend = {"orientation": "h", "y": -0.25, "yanchor": "top"}
    return figure.update_layout(hovermode="x unified", legend=legend, height=380)


def compare(
    histories: Mapping[str, pd.DataFrame], measure: str = "val_accuracy", over: str = "epoch"
) -> go.Figure:
    """Compare one measure of several networks by epoch, or by time with ``over="seconds"``.

    ``histories``: history tables by name, with the columns ``epoch``, ``measure`` and, for time,
    ``seconds`` (of each epoch).
    """
    figure = go.Figure()
    for number, (name, history) in enumerate(histories.items()):
        x = history["seconds"].cumsum() if over == "seconds" else history["epoch"]
        colour = style.PALETTE[number % len(style.PALETTE)]
        dash = DASHES[number % len(DASHES)]
        figure.add_trace(_line(x, history[measure], catalog.title(name), colour, dash))
    figure = _by_epoch(figure, pd.concat([history["epoch"] for history in histories.values()]))
    if over == "seconds":
        figure.update_xaxes(title="training time (s)", dtick=None)
    figure.update_yaxes(title=AXES.get(measure, measure))
    if "accuracy" in measure or measure == "val_top5":
        figure.update_yaxes(tickformat=".0%")
    if "loss" in measure:
        losses = {name: history.set_index("epoch")[measure] for name, history in histories.items()}
        limit_loss(figure, {"": pd.DataFrame(losses)})
    return style.apply(figure)


def results(table: pd.DataFrame, part: str = "val") -> go.Figure:
    """Accuracy of each network and ensemble as bars with 95 % intervals, next to the paper's.

    ``table``: columns of ``results.csv``: name, ``<part>_accuracy``, ``<part>_low`` and
    ``<part>_high`` (if known), ``paper_<part>`` (0..1, NaN if unknown); ``part`` is ``train`` or
    ``val``.
    """
    figure = go.Figure()
    titles = [catalog.title(str(each)) for each in table["name"]]
    columns = (
        (f"{part}_accuracy", "this run", style.PALETTE[0], "white"),
        (f"paper_{part}", "the paper", style.PALETTE[1], "black"),
    )
    for column, name, colour, ink in columns:
        if column not in table or table[column].isna().all():
            continue
        text = table[column].map(lambda share: "" if pd.isna(share) else f"{share:.1%}")
        bar = go.Bar(x=titles, y=table[column], name=name, text=text, marker={"color": colour})
        if column == f"{part}_accuracy" and f"{part}_low" in table:
            reach = style.reach(table[column], table[f"{part}_low"], table[f"{part}_high"])
            bar.update(error_y=reach, name=f"{name}, with 95 % intervals")
        # At the foot of the bar, where no interval crosses the text.
        bar.update(textposition="inside", insidetextanchor="start", textangle=0)
        figure.add_trace(bar.update(insidetextfont={"color": ink}, constraintext="none"))
    title = {"train": "training accuracy", "val": "validation accuracy"}.get(
        part, f"{part} accuracy"
    )
    figure.update_yaxes(title=title, tickformat=".0%", rangemode="tozero")
    figure.update_xaxes(showgrid=False)
    return style.apply(figure.update_layout(barmode="group", height=380))


def loss_parts(history: pd.DataFrame) -> go.Figure:
    """Cross-entropy and penalties of the training loss by epoch, stacked.

    ``history``: columns epoch, train_loss (the cross-entropy) and penalty. Penalties that are zero
    in all epochs are left out.
    """
    parts = [("train_loss", "cross-entropy", 0), ("penalty", "penalties", 1)]
    if not history["penalty"].any():
        parts.pop()
    figure = go.Figure()
    for column, name, colour in parts:
        trace = _line(history["epoch"], history[column], name, style.PALETTE[colour], "solid")
        figure.add_trace(trace.update(stackgroup="loss"))
    figure.update_yaxes(title="training loss (nats)")
    figure.update_layout(showlegend=True)
    return style.apply(_by_epoch(figure, history["epoch"]))


def layer_sizes(table: pd.DataFrame) -> go.Figure:
    """Number of parameters of each layer.

    ``table``: from ``analysis.layer_table``, indexed by the layers' names.
    """
    text = table["parameters"].map("{:,}".format)
    bar = go.Bar(x=table["parameters"], y=table.index, text=text, orientation="h")
    bar.update(textposition="outside", cliponaxis=False, marker={"color": style.PALETTE[0]})
    figure = go.Figure(bar)
    figure.update_xaxes(title="parameters")
    figure.update_yaxes(autorange="reversed", showgrid=False, automargin=True)
    return style.apply(figure.update_layout(height=110 + 24 * len(table), margin_r=90))
