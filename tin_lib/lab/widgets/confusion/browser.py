"""A browser of confusions: the matrix, which can be zoomed, and the images of a cell."""

import html
from pathlib import Path
from typing import Any

import ipywidgets as widgets
import pandas as pd
import plotly.graph_objects as go

from tin_lib import catalog
from tin_lib.analysis import ensemble, errors, runs
from tin_lib.data import TinyImageNet
from tin_lib.lab import figures
from tin_lib.lab.widgets.base import Browser, data_of
from tin_lib.lab.widgets.confusion import confusion_card
from tin_lib.lab.widgets.confusion.confusion_controls import Cell, ConfusionControls
from tin_lib.lab.widgets.prefetch import Pause
from tin_lib.lab.widgets.saliency.view import check_known

PAIRS = 50  # errors to choose from
MOST, BESIDE = 48, 6  # images shown of a cell, and of each class for comparison
MARK = "#D55E00"  # around the chosen cell: visible on all colours of the matrix


class ConfusionBrowser(Browser):
    """See which classes are confused, and the images of a cell of the matrix.

    ``run``: a run or its folder. ``data``: the data it was trained on; None opens them.
    ``network``: a network's name, ``majority vote`` or ``soft vote``; None takes the first.
    ``label``, ``predicted``: class ids of the first cell, by default the most frequent error.
    Classes have the same order for all networks, in which similar ones are neighbours. Beside a
    file is the probability of its prediction (for the majority vote, the share of votes). Raises
    ValueError, naming the parameter, for unknown values and for data that the run was not trained
    on.
    """

    def __init__(
        self,
        run: runs.Run | str | Path,
        data: TinyImageNet | None = None,
        network: str | None = None,
        label: str | None = None,
        predicted: str | None = None,
    ) -> None:
        super().__init__(run, "confusion")
        self.pixels = data_of(self.run, data).val.images
        self.names = errors.short_names(self.run.first.class_ids, self.run.first.class_names)
        self._count()
        network = network or next(iter(self.tables))
        check_known("network", [network], list(self.tables))
        self.controls = ConfusionControls(list(self.tables), self.names)
        self.matrix = self._matrix(network)
        self._compose()
        self.cell = Cell(network, *self._worst(network))
        self._switch(network)
        self._zoom()
        self.look(label, predicted)
        self.controls.on_change(self._chosen)
        self.controls.zoom.observe(lambda change: self._zoom(), "value")

    def _count(self) -> None:
        """Count every network's predictions, and find one order of the classes for all."""
        self.tables = ensemble.with_votes(self.run)
        self.counts = {
            name: errors.confusion_matrix(table, self.names) for name, table in self.tables.items()
        }
        self.order = errors.class_order(sum(self.counts.values()))  # type: ignore[arg-type]

    def _matrix(self, network: str) -> go.Figure:
        """Return the matrix with a mark for the cell; a widget if live."""
        figure = figures.errors.confusion(self.counts[network], self.names, self.order)
        marker = {"symbol": "square-open", "size": 13, "color": MARK, "line": {"width": 3}}
        mark = go.Scatter(mode="markers", marker=marker, hoverinfo="skip", showlegend=False)
        figure.add_trace(mark).update_layout(xaxis_autorange=False, yaxis_autorange=False)
        if not self.live:
            return figure
        shown = go.FigureWidget(figure.update_layout(width=600, height=560))
        shown.data[0].on_click(self._clicked)
        return shown

    def _compose(self) -> None:
        self.controls.layout.flex = "1 1 250px"
        top = [self.matrix, self.controls] if self.live else [self.controls]
        above = widgets.HBox(top, layout=widgets.Layout(flex_flow="row wrap"))
        self.children = [above, self.picture, self.message, self.saver]

    def close(self) -> None:
        """Close the widget and end its thread."""
        if self.live:
            self.matrix.data[0].on_click(None)  # the figure outlives its closing, within plotly
        super().close()

    def _worst(self, network: str) -> tuple[str, str]:
        """Return the most frequent error, or the first class if there is none."""
        pairs = errors.most_confused(self.counts[network], self.names, 1)
        if pairs.empty:
            return self.order[0], self.order[0]
        return pairs.label[0], pairs.predicted[0]

    def look(
        self, label: str | None = None, predicted: str | None = None, network: str | None = None
    ) -> None:
        """Show a cell; classes are ids; parameters that are not given stay.

        Raises ValueError, naming the parameter and the known values, for an unknown value.
        """
        cell = Cell(
            network or self.cell.network,
            label or self.cell.label,
            predicted or self.cell.predicted,
        )
        check_known("network", [cell.network], list(self.tables))
        check_known("label", [cell.label], list(self.names))
        check_known("predicted", [cell.predicted], list(self.names))
        self._open(cell)
        self._reveal()

    def _clicked(self, trace: Any, points: Any, state: Any) -> None:
        row, column = points.point_inds[0]
        self._open(self.cell._replace(label=self.order[row], predicted=self.order[column]))

    def _chosen(self, cell: Cell) -> None:
        if cell.label and cell.predicted:
            self._open(cell)
            self._reveal()
        else:
            self.controls.put(self.cell)
            self.set_message("No class has this name. Type a part of a name and choose.")

    def _open(self, cell: Cell) -> None:
        """Show a cell in matrix, controls, picture and message."""
        if cell.network != self.cell.network:
            self._switch(cell.network)
        self.cell = cell
        self.matrix.data[1].update(x=[self.names[cell.predicted]], y=[self.names[cell.label]])
        self.controls.put(cell)
        self.show(cell, self.describe())

    def _switch(self, network: str) -> None:
        """Show another network's counts and errors."""
        counts = self.counts[network]
        new = figures.errors.confusion(counts, self.names, self.order).data[0]
        self.matrix.data[0].update(z=new.z, customdata=new.customdata)
        self.controls.offer(errors.most_confused(counts, self.names, PAIRS))

    def _zoom(self) -> None:
        """Show as many classes around the cell as chosen."""
        size = self.controls.zoom.value
        x, y = (
            min(max(self.order.index(wnid) - size // 2, 0), len(self.order) - size) - 0.5
            for wnid in (self.cell.predicted, self.cell.label)
        )
        self.matrix.update_layout(xaxis_range=[x, x + size], yaxis_range=[y + size, y])

    def _reveal(self) -> None:
        """Move the matrix if the cell is not visible, for instance after zooming by mouse."""
        across, down = self.matrix.layout.xaxis.range, self.matrix.layout.yaxis.range
        column, row = self.order.index(self.cell.predicted), self.order.index(self.cell.label)
        if not (min(across) < column < max(across) and min(down) < row < max(down)):
            self._zoom()

    @property
    def shown(self) -> pd.DataFrame:
        """The cell's images, from ``errors.cell``: the most confident first."""
        return self.behind(self.cell)

    def behind(self, cell: Cell) -> pd.DataFrame:
        """Return the images of any cell."""
        return errors.cell(self.tables[cell.network], cell.label, cell.predicted)

    def make(self, key: Cell, pause: Pause) -> bytes:
        """Draw a cell's picture."""
        return confusion_card.draw(self.groups(key)).png()

    def groups(self, cell: Cell) -> list[confusion_card.Group]:
        """Return a cell's images, then some correct ones of both classes."""
        groups = [self._group("", cell, MOST)]
        for wnid in dict.fromkeys([cell.label, cell.predicted]):
            correct = cell._replace(label=wnid, predicted=wnid)
            if correct != cell:
                groups.append(self._group("for comparison: ", correct, BESIDE))
        return groups

    def _group(self, before: str, cell: Cell, most: int) -> confusion_card.Group:
        rows = self.behind(cell)
        first = rows.head(most)
        cut = f" (the {most} most confident)" if len(rows) > most else ""
        title = f"{before}{self.title(cell)}: {self.count(cell)}{cut}"
        return confusion_card.Group(title, self.pixels[first.row.to_numpy()], _captions(first))

    def title(self, cell: Cell) -> str:
        """Describe a cell in a few words."""
        network = catalog.title(cell.network)
        if cell.label == cell.predicted:
            return f"{self.names[cell.label]}, correctly predicted by {network}"
        label, predicted = self.names[cell.label], self.names[cell.predicted]
        return f"{label} predicted as {predicted} by {network}"

    def count(self, cell: Cell) -> str:
        """Return a cell's number of images, and its share of the label's."""
        counts = self.counts[cell.network].loc[cell.label]
        count, all_images = counts[cell.predicted], counts.sum()
        return f"{count} of {all_images} images, {count / max(all_images, 1):.0%}"

    def describe(self) -> str:
        """Describe the picture in HTML: the cell's files with their probabilities."""
        first = f"<b>{html.escape(self.title(self.cell))}</b>: {self.count(self.cell)}"
        files = ", ".join(_captions(self.shown)) or "no image"
        return f"{first}<br>{html.escape(files)}<br>{self.link_html()}"

    @property
    def view(self) -> dict[str, Any]:
        """Parameters that open this cell again: ``ConfusionBrowser(run, **browser.view)``."""
        return self.cell._asdict()

    def plain(self) -> str:
        """Return the cell as one line of text."""
        return self.title(self.cell)

    def _ipython_display_(self) -> None:
        """Display the widget if live, else the matrix as a figure and the picture."""
        from IPython.display import Image, display

        if self.live:
            raise NotImplementedError  # IPython then uses _repr_mimebundle_
        display(self.matrix)
        display(Image(self.png(), alt=self.plain()))


def _captions(rows: pd.DataFrame) -> list[str]:
    return [f"{file} {share:.0%}" for file, share in zip(rows.file, rows.probability)]
