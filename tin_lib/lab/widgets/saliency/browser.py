"""A browser of the saliency maps of a run's images."""

import html
from collections.abc import Iterator, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np

from tin_lib import catalog
from tin_lib.analysis import errors, runs
from tin_lib.analysis.saliency.store import MapStore
from tin_lib.data import Split, TinyImageNet
from tin_lib.lab.formatting import method_title
from tin_lib.lab.widgets.base import Browser, data_of
from tin_lib.lab.widgets.canvas import Canvas
from tin_lib.lab.widgets.parts import Strip
from tin_lib.lab.widgets.prefetch import Pause
from tin_lib.lab.widgets.saliency import saliency_card
from tin_lib.lab.widgets.saliency.saliency_controls import SaliencyControls
from tin_lib.lab.widgets.saliency.view import View, checked, matching

PAGE = 60  # thumbnails at a time
STEPS = (1, -1, 2)  # neighbours that are prefetched


class Key(NamedTuple):
    """What determines a picture."""

    row: int
    networks: tuple[str, ...]
    methods: tuple[str, ...]
    box: bool
    overlay: float


class SaliencyBrowser(Browser):
    """Step through a run's images and see which pixels matter, by network and method.

    ``run``: a run or its folder. ``data``: the data it was trained on; None opens them. ``split``:
    val or test. ``view``: parameters of ``View``, such as the ``view`` of another browser. Maps are
    computed when first shown, and kept in RUN/saliency/maps. Raises ValueError for unknown
    parameters, and for data that the run was not trained on.
    """

    def __init__(
        self,
        run: runs.Run | str | Path,
        data: TinyImageNet | None = None,
        split: str = "val",
        **view: Any,
    ) -> None:
        super().__init__(run, "saliency")
        self.split = _split(self.run, data, split)
        self.store = MapStore(self.run.fits, self.split, self.run.path / "saliency" / "maps")
        self.ids = self.run.first.class_ids
        self.class_names = errors.short_names(self.ids, self.run.first.class_names)
        self.row_of = {file: row for row, file in enumerate(self.split.files)}
        boxes = bool((self.split.boxes >= 0).any())
        self.controls = SaliencyControls(list(self.run.fits), self.class_names, boxes)
        self.strip = Strip(label="images: arrow keys or a click choose one")
        self.rows = np.zeros(0, np.int64)
        self.arrange([self.controls, self.strip])
        self.look(**view)
        self.controls.on_change(self._controls_changed)
        self.controls.on_step(self.go)
        self.strip.observe(lambda change: self.go(change.new), "selected")

    def look(self, **view: Any) -> None:
        """Show a view; parameters that are not given have their defaults."""
        try:
            asked = View(**view)
        except TypeError as error:
            raise ValueError(f"SaliencyBrowser: {error}; parameters are those of View") from None
        known = list(self.run.fits), self.controls.method_names, self.ids
        self._apply(checked(asked, *known))
        self.controls.put(self._view)

    def _controls_changed(self, change: View) -> None:
        """Follow the controls; the image stays if it still matches."""
        if change.networks and change.methods:
            self._apply(replace(change, file=self._view.file))
            self.controls.put(self._view)  # completes the name of a class
        else:
            self.set_message("Choose at least one network and one method.")

    def _apply(self, view: View) -> None:
        """Find the images that match a view, and show its own or the first."""
        predicted = {name: self.store.of(name).predicted for name in view.networks}
        rows = matching(view, self.split.labels, predicted, self.ids)
        changed = not np.array_equal(rows, self.rows)
        self.rows, self._view = rows, view
        if view.file and view.file not in self.row_of:
            raise ValueError(f"file={view.file!r}: {self.split.name} has no such image")
        found = np.flatnonzero(rows == self.row_of.get(view.file, -1))
        self.index = int(found[0]) if len(found) else 0
        self._fill_strip(anew=changed)
        self._show()

    def go(self, index: int) -> None:
        """Show the image with this number among the matching ones."""
        if not 0 <= index < len(self.rows) or index == self.index:
            return
        self.index = index
        self._show()
        self._fill_strip(anew=False)

    def step(self, by: int) -> None:
        """Move by a number of images, at most to the first or last."""
        self.go(min(max(self.index + by, 0), len(self.rows) - 1))

    def _show(self) -> None:
        self.controls.set_position(self.index, len(self.rows))
        if not len(self.rows):
            self.picture.value = _no_match()
            self.set_message("No image matches. Widen the choice: any class, all images.")
            return
        row = int(self.rows[self.index])
        self._view = replace(self._view, file=str(self.split.files[row]))
        near = [self.index + step for step in STEPS]
        keys = [self.key(int(self.rows[i])) for i in near if 0 <= i < len(self.rows)]
        self.show(self.key(row), self.describe(row), keys)

    def _fill_strip(self, anew: bool) -> None:
        """Fill the strip with the page of thumbnails that contains the image."""
        first = self.index // PAGE * PAGE
        if anew or first != self.strip.first:
            rows = self.rows[first : first + PAGE]
            names = [f"{self.split.files[row]}, {self.title_of(row)}" for row in rows]
            shown = self.index if len(self.rows) else -1
            self.strip.fill(self.split.images[rows], names, shown, first, len(self.rows))
        elif len(self.rows):
            self.strip.selected = self.index

    def key(self, row: int) -> Key:
        """Return the key of an image's picture in the present view."""
        view = self._view
        return Key(row, view.networks, view.methods, view.box, view.overlay)

    def make(self, key: Key, pause: Pause) -> bytes:
        """Draw a picture; its maps are read, or computed."""
        rows = []
        for network, method in pairs(key.networks, key.methods):
            rows.append(self._row(network, method, key.row))
            pause()
        box = self.split.boxes[key.row] if key.box else None
        title = f"{self.title_of(key.row)}   ({self.split.name}/{self.split.files[key.row]})"
        image = self.split.images[key.row]
        subject = saliency_card.prepare(title, image, self.run.first, box)
        return saliency_card.draw(subject, rows, key.overlay).png()

    def _row(self, network: str, method: str, row: int) -> saliency_card.CardRow:
        title = f"{catalog.title(network)} · {method_title(method)}"
        best = self.best(network, row)
        try:
            return saliency_card.CardRow(title, self.store.get(network, method, row), best)
        except ValueError as error:  # the method does not apply to the network
            return saliency_card.CardRow(title, None, best, str(error))

    def problem(self) -> str:
        """Return why maps cannot be kept on disk; empty if they can."""
        return self.store.problem

    def title_of(self, row: int) -> str:
        """Return the name of an image's class."""
        label = self.split.labels[row]
        return self.class_names[self.ids[label]] if label >= 0 else "class unknown"

    def best(self, network: str, row: int) -> list[tuple[str, float, bool]]:
        """Return a network's top five for an image: name, probability, whether it is correct."""
        shares = self.store.of(network).probabilities[row]
        order = np.argsort(-shares, kind="stable")[:5]
        label = self.split.labels[row]
        return [(self.class_names[self.ids[i]], float(shares[i]), i == label) for i in order]

    def describe(self, row: int) -> str:
        """Describe the picture in HTML, with the link that reopens it."""
        lines = [f"<b>{html.escape(self.title_of(row))}</b>, image {self.index + 1} of"]
        lines[0] += f" {len(self.rows)}: {html.escape(str(self.split.files[row]))}"
        for network in self._view.networks:
            name, share, correct = self.best(network, row)[0]
            title, verdict = catalog.title(network), "correct" if correct else "wrong"
            lines.append(f"{html.escape(title)}: {html.escape(name)} {share:.1%}, {verdict}")
        return "<br>".join([*lines, self.link_html()])

    @property
    def view(self) -> dict[str, Any]:
        """Parameters that open this view again: ``SaliencyBrowser(run, **browser.view)``."""
        shown = self._view.parameters()
        if self._view.networks == tuple(self.run.fits):
            del shown["networks"]
        return shown

    def arguments(self) -> dict[str, Any]:
        """Return the arguments, after the run, that open this view again."""
        split = {} if self.split.name == "val" else {"split": self.split.name}
        return split | self.view


def pairs(networks: Sequence[str], methods: Sequence[str]) -> Iterator[tuple[str, str]]:
    """Yield the network and method of each row of a picture."""
    for network in networks:
        for method in methods:
            yield network, method


def _split(run: runs.Run, data: TinyImageNet | None, split: str) -> Split:
    if split not in ("val", "test"):
        raise ValueError(f"split={split!r}: choose val or test, whose scores a fit keeps")
    return data_of(run, data).split(split)


def _no_match() -> bytes:
    canvas = Canvas(saliency_card.WIDTH, 120)
    canvas.text(24, 50, "No image matches.", 16)
    return canvas.png()
