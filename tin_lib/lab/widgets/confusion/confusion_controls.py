"""The fields beside a confusion matrix: they choose a cell without a mouse."""

from collections.abc import Callable, Mapping, Sequence
from typing import Any, NamedTuple

import ipywidgets as widgets
import pandas as pd

from tin_lib.lab.widgets.base import WIDE, combobox, find

ZOOMS = (50, 20, 5)  # classes around the cell


class Cell(NamedTuple):
    """A cell of a network's confusion matrix; classes are wnids."""

    network: str
    label: str
    predicted: str


class Fields(widgets.VBox):
    """What chooses a cell. ``names``: wnid -> name."""

    def __init__(self, networks: Sequence[str], names: Mapping[str, str]) -> None:
        self.names = dict(names)
        self.network = _dropdown("network", networks, "whose predictions")
        self.label = combobox("true class", list(names.values()), "the images' label")
        tip = "what the network takes the images for"
        self.predicted = combobox("taken for", list(names.values()), tip)
        self.label.placeholder = self.predicted.placeholder = "type to search"
        zooms = [(f"{size} around the cell", size) for size in ZOOMS if size < len(names)]
        zooms = [("all classes", len(names)), *zooms]
        self.zoom = _dropdown("zoom", zooms, "how much of the matrix is shown")
        self.pairs = widgets.Select(
            rows=14,
            description="mistakes",
            tooltip="the commonest mistakes, by share of the label's images",
            style=WIDE,
        )
        self.quiet = False
        fields = [self.network, self.label, self.predicted, self.zoom, self.pairs]
        for field in fields:
            field.layout.width = "auto"  # as wide as there is room
        super().__init__(fields)

    def offer(self, pairs: pd.DataFrame) -> None:
        """List the commonest mistakes; ``pairs``: by ``errors.most_confused``."""
        self.quiet = True
        self.pairs.options = [
            (f"{n} of {p.images}: {p.label_name} → {p.predicted_name}", (p.label, p.predicted))
            for p, n in zip(pairs.itertuples(), pairs["count"])
        ]
        self.quiet = False

    def put(self, cell: Cell) -> None:
        """Set the fields to a cell, without calling back."""
        self.quiet = True
        self.network.value = cell.network
        self.label.value, self.predicted.value = self.names[cell.label], self.names[cell.predicted]
        listed = [pair for _, pair in self.pairs.options]
        pair = (cell.label, cell.predicted)
        self.pairs.index = listed.index(pair) if pair in listed else None
        self.quiet = False

    def on_change(self, call: Callable[[Cell], None]) -> None:
        """Call back with the cell whenever a person chooses one; a text that names no class gives
        the class an empty wnid."""

        def typed(change: Any) -> None:
            if not self.quiet:
                label = find(self.label.value, self.names)
                call(Cell(self.network.value, label, find(self.predicted.value, self.names)))

        def listed(change: Any) -> None:
            if not self.quiet and change.new is not None:
                call(Cell(self.network.value, *change.new))

        for field in (self.network, self.label, self.predicted):
            field.observe(typed, "value")
        self.pairs.observe(listed, "value")


def _dropdown(description: str, options: Sequence[Any], tooltip: str) -> widgets.Dropdown:
    return widgets.Dropdown(
        description=description, options=list(options), tooltip=tooltip, style=WIDE
    )
