"""The controls of the confusion matrix, which select a cell without a mouse."""

from collections.abc import Callable, Mapping, Sequence
from typing import Any, NamedTuple

import ipywidgets as widgets
import pandas as pd

from tin_lib import catalog
from tin_lib.lab.widgets.base import WIDE, combobox, dropdown, find

ZOOMS = (50, 20, 5)  # classes around the cell


class Cell(NamedTuple):
    """A cell of a network's confusion matrix; classes are ids."""

    network: str
    label: str
    predicted: str


class ConfusionControls(widgets.VBox):
    """Controls that choose a cell. ``names``: class id -> name."""

    def __init__(self, networks: Sequence[str], names: Mapping[str, str]) -> None:
        self.names = dict(names)
        titled = [(catalog.title(name), name) for name in networks]
        self.network = dropdown("network", titled, "whose predictions")
        self.label = combobox("true class", list(names.values()), "the images' label")
        tip = "the network's prediction"
        self.predicted = combobox("predicted as", list(names.values()), tip)
        self.label.placeholder = self.predicted.placeholder = "type to search"
        zooms = [(f"{size} around the cell", size) for size in ZOOMS if size < len(names)]
        zooms = [("all classes", len(names)), *zooms]
        self.zoom = dropdown("zoom", zooms, "how much of the matrix is shown")
        self.pairs = widgets.Select(
            rows=14,
            description="errors",
            tooltip="the most frequent errors, by share of the label's images",
            style=WIDE,
        )
        self.quiet = False
        controls = [self.network, self.label, self.predicted, self.zoom, self.pairs]
        for control in controls:
            control.layout.width = "auto"  # the width of the column
        super().__init__(controls)

    def offer(self, pairs: pd.DataFrame) -> None:
        """List the most frequent errors; ``pairs``: from ``errors.most_confused``."""
        self.quiet = True
        self.pairs.options = [
            (f"{n} of {p.images}: {p.label_name} → {p.predicted_name}", (p.label, p.predicted))
            for p, n in zip(pairs.itertuples(), pairs["count"])
        ]
        self.quiet = False

    def put(self, cell: Cell) -> None:
        """Set the controls to a cell without calling back."""
        self.quiet = True
        self.network.value = cell.network
        self.label.value, self.predicted.value = self.names[cell.label], self.names[cell.predicted]
        listed = [pair for _, pair in self.pairs.options]
        pair = (cell.label, cell.predicted)
        self.pairs.index = listed.index(pair) if pair in listed else None
        self.quiet = False

    def on_change(self, call: Callable[[Cell], None]) -> None:
        """Call back with the cell when a person chooses one; its class id is empty for a text that
        names no class."""

        def typed(change: Any) -> None:
            if not self.quiet:
                label = find(self.label.value, self.names)
                call(Cell(self.network.value, label, find(self.predicted.value, self.names)))

        def listed(change: Any) -> None:
            if not self.quiet and change.new is not None:
                call(Cell(self.network.value, *change.new))

        for control in (self.network, self.label, self.predicted):
            control.observe(typed, "value")
        self.pairs.observe(listed, "value")
