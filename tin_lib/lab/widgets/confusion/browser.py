"""A browser over confusions: the matrix to zoom into, and the images behind a cell."""

import html
from pathlib import Path
from typing import Any

import ipywidgets as widgets
import pandas as pd
import plotly.graph_objects as go

from tin_lib import runs
from tin_lib.analysis import ensemble, errors
from tin_lib.data import TinyImageNet
from tin_lib.lab import figures
from tin_lib.lab.widgets.base import Browser, batch, images, opened
from tin_lib.lab.widgets.confusion import confusion_card
from tin_lib.lab.widgets.confusion.confusion_controls import Cell, Fields
from tin_lib.lab.widgets.prefetch import Pause
from tin_lib.lab.widgets.saliency.view import check_known

PAIRS = 50  # mistakes to choose from
MOST, BESIDE = 48, 6  # images shown of a cell, and of each class for comparison
MARK = "#D55E00"  # around the chosen cell: seen on all of the matrix's colours


class ConfusionBrowser(Browser):
    """See which classes are taken for which, and the images behind a cell of the matrix.

    ``run``: a run's folder, or a Run. ``data``: the data it was trained on; None opens them anew.
    ``network``: whose predictions, a network's name or ``majority vote`` or ``soft vote``; None
    takes the first. ``label``, ``predicted``: wnids of the cell to begin with, the commonest
    mistake's unless given. Classes stand in one order for all networks, which shows groups. Beside
    a file stands the probability of what it is taken for (for the majority vote, its share of the
    votes). Raises ValueError, naming the parameter, for what is unknown and for data that the run
    was not trained on.
    """

    def __init__(
        self,
        run: runs.Run | str | Path,
        data: TinyImageNet | None = None,
        network: str | None = None,
        label: str | None = None,
        predicted: str | None = None,
    ) -> None:
        super().__init__("confusion")
        self.run = opened(run)
        self.pixels = images(self.run, data).val.images
        self.names = errors.short_names(self.run.first.class_ids, self.run.first.class_names)
        self._count()
        network = network or next(iter(self.tables))
        check_known("network", [network], list(self.tables))
        self.fields = Fields(list(self.tables), self.names)
        self.matrix = self._matrix(network)
        self._compose()
        self.cell = Cell(network, *self._worst(network))
        self._switch(network)
        self._zoom()
        self.look(label, predicted)
        self.fields.on_change(self._chosen)
        self.fields.zoom.observe(lambda change: self._zoom(), "value")

    def _count(self) -> None:
        """Read every network's predictions, and find one order of the classes for all."""
        self.tables = ensemble.with_votes(self.run)
        self.counts = {
            name: errors.confusion_matrix(table, self.names) for name, table in self.tables.items()
        }
        self.order = errors.class_order(sum(self.counts.values()))  # type: ignore[arg-type]

    def _matrix(self, network: str) -> go.Figure:
        """The matrix and a mark for the cell; in a notebook with somebody to click, a widget."""
        figure = figures.errors.confusion(self.counts[network], self.names, self.order)
        marker = {"symbol": "square-open", "size": 13, "color": MARK, "line": {"width": 3}}
        mark = go.Scatter(mode="markers", marker=marker, hoverinfo="skip", showlegend=False)
        figure.add_trace(mark).update_layout(xaxis_autorange=False, yaxis_autorange=False)
        if batch():
            return figure
        shown = go.FigureWidget(figure.update_layout(width=600, height=560))
        shown.data[0].on_click(self._clicked)
        return shown

    def _compose(self) -> None:
        self.fields.layout.flex = "1 1 250px"
        top = [self.fields] if batch() else [self.matrix, self.fields]
        above = widgets.HBox(top, layout=widgets.Layout(flex_flow="row wrap"))
        self.children = [above, self.picture, self.said, self.saver]

    def _worst(self, network: str) -> tuple[str, str]:
        """The commonest mistake, or the first class where there is none."""
        pairs = errors.most_confused(self.counts[network], self.names, 1)
        if pairs.empty:
            return self.order[0], self.order[0]
        return pairs.label[0], pairs.predicted[0]

    def look(
        self, label: str | None = None, predicted: str | None = None, network: str | None = None
    ) -> None:
        """Show a cell; classes are wnids; what is not given stays.

        Raises ValueError, naming the parameter and what is known, for anything unknown.
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
            self.fields.put(self.cell)
            self.say("No class has such a name. Type a part of one, and choose.")

    def _open(self, cell: Cell) -> None:
        """Show a cell everywhere: matrix, fields, picture and words."""
        if cell.network != self.cell.network:
            self._switch(cell.network)
        self.cell = cell
        self.matrix.data[1].update(x=[self.names[cell.predicted]], y=[self.names[cell.label]])
        self.fields.put(cell)
        self.show(cell, self.words())

    def _switch(self, network: str) -> None:
        """Fill in another network's counts and mistakes."""
        counts = self.counts[network]
        new = figures.errors.confusion(counts, self.names, self.order).data[0]
        self.matrix.data[0].update(z=new.z, customdata=new.customdata)
        self.fields.offer(errors.most_confused(counts, self.names, PAIRS))

    def _zoom(self) -> None:
        """Show as many classes around the cell as chosen."""
        size = self.fields.zoom.value
        x, y = (
            min(max(self.order.index(wnid) - size // 2, 0), len(self.order) - size) - 0.5
            for wnid in (self.cell.predicted, self.cell.label)
        )
        self.matrix.update_layout(xaxis_range=[x, x + size], yaxis_range=[y + size, y])

    def _reveal(self) -> None:
        """Move the matrix to the cell where it is out of sight, as after zooming by mouse."""
        across, down = self.matrix.layout.xaxis.range, self.matrix.layout.yaxis.range
        column, row = self.order.index(self.cell.predicted), self.order.index(self.cell.label)
        if not (min(across) < column < max(across) and min(down) < row < max(down)):
            self._zoom()

    @property
    def shown(self) -> pd.DataFrame:
        """The images behind the cell, by ``errors.cell``: the most confident first."""
        return self.behind(self.cell)

    def behind(self, cell: Cell) -> pd.DataFrame:
        """The images behind any cell."""
        return errors.cell(self.tables[cell.network], cell.label, cell.predicted)

    def make(self, key: Cell, pause: Pause) -> bytes:
        """Compose a cell's picture."""
        return confusion_card.draw(self.groups(key)).png()

    def groups(self, cell: Cell) -> list[confusion_card.Group]:
        """A cell's images, then some right ones of both classes."""
        groups = [self._group("", cell, MOST)]
        for wnid in dict.fromkeys([cell.label, cell.predicted]):
            right = cell._replace(label=wnid, predicted=wnid)
            if right != cell:
                groups.append(self._group("for comparison: ", right, BESIDE))
        return groups

    def _group(self, before: str, cell: Cell, most: int) -> confusion_card.Group:
        rows = self.behind(cell)
        first = rows.head(most)
        cut = f" (the {most} most confident)" if len(rows) > most else ""
        title = f"{before}{self.title(cell)}: {self.count(cell)}{cut}"
        return confusion_card.Group(title, self.pixels[first.row.to_numpy()], _captions(first))

    def title(self, cell: Cell) -> str:
        """A cell in words."""
        if cell.label == cell.predicted:
            return f"{self.names[cell.label]}, found by {cell.network}"
        label, predicted = self.names[cell.label], self.names[cell.predicted]
        return f"{label} taken for {predicted} by {cell.network}"

    def count(self, cell: Cell) -> str:
        """A cell's number of images, and its share of the label's."""
        counts = self.counts[cell.network].loc[cell.label]
        count, all_images = counts[cell.predicted], counts.sum()
        return f"{count} of {all_images} images, {count / max(all_images, 1):.0%}"

    def words(self) -> str:
        """The picture in words: the files behind the cell with the network's probabilities."""
        first = f"<b>{html.escape(self.title(self.cell))}</b>: {self.count(self.cell)}"
        files = ", ".join(_captions(self.shown)) or "no image"
        return f"{first}<br>{html.escape(files)}<br><code>{html.escape(self.link())}</code>"

    def link(self) -> str:
        """The call that shows this cell again."""
        given = "".join(f", {name}={value!r}" for name, value in self.cell._asdict().items())
        return f"ConfusionBrowser({str(self.run.path)!r}{given})"

    def plain(self) -> str:
        """The cell in words."""
        return self.title(self.cell)

    def _ipython_display_(self) -> None:
        """With nobody to click, the matrix to zoom into and the picture; else the widget."""
        from IPython.display import Image, display

        if not batch():
            raise NotImplementedError  # IPython then takes _repr_mimebundle_
        display(self.matrix)
        display(Image(self.png(), alt=self.plain()))


def _captions(rows: pd.DataFrame) -> list[str]:
    return [f"{file} {share:.0%}" for file, share in zip(rows.file, rows.probability)]
