"""A browser of confusions: the matrix, which can be zoomed, and the images of a cell."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import plotly.graph_objects as go

from tin_lib.analysis import runs
from tin_lib.data import TinyImageNet
from tin_lib.lab import figures
from tin_lib.lab.widgets import module
from tin_lib.lab.widgets.confusion.cells import Cell, Cells, Group
from tin_lib.lab.widgets.saliency.view import check_known

ZOOMS = (50, 20, 5)  # classes around the cell
MARK = "#D55E00"  # around the chosen cell: visible on all colours of the figure
SIDE = 104  # pixels of a tile's side


class ConfusionBrowser(module.Browser):
    """See which classes are confused, and the images of a cell of the matrix.

    ``run``: a run or its folder. ``data``: the data it was trained on; None opens them.
    ``network``: a network's name, ``majority vote`` or ``soft vote``; None takes the first.
    ``label``, ``predicted``: class ids of the first cell, by default the most frequent error.
    ``zoom``: classes around the cell that are shown, 50, 20 or 5; 0 for all. ``page``: whether it
    is alone on a web page. Classes have the same order for all networks, in which similar ones are
    neighbours. With each file is the probability of its prediction (for the majority vote, the
    share of votes). Raises ValueError, naming the parameter, for unknown values and for data that
    the run was not trained on.
    """

    _esm = module.module("confusion")

    def __init__(
        self,
        run: runs.Run | str | Path,
        data: TinyImageNet | None = None,
        network: str | None = None,
        label: str | None = None,
        predicted: str | None = None,
        zoom: int = 0,
        page: bool = False,
    ) -> None:
        super().__init__(module.as_run(run), page)
        self.pixels = module.data_of(self.run, data).val.images
        self.cells = Cells(self.run)
        self.zooms = [size for size in ZOOMS if size < len(self.cells.order)]
        self.description = self.cells.describe() | {"zooms": self.zooms}
        network = network or next(iter(self.cells.tables))
        check_known("network", [network], list(self.cells.tables))
        self.state = self.cells.worst(network)._asdict()
        self.look(label, predicted, network, zoom)

    def look(
        self,
        label: str | None = None,
        predicted: str | None = None,
        network: str | None = None,
        zoom: int | None = None,
    ) -> None:
        """Show a cell; classes are ids; parameters that are not given stay.

        Raises ValueError, naming the parameter and the known values, for an unknown value.
        """
        given = {"network": network, "label": label, "predicted": predicted}
        cell = self._checked(self.cell._asdict() | {k: v for k, v in given.items() if v})
        zoom = self.state.get("zoom", 0) if zoom is None else zoom
        if zoom not in (0, *self.zooms):
            known = ", ".join(map(str, [*self.zooms, "0 for all classes"]))
            raise ValueError(f"zoom: {zoom!r} is not one of {known}")
        self.state = cell._asdict() | ({"zoom": int(zoom)} if zoom else {})

    def _checked(self, asked: Mapping[str, Any]) -> Cell:
        cell = Cell(asked["network"], asked["label"], asked["predicted"])
        check_known("network", [cell.network], list(self.cells.tables))
        check_known("label", [cell.label], list(self.cells.names))
        check_known("predicted", [cell.predicted], list(self.cells.names))
        return cell

    @property
    def cell(self) -> Cell:
        """The chosen cell."""
        return Cell(self.state["network"], self.state["label"], self.state["predicted"])

    @property
    def shown(self) -> pd.DataFrame:
        """The cell's images, from ``errors.cell``: the most confident first."""
        return self.behind(self.cell)

    def behind(self, cell: Cell) -> pd.DataFrame:
        """Return the images of any cell."""
        return self.cells.behind(cell)

    def groups(self, cell: Cell) -> list[Group]:
        """Return a cell's images, then some correct ones of both classes."""
        return self.cells.groups(cell)

    def answer(self, kind: str, request: Mapping[str, Any]) -> tuple[dict[str, Any], list[bytes]]:
        """Answer the page: the images of a cell, and some correct ones of both classes.

        The bytes are the images', uint8 (3, 64, 64) each, group by group.
        """
        if kind != "cell":
            raise ValueError(f"kind={kind!r}: choose cell")
        groups = self.groups(self._checked(request))
        rows = np.concatenate([rows.row.to_numpy(np.int64) for _, rows in groups])
        described = [
            {
                "label": cell.label,
                "predicted": cell.predicted,
                "files": rows.file.tolist(),
                "probabilities": rows.probability.round(4).tolist(),
            }
            for cell, rows in groups
        ]
        return {"groups": described}, [np.ascontiguousarray(self.pixels[rows]).tobytes()]

    def figure(self) -> go.Figure:
        """Return the network's matrix as a figure, with a mark for the cell."""
        cell, names = self.cell, self.cells.names
        counts = self.cells.counts[cell.network]
        figure = figures.errors.confusion(counts, names, self.cells.order)
        marker = {"symbol": "square-open", "size": 13, "color": MARK, "line": {"width": 3}}
        mark = go.Scatter(
            x=[names[cell.predicted]],
            y=[names[cell.label]],
            mode="markers",
            marker=marker,
            hoverinfo="skip",
            showlegend=False,
        )
        return figure.add_trace(mark).update_layout(xaxis_autorange=False, yaxis_autorange=False)

    def still(self) -> str:
        """Return the cell's images, and the correct ones beside them, as HTML without scripts."""
        parts = [self._still_group(*group) for group in self.groups(self.cell)]
        return f'<div class="tin-still">{"".join(parts)}</div>'

    def _still_group(self, cell: Cell, rows: pd.DataFrame) -> str:
        before = "" if cell == self.cell else "For comparison: "
        title = f"<h4>{module.text(f'{before}{self.cells.title(cell)}')}</h4>"
        count = f"<p>{self.cells.count(cell)}</p>"
        tiles = [
            module.still_tile(f"{file} {100 * share:.0f}\u00a0%", np.array(self.pixels[row]), SIDE)
            for file, share, row in zip(rows.file, rows.probability, rows.row)
        ]
        return title + count + module.still_row(tiles)

    def _ipython_display_(self) -> None:
        """Display the widget if live, else the matrix as a figure and the cell's images."""
        from IPython.display import HTML, display

        if self.live:
            raise NotImplementedError  # IPython then uses _repr_mimebundle_
        display(self.figure())
        display(HTML(self.still()))
