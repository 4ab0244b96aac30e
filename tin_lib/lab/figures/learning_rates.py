"""Figures of learning rates: training at several rates side by side, and range tests."""

from collections.abc import Mapping
from typing import Any

import numpy as np
import pandas as pd
import plotly.graph_objects as go
from plotly.subplots import make_subplots

from tin_lib import catalog
from tin_lib.analysis.arms import AnyFit, DivergedFit, Fits
from tin_lib.analysis.lr_range import Tests
from tin_lib.lab.figures import style
from tin_lib.lab.figures.experiments import band
from tin_lib.lab.figures.training import AXES

Panel = tuple[str, str]  # network and optimizer
PANEL_HEIGHT = 260  # pixels
KINDS = {
    "steepest": ("steepest descent", "solid"),
    "tenth": ("a tenth of the rate with the smallest loss", "dash"),
}


def by_rate(fits: Fits, panels: Mapping[str, Panel], measure: str = "train_loss") -> go.Figure:
    """A panel for each network (column) and optimizer (row), with a line for each rate.

    A line is the mean of the seeds by epoch, its band their range. A cross marks where a fit
    diverged. ``panels``: network and optimizer of each arm; ``measure``: a column of the histories.
    """
    columns, rows = (list(dict.fromkeys(pair[i] for pair in panels.values())) for i in (0, 1))
    titles = [f"{catalog.title(network)}, {optimizer}" for optimizer in rows for network in columns]
    figure = make_subplots(rows=len(rows), cols=len(columns), subplot_titles=titles)
    rates = sorted({float(fit.recipe["lr"]) for fit in fits.values()})
    (bottom, top), shown = _limits(fits, measure), set()
    for arm, (network, optimizer) in panels.items():
        place = {"row": 1 + rows.index(optimizer), "col": 1 + columns.index(network)}
        own = [fit for (name, _), fit in fits.items() if name == arm]
        rate = float(own[0].recipe["lr"])
        for trace in _lines(own, measure, f"{rate:g}", rates.index(rate), top):
            first = trace.showlegend is not False and rate not in shown
            shown |= {rate} if first else set()
            figure.add_trace(trace.update(showlegend=first), **place)
    few = max(int(fit.recipe["epochs"]) for fit in fits.values()) <= 12
    figure.update_xaxes(dtick=1 if few else None)
    figure.update_xaxes(title="epoch", row=len(rows))
    figure.update_yaxes(range=[bottom, 1.05 * top])
    figure.update_yaxes(title=AXES.get(measure, measure), col=1)
    if "accuracy" in measure:
        figure.update_yaxes(tickformat=".0%")
    figure.update_layout(legend_title="learning rate", height=80 + PANEL_HEIGHT * len(rows))
    return style.apply(figure)


def _limits(fits: Fits, measure: str) -> tuple[float, float]:
    """The ends of the vertical axis: losses on the way to divergence are cut off."""
    known = [fit.history() for fit in fits.values()]
    values = np.concatenate([[], *(each[measure] for each in known if measure in each)])
    if not len(values):
        return 0.0, 1.0  # all diverged in the first epoch
    highest = float(values.max())
    if "loss" in measure:
        return 0.95 * float(values.min()), min(highest, 2 * float(np.median(values)))
    return 0.0, highest or 1.0


def _lines(
    fits: list[AnyFit], measure: str, name: str, number: int, top: float
) -> list[go.Scatter]:
    """Band, line and crosses of one arm."""
    histories = [each for each in (fit.history() for fit in fits) if measure in each]
    traces = []
    if histories:
        by_epoch = pd.concat(histories).groupby("epoch")[measure].agg(["mean", "min", "max"])
        traces += band(by_epoch, name, number)
    gone = [fit for fit in fits if isinstance(fit, DivergedFit)]
    if gone:
        ends = [_end(fit, measure, top) for fit in gone]
        colour = style.PALETTE[number % len(style.PALETTE)]
        cross = go.Scatter(x=[fit.epoch for fit in gone], y=ends, mode="markers", legendgroup=name)
        marker = {"symbol": "x", "size": 11, "color": colour}
        hover = f"{name}: diverged in epoch %{{x}}<extra></extra>"
        traces.append(cross.update(name=name, marker=marker, hovertemplate=hover))
    return traces


def _end(fit: DivergedFit, measure: str, top: float) -> float:
    """Where to mark a divergence: at the last value, else at the end where diverging leads."""
    history = fit.history()
    if measure in history:
        return min(float(history[measure].iloc[-1]), top)
    return top if "loss" in measure else 0.0


def range_tests(tests: Tests, spread: pd.DataFrame, tried: pd.DataFrame) -> go.Figure:
    """Range tests above, and the accuracies at the rates tried below; a column for each network.

    ``tests``: tables of ``lr_range.range_test`` by (network, seed); ``spread``: of
    ``lr_range.spread``, drawn as lines with the range of the seeds as a band; ``tried``: of
    ``conclusions.learning_rates.rate_table``.
    """
    networks = list(dict.fromkeys(name for name, _ in tests))
    titles = [catalog.title(name) for name in networks]
    options: dict[str, Any] = {"shared_xaxes": True, "vertical_spacing": 0.08}
    figure = make_subplots(rows=2, cols=len(networks), subplot_titles=titles, **options)
    for column, network in enumerate(networks, 1):
        for (name, seed), table in tests.items():
            if name == network:
                figure.add_trace(_curve(table, seed), row=1, col=column)
        for trace in _accuracies(tried[tried["network"] == network], column == 1):
            figure.add_trace(trace, row=2, col=column)
        for row in spread[spread["name"] == network].dropna(subset=["mean"]).itertuples():
            _mark(figure, row, column)
    figure.update_xaxes(type="log", dtick=2, exponentformat="power")
    figure.update_xaxes(title="learning rate", row=2)
    figure.update_yaxes(title="smoothed loss (nats)", row=1, col=1)
    figure.update_yaxes(title=AXES["val_accuracy"], row=2, col=1)
    figure.update_yaxes(tickformat=".0%", rangemode="tozero", row=2)
    legend = {"orientation": "h", "y": -0.15, "yanchor": "top"}
    return style.apply(figure.update_layout(height=560, legend=legend))


def _curve(table: pd.DataFrame, seed: object) -> go.Scatter:
    """The smoothed loss by rate of one range test."""
    line = {"color": style.PALETTE[6], "width": 1.5}
    curve = go.Scatter(x=table["lr"], y=table["smoothed"], mode="lines", line=line)
    return curve.update(name=f"seed {seed}", showlegend=False)


def _accuracies(tried: pd.DataFrame, showlegend: bool) -> list[go.Scatter]:
    """Accuracies at the rates tried, a line for each optimizer."""
    traces = []
    for number, (optimizer, part) in enumerate(tried.groupby("optimizer", sort=False)):
        part = part.sort_values("rate")
        bars = {"array": part["val_std"], "type": "data"}
        marker = {"color": style.PALETTE[number], "size": 8}
        points = go.Scatter(x=part["rate"], y=part["val_accuracy"], error_y=bars, marker=marker)
        points.update(mode="lines+markers", name=str(optimizer), legendgroup=str(optimizer))
        traces.append(points.update(showlegend=showlegend))
    return traces


def _mark(figure: go.Figure, row: Any, column: int) -> None:
    """A suggestion's mean as a line with the range of the seeds, through both rows."""
    text, dash = KINDS[row.kind]
    colour = style.PALETTE[2] if row.kind == "steepest" else style.PALETTE[3]
    for place in (1, 2):
        figure.add_vrect(row.low, row.high, fillcolor=colour, opacity=0.12, row=place, col=column)
        line = {"color": colour, "dash": dash}
        figure.add_vline(row.mean, line=line, row=place, col=column)
    if column == 1:
        key = go.Scatter(x=[None], y=[None], mode="lines", name=f"suggested: {text}", line=line)
        figure.add_trace(key, row=1, col=1)
