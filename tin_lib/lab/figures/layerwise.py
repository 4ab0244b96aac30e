"""Layer-wise pre-training: accuracy and loss over all stages, beside training from scratch."""

from collections.abc import Mapping, Sequence

import pandas as pd
import plotly.graph_objects as go
from plotly.subplots import make_subplots

from tin_lib.analysis import layerwise
from tin_lib.lab.figures import style
from tin_lib.lab.figures.experiments import band

MEASURES = {"accuracy": "Accuracy", "loss": "Loss (cross-entropy, nats)"}
PANEL_HEIGHT, TITLE_SHIFT, TOP = 280, 36, 80  # pixels


def over_stages(
    chains: layerwise.Chains, learning: Sequence[tuple[str, ...]], columns: Mapping[str, str]
) -> go.Figure:
    """Accuracy (above) and loss (below) by epoch; lines are means over seeds, bands their range.

    Solid with a band: validation; dotted: training. ``chains``: fits by (arm, seed), a single one
    where an arm is not trained in stages. ``learning``: of ``layerwise.stages``; grey lines mark
    where a stage ends, with the last layer that joins. ``columns``: the panel of each arm.
    """
    panels = list(dict.fromkeys(columns.values()))
    options = {"shared_xaxes": True, "shared_yaxes": "rows", "vertical_spacing": 0.06}
    figure = make_subplots(rows=2, cols=len(panels), column_titles=panels, **options)
    numbers: dict[str, int] = {}  # of the arms within their panel: the colours
    for arm in dict.fromkeys(arm for arm, _ in chains):
        number = numbers[arm] = sum(columns[each] == columns[arm] for each in numbers)
        histories = [layerwise.chained_history(f) for (a, _), f in chains.items() if a == arm]
        known = pd.concat(histories, ignore_index=True)
        for row, measure in enumerate(MEASURES, 1):
            for trace in _lines(known, arm, measure, number):
                shown = trace.showlegend is not False and row == 1
                trace.update(showlegend=shown)
                figure.add_trace(trace, row=row, col=1 + panels.index(columns[arm]))
    figure.update_annotations(yshift=TITLE_SHIFT)  # above the names of layers
    _mark_stages(figure, chains, learning, len(panels))
    for row, title in enumerate(MEASURES.values(), 1):
        figure.update_yaxes(title=title, row=row, col=1)
    figure.update_yaxes(tickformat=".0%", rangemode="tozero", row=1)
    figure.update_xaxes(title="epoch", row=2)
    legend = {"orientation": "h", "y": -0.15, "yanchor": "top"}
    return style.apply(
        figure.update_layout(legend=legend, height=TOP + 100 + 2 * PANEL_HEIGHT, margin_t=TOP)
    )


def _lines(history: pd.DataFrame, arm: str, measure: str, number: int) -> list[go.Scatter]:
    """The validation line with its band, and the training line."""
    if history.empty:
        return []  # every seed diverged in its first epoch
    groups = history.groupby("epoch")
    traces = band(groups[f"val_{measure}"].agg(["mean", "min", "max"]), arm, number)
    train = groups[f"train_{measure}"].mean()
    line = {"color": style.PALETTE[number % len(style.PALETTE)], "dash": "dot"}
    dotted = go.Scatter(x=train.index, y=train, mode="lines", line=line, showlegend=False)
    return [*traces, dotted.update(name=f"{arm}, training", legendgroup=arm)]


def _mark_stages(
    figure: go.Figure,
    chains: layerwise.Chains,
    learning: Sequence[tuple[str, ...]],
    panels: int,
) -> None:
    """A line where each stage ends, and above the stage the last layer that it adds."""
    chain = max(chains.values(), key=len)
    ends = layerwise.chained_history(chain).groupby("stage")["epoch"].max()
    start = 0.5
    for stage, (names, end) in enumerate(zip(layerwise.added(learning), ends, strict=False), 1):
        for column in range(1, panels + 1):
            if stage < len(ends):
                line = {"color": style.TEXT, "width": 1, "dash": "dot"}
                figure.add_vline(end + 0.5, line=line, col=column)
            text = {"text": names[-1] if names else "", "showarrow": False, "textangle": -45}
            place = {"x": (start + end + 0.5) / 2, "y": 1, "yref": "y domain", "yanchor": "bottom"}
            figure.add_annotation(**text, **place, font_size=10, row=1, col=column)
        start = end + 0.5
