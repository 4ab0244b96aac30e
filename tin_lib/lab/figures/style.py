"""Common style of all figures: text for light and dark pages, a palette for colour blindness."""

import os
from typing import Any

import pandas as pd
import plotly.graph_objects as go
import plotly.io
from plotly.io.base_renderers import ExternalRenderer

from tin_lib.progress import batch_run

# Okabe and Ito, "Color Universal Design" (2008), without its black (lost on a dark page) and its
# yellow (lost on a white one).
PALETTE = ("#0072B2", "#E69F00", "#009E73", "#CC79A7", "#D55E00", "#56B4E9", "#8C8C8C")
# Contrast 4.3 to white and 4.4 to JupyterLab's dark background: no colour has 4.5 to both, which is
# why the page's own replaces it, by report.js in the report and by THEMED in a notebook.
TEXT = "#7A7A7A"
STANDOFF = 5  # pixels between an axis and its names, which a marker at its start would touch
RULES = "rgba(128,128,128,0.3)"


THEMED = """<style>
.js-plotly-plot text[style*="fill: rgb(122, 122, 122)"] { fill: currentColor !important }
</style>"""
KEPT = "plotly_mimetype"  # plotly's default in a kernel: JupyterLab draws it, an HTML page cannot


class PageColours(ExternalRenderer):
    """Shows beside a figure the style sheet that gives its text the colour of the page's."""

    def render(self, figure: dict[str, Any]) -> None:
        """Show the style sheet; ``figure`` is shown by plotly itself."""
        from IPython.display import HTML, display

        display(HTML(THEMED))  # type: ignore[no-untyped-call]


def choose_renderer() -> None:
    """In a live notebook, let figures have the page's text colour; in one that runs unattended, as
    under ``jupyter nbconvert --execute --to html``, also keep them as HTML, which an exported page
    draws. PLOTLY_RENDERER and ``tin run`` decide otherwise."""
    if os.environ.get("PLOTLY_RENDERER") or plotly.io.renderers.default != KEPT:
        return
    if batch_run():
        plotly.io.renderers.default = f"{KEPT}+sphinx_gallery"  # HTML without another output
    else:
        plotly.io.renderers["page_colours"] = PageColours()
        plotly.io.renderers.default = f"{KEPT}+page_colours"


def nothing(text: str) -> go.Figure:
    """Return a figure with a text that says why there is nothing to draw."""
    figure = go.Figure()
    figure.add_annotation(text=text, showarrow=False, xref="paper", yref="paper", x=0.5, y=0.5)
    figure.update_xaxes(visible=False)
    figure.update_yaxes(visible=False)
    return apply(figure.update_layout(height=120, margin={"t": 10, "b": 10}))


def reach(centre: pd.Series, low: pd.Series, high: pd.Series) -> dict[str, object]:
    """Error bars from the limits of an interval."""
    ends = {"array": high - centre, "arrayminus": centre - low}
    return {"type": "data", "symmetric": False, "thickness": 1, "width": 0, **ends}


def apply(figure: go.Figure) -> go.Figure:
    """Apply the common style (transparent background, gray text, palette) and return the figure."""
    choose_renderer()
    if figure.layout.margin.t is None:  # plotly's default is 100 pixels, even without a title
        figure.update_layout(margin_t=60 if figure.layout.title.text else 40)
    axis = {"gridcolor": RULES, "zerolinecolor": RULES, "linecolor": TEXT}
    return (
        figure.update_layout(
            colorway=PALETTE,
            font={"color": TEXT},
            modebar={"remove": ["sendChartToCloud"]},  # uploads nothing to anywhere
            paper_bgcolor="rgba(0,0,0,0)",
            plot_bgcolor="rgba(0,0,0,0)",
        )
        .update_xaxes(axis)
        .update_yaxes(axis | {"ticklabelstandoff": STANDOFF})
    )
