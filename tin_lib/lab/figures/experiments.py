"""Figures of experiments: effects with intervals, curves of arms, training against validation."""

from collections.abc import Mapping

import pandas as pd
import plotly.graph_objects as go
from plotly.colors import hex_to_rgb
from plotly.subplots import make_subplots

from tin_lib.analysis.arms import Fits
from tin_lib.lab.figures import style
from tin_lib.lab.figures.training import AXES, DASHES, limit_loss

OUTCOMES = {"yes": style.PALETTE[2], "no": style.PALETTE[4], "undecided": style.PALETTE[6]}
SYMBOLS = {"yes": "circle", "no": "diamond", "undecided": "circle-open"}
MEANINGS = {"yes": "better", "no": "worse", "undecided": "undecided"}
ROW, MARGIN = 26, 130  # pixels


def effects(table: pd.DataFrame, title: str = "") -> go.Figure:
    """Differences with their 95 % intervals, one row an arm, coloured by outcome.

    ``table``: of ``arms.compare`` or ``arms.compare_values``; rows without a difference are left
    out. Accuracies or other shares, shown in percentage points.
    """
    compared = table[table["difference"].notna()]
    if compared.empty:
        return style.nothing("There is nothing to compare.")
    figure = go.Figure()
    labels = pd.Series(map(difference, compared["arm"], compared["against"]), compared.index)
    for outcome, colour in OUTCOMES.items():
        part = compared[compared["outcome"] == outcome]
        if part.empty:
            continue
        points, low, high = (100 * part[name] for name in ("difference", "low", "high"))
        bars = {"array": high - points, "arrayminus": points - low, "type": "data"}
        marker = {"color": colour, "symbol": SYMBOLS[outcome], "size": 9}
        text = [
            f"{row.difference:+.1%}, 95 % interval {row.low:+.1%} to {row.high:+.1%}, "
            f"adjusted p {row.p_adjusted:.3g}"
            for row in part.itertuples()
        ]
        trace = go.Scatter(x=points, y=labels[part.index], error_x=bars, mode="markers", text=text)
        trace.update(name=MEANINGS[outcome], marker=marker, hovertemplate="%{y}<br>%{text}")
        figure.add_trace(trace.update(showlegend=True))
    figure.add_vline(x=0, line={"color": style.TEXT, "width": 1})
    figure.update_xaxes(title="difference in validation accuracy (percentage points)")
    order = {"categoryorder": "array", "categoryarray": list(labels)[::-1]}
    figure.update_yaxes(automargin=True, showgrid=False, **order)
    legend = {"orientation": "h", "y": 1.0, "yanchor": "bottom", "x": 0}
    height = MARGIN + ROW * len(compared)
    return style.apply(figure.update_layout(title_text=title, legend=legend, height=height))


def difference(arm: str, against: str) -> str:
    """What is compared, with what both names begin with named once: "VGG-like: a − b"."""
    first, second, shared = arm.split(", "), against.split(", "), 0
    while shared < min(len(first), len(second)) - 1 and first[shared] == second[shared]:
        shared += 1
    start = ", ".join(first[:shared]) + ": " if shared else ""
    return f"{start}{', '.join(first[shared:])} − {', '.join(second[shared:])}"


def gaps(table: pd.DataFrame) -> go.Figure:
    """Training and validation accuracy of each arm, with standard deviations over the seeds.

    ``table``: of ``arms.compare``.
    """
    figure = go.Figure()
    known = table[table["val_accuracy"].notna()]
    x, y = [], []
    for row in known.itertuples():
        x += [row.train_accuracy, row.val_accuracy, None]
        y += [row.arm, row.arm, None]
    line = {"color": style.RULES, "width": 3}
    figure.add_trace(go.Scatter(x=x, y=y, mode="lines", line=line, showlegend=False))
    parts = (("train", "training", 0, "circle"), ("val", "validation", 1, "diamond"))
    for part, name, colour, symbol in parts:
        bars = {"array": known["val_std"], "type": "data"} if part == "val" else None
        marker = {"color": style.PALETTE[colour], "symbol": symbol, "size": 9}
        trace = go.Scatter(x=known[f"{part}_accuracy"], y=known["arm"], mode="markers", name=name)
        figure.add_trace(trace.update(marker=marker, error_x=bars))
    figure.update_xaxes(title="accuracy", tickformat=".0%", rangemode="tozero")
    order = {"categoryorder": "array", "categoryarray": list(known["arm"])[::-1]}
    figure.update_yaxes(automargin=True, showgrid=False, **order)
    legend = {"orientation": "h", "y": 1.0, "yanchor": "bottom", "x": 0}
    return style.apply(figure.update_layout(legend=legend, height=MARGIN + ROW * len(known)))


def curves(
    fits: Fits, measure: str = "val_accuracy", columns: Mapping[str, str] | None = None
) -> go.Figure:
    """Each arm's mean over its seeds by epoch, with the range of the seeds as a band.

    ``measure``: a column of the histories. ``columns``: the panel of each arm; None: all in one.
    Epochs that only some seeds reached are those seeds' mean.
    """
    arms = list(dict.fromkeys(arm for arm, _ in fits))
    panels = list(dict.fromkeys((columns or {}).get(arm, "") for arm in arms))
    figure = make_subplots(cols=len(panels), subplot_titles=panels, shared_yaxes=True)
    highest: dict[str, dict[str, pd.Series]] = {}  # by panel and arm
    for number, arm in enumerate(arms):
        histories = [fit.history() for (name, _), fit in fits.items() if name == arm]
        known = [each for each in histories if measure in each]
        if not known:
            continue  # all diverged in the first epoch
        by_epoch = pd.concat(known).groupby("epoch")[measure].agg(["mean", "min", "max"])
        panel = panels.index((columns or {}).get(arm, ""))
        highest.setdefault(str(panel + 1) if panel else "", {})[arm] = by_epoch["max"]
        for trace in band(by_epoch, arm, number):
            figure.add_trace(trace, row=1, col=panel + 1)
    figure.update_xaxes(title="epoch")
    figure.update_yaxes(title=AXES.get(measure, measure), col=1)
    if "accuracy" in measure or "top5" in measure:
        figure.update_yaxes(tickformat=".0%", rangemode="tozero")
    if "loss" in measure and highest:
        limit_loss(figure, {panel: pd.DataFrame(each) for panel, each in highest.items()})
    legend = {"orientation": "h", "y": -0.25, "yanchor": "top"}
    return style.apply(figure.update_layout(legend=legend, height=420, hovermode="x"))


def band(by_epoch: pd.DataFrame, arm: str, number: int) -> list[go.Scatter]:
    """A line with the band from min to max; they share an entry of the legend."""
    colour = style.PALETTE[number % len(style.PALETTE)]
    dash = DASHES[number // len(style.PALETTE) % len(DASHES)]
    red, green, blue = hex_to_rgb(colour)
    x = [*by_epoch.index, *by_epoch.index[::-1]]
    area = go.Scatter(x=x, y=[*by_epoch["max"], *by_epoch["min"][::-1]], fill="toself", mode="none")
    area.update(fillcolor=f"rgba({red},{green},{blue},0.15)", hoverinfo="skip", showlegend=False)
    line = go.Scatter(x=by_epoch.index, y=by_epoch["mean"], name=arm, showlegend=True)
    line.update(mode="lines+markers", line={"color": colour, "dash": dash})
    return [trace.update(legendgroup=arm) for trace in (area, line)]
