"""The cells of a run's confusion matrices: their counts, their images, and the frequent errors."""

from collections.abc import Iterator
from typing import Any, NamedTuple

import pandas as pd

from tin_lib import catalog
from tin_lib.analysis import ensemble, errors, runs

PAIRS = 50  # errors to choose from
MOST, BESIDE = 48, 6  # images shown of a cell, and of each class for comparison


class Cell(NamedTuple):
    """A cell of a network's confusion matrix; classes are ids."""

    network: str
    label: str
    predicted: str


class Group(NamedTuple):
    """Images of a cell that are shown: rows of ``errors.cell``, the most confident first."""

    cell: Cell
    rows: pd.DataFrame


class Cells:
    """The predictions of a run's networks, and of their votes, by cell.

    Attributes:
        names: class id -> short name.
        tables: predictions by network and vote, from ``ensemble.with_votes``.
        counts: confusion matrix (C, C) by network and vote.
        order: class ids, in one order for all of them, in which similar classes are neighbours.
        pairs: the most frequent errors by network and vote, from ``errors.most_confused``.
    """

    def __init__(self, run: runs.Run) -> None:
        self.names = errors.short_names(run.first.class_ids, run.first.class_names)
        self.tables = ensemble.with_votes(run)
        self.counts = {
            name: errors.confusion_matrix(table, self.names) for name, table in self.tables.items()
        }
        self.order = errors.class_order(sum(self.counts.values()))  # type: ignore[arg-type]
        self.pairs = {
            name: errors.most_confused(counts, self.names, PAIRS)
            for name, counts in self.counts.items()
        }

    def worst(self, network: str) -> Cell:
        """Return a network's most frequent error, or its first class if there is none."""
        pairs = self.pairs[network]
        if pairs.empty:
            return Cell(network, self.order[0], self.order[0])
        return Cell(network, pairs.label[0], pairs.predicted[0])

    def behind(self, cell: Cell) -> pd.DataFrame:
        """Return all images of a cell, from ``errors.cell``: the most confident first."""
        return errors.cell(self.tables[cell.network], cell.label, cell.predicted)

    def groups(self, cell: Cell) -> list[Group]:
        """Return a cell's images, then some correct ones of both classes."""
        others = [correct for correct in both(cell) if correct != cell]
        first = Group(cell, self.behind(cell).head(MOST))
        return [first, *(Group(each, self.behind(each).head(BESIDE)) for each in others)]

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
        return f"{count} of {all_images} images, {100 * count / max(all_images, 1):.0f} %"

    def describe(self) -> dict[str, Any]:
        """Return what the page knows from the start; classes are places in the order.

        ``counts`` lists place and count of the cells that are not empty; the place of a cell is
        label · C + prediction. ``errors`` lists label and prediction.
        """
        place = {wnid: at for at, wnid in enumerate(self.order)}
        networks = {
            name: {
                "title": catalog.title(name),
                "counts": filled(self.counts[name].loc[self.order, self.order]),
                "errors": [[place[a], place[b]] for a, b in zip(pairs.label, pairs.predicted)],
            }
            for name, pairs in self.pairs.items()
        }
        classes = [{"id": wnid, "name": self.names[wnid]} for wnid in self.order]
        return {"classes": classes, "networks": networks}


def both(cell: Cell) -> Iterator[Cell]:
    """Yield the cells of the correct images of a cell's two classes."""
    for wnid in dict.fromkeys([cell.label, cell.predicted]):
        yield Cell(cell.network, wnid, wnid)


def filled(counts: pd.DataFrame) -> list[int]:
    """Return place and count of each cell that is not empty, one after the other."""
    flat = counts.to_numpy().ravel()
    return [int(value) for at in flat.nonzero()[0] for value in (at, flat[at])]
