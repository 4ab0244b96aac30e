"""Figures of the paper's explanation of errors: accuracy by box, and the regression on boxes."""

import pandas as pd
import plotly.graph_objects as go
from plotly.subplots import make_subplots

from tin_lib.analysis.errors.boxes import PROPERTIES
from tin_lib.lab.figures import style

VIEWS = {"all images": 0, "within classes": 4, "across classes": 2}  # view -> colour's number
MODELS = {
    "alone": ("circle-open", "one property at a time"),
    "together": ("circle", "all four together"),
}


def accuracy_by_box(binned: pd.DataFrame) -> go.Figure:
    """Accuracy in bins of each property, from the lowest to the highest, with 95 % intervals.

    ``binned``: rows of ``errors.accuracy_by_box`` for one view or several. The mouse shows the
    limits of a bin.
    """
    titles = [PROPERTIES[name].replace(" (", "<br>(") for name in PROPERTIES]
    figure = make_subplots(cols=2, rows=2, shared_yaxes=True, subplot_titles=titles)
    for place, name in enumerate(PROPERTIES):
        row, column = place // 2 + 1, place % 2 + 1
        for view, rows in binned[binned.property == name].groupby("view", sort=False):
            trace = _line(rows, str(view)).update(showlegend=place == 0)
            figure.add_trace(trace, row=row, col=column)
        figure.update_yaxes(title="accuracy" if column == 1 else "", row=row, col=column)
    figure.update_xaxes(tickvals=[0, 1], ticktext=["lowest", "highest"], range=[-0.1, 1.1])
    figure.update_xaxes(zeroline=False)
    cut = list(PROPERTIES).index("cut")
    figure.update_xaxes(ticktext=["no", "yes"], row=cut // 2 + 1, col=cut % 2 + 1)
    figure.update_yaxes(tickformat=".0%")
    figure.update_layout(height=640, legend={"orientation": "h", "y": -0.08}, margin={"t": 60})
    return style.apply(figure)


def _line(rows: pd.DataFrame, view: str) -> go.Scatter:
    colour = style.PALETTE[VIEWS[view]]
    shift = (list(VIEWS).index(view) - 1) * 0.015  # so that the views' intervals do not overlap
    reach = {"array": rows.high - rows.accuracy, "arrayminus": rows.accuracy - rows.low}
    return go.Scatter(
        x=rows.bin / max(rows.bin.max(), 1) + shift,
        y=rows.accuracy,
        name=view,
        legendgroup=view,
        line={"color": colour},
        marker={"size": 8},
        error_y={"type": "data", "symmetric": False, "thickness": 1.5, "width": 3, **reach},
        customdata=rows[["start", "end", "images"]].to_numpy(),
        hovertemplate=f"{view}: %{{customdata[0]:.2f}} to %{{customdata[1]:.2f}}, "
        "%{customdata[2]} images, %{y:.1%} correct<extra></extra>",
    )


def coefficients(regression: pd.DataFrame) -> go.Figure:
    """Odds ratios of a correct prediction with their intervals, a panel for each view.

    ``regression``: from ``errors.box_regression``. Above 1 the odds increase. The labels give the
    direction that the paper's explanation implies; properties without an estimate stay empty.
    """
    known = regression[regression.coefficient.notna()]
    views = list(dict.fromkeys(known["view"]))
    if not views:
        return style.nothing(f"no estimate: {', '.join(dict.fromkeys(regression.note))}")
    figure = make_subplots(cols=len(views), shared_yaxes=True, subplot_titles=views)
    for column, view in enumerate(views, start=1):
        for model in MODELS:
            rows = known[(known["view"] == view) & (known.model == model)]
            figure.add_trace(_forest(rows, model).update(showlegend=column == 1), row=1, col=column)
    figure.add_vline(x=1, line_dash="dash", line_color=style.TEXT)
    figure.update_xaxes(title="odds ratio", type="log", **_log_ticks(known))
    figure.update_yaxes(range=[len(PROPERTIES) - 0.5, -0.5], tickvals=[*range(len(PROPERTIES))])
    figure.update_yaxes(ticktext=_labels(regression), showgrid=False, zeroline=False)
    figure.update_layout(height=420, legend={"orientation": "h", "y": -0.25})
    return style.apply(figure)


def _forest(rows: pd.DataFrame, model: str) -> go.Scatter:
    symbol, name = MODELS[model]
    colour = style.PALETTE[1 if model == "alone" else 0]
    shift = -0.12 if model == "alone" else 0.12
    reach = {
        "array": rows.odds_high - rows.odds_ratio,
        "arrayminus": rows.odds_ratio - rows.odds_low,
    }
    return go.Scatter(
        x=rows.odds_ratio,
        y=[list(PROPERTIES).index(each) + shift for each in rows.property],
        name=name,
        legendgroup=model,
        mode="markers",
        marker={"symbol": symbol, "size": 10, "color": colour, "line": {"width": 2}},
        error_x={"type": "data", "symmetric": False, "thickness": 2, "width": 4, **reach},
        customdata=rows[["odds_low", "odds_high", "unit"]].to_numpy(),
        hovertemplate="%{customdata[2]}: odds ratio %{x:.2f} (%{customdata[0]:.2f} to "
        f"%{{customdata[1]:.2f}}), {name}<extra></extra>",
    )


def _log_ticks(known: pd.DataFrame) -> dict[str, list[float]]:
    """Ticks at round ratios within the range of the intervals."""
    low, high = min(known.odds_low.min(), 0.8), max(known.odds_high.max(), 1.25)
    round_ratios = [0.1, 0.2, 0.5, 0.7, 1, 1.4, 2, 5, 10]
    if high / low > 100:  # the others would be too many
        round_ratios = [10.0**power for power in range(-9, 10)]
    return {"tickvals": [ratio for ratio in round_ratios if low <= ratio <= high]}


def _labels(regression: pd.DataFrame) -> list[str]:
    rows = regression.drop_duplicates("property").set_index("property")
    return [f"{rows.unit[name]}<br><i>expected {rows.expected[name]}</i>" for name in PROPERTIES]
