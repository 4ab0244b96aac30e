"""A browser over the saliency maps of a run's images."""

import html
from collections.abc import Iterator, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any, NamedTuple

import ipywidgets as widgets
import numpy as np

from tin_lib import runs
from tin_lib.analysis import errors
from tin_lib.analysis.saliency.store import MapStore
from tin_lib.data import TinyImageNet
from tin_lib.lab.widgets.base import Browser, images, opened
from tin_lib.lab.widgets.canvas import Canvas
from tin_lib.lab.widgets.parts import Strip
from tin_lib.lab.widgets.prefetch import Pause
from tin_lib.lab.widgets.saliency import saliency_card
from tin_lib.lab.widgets.saliency.saliency_controls import Controls
from tin_lib.lab.widgets.saliency.view import View, checked, matching

PAGE = 60  # thumbnails at a time
STEPS = (1, -1, 2)  # the neighbours that are made ahead


class Key(NamedTuple):
    """What decides a picture."""

    row: int
    networks: tuple[str, ...]
    methods: tuple[str, ...]
    box: bool
    overlay: float


class SaliencyBrowser(Browser):
    """Step through a run's images and see what in them decides, for each network and method.

    ``run``: a run's folder, or a Run. ``data``: the data it was trained on; None opens them anew.
    ``split``: val or test. ``view``: parameters of ``View``, as ``view`` of another browser gives
    them. Maps are computed when first shown and kept in RUN/saliency/maps. Raises ValueError for
    unknown parameters, and for data that the run was not trained on.
    """

    def __init__(
        self,
        run: runs.Run | str | Path,
        data: TinyImageNet | None = None,
        split: str = "val",
        **view: Any,
    ) -> None:
        super().__init__("saliency")
        self.run = opened(run)
        self.split = _split(self.run, data, split)
        self.store = MapStore(self.run.fits, self.split, self.run.path / "saliency" / "maps")
        self.ids = self.run.first.class_ids
        self.class_names = errors.short_names(self.ids, self.run.first.class_names)
        self.row_of = {file: row for row, file in enumerate(self.split.files)}
        self.controls = Controls(list(self.run.fits), self.class_names)
        self.strip = Strip(label="images: arrow keys or a click choose one")
        self.rows = np.zeros(0, np.int64)
        self._compose()
        self.look(**view)
        self.controls.on_change(self._controls_changed)
        self.controls.on_step(self.go)
        self.strip.observe(lambda change: self.go(change.new), "selected")

    def _compose(self) -> None:
        left = widgets.VBox([self.controls, self.strip, self.saver])
        right = widgets.VBox([self.picture, self.said])
        left.layout.flex = "0 0 330px"
        right.layout.flex = "1 1 480px"
        box = widgets.HBox([left, right], layout=widgets.Layout(flex_flow="row wrap"))
        self.children = [box]

    def look(self, **view: Any) -> None:
        """Show a view: what is not given takes its default."""
        try:
            asked = View(**view)
        except TypeError as error:
            raise ValueError(f"SaliencyBrowser: {error}; parameters are those of View") from None
        known = list(self.run.fits), self.controls.method_names, self.ids
        self._filter(checked(asked, *known))
        self.controls.put(self._view)

    def _controls_changed(self, change: View) -> None:
        """Follow the controls; the image stays if it still fits."""
        if change.networks and change.methods:
            self._filter(replace(change, file=self._view.file))
            self.controls.put(self._view)  # a class typed in part is written out
        else:
            self.say("Choose at least one network and one method.")

    def _filter(self, view: View) -> None:
        """Find the images that fit a view, and show its own or the first."""
        predicted = {name: self.store.of(name).winners for name in view.networks}
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
        """Show the image of that number among those that fit."""
        if not 0 <= index < len(self.rows) or index == self.index:
            return
        self.index = index
        self._show()
        self._fill_strip(anew=False)

    def step(self, by: int) -> None:
        """Go on by some images, stopping at either end."""
        self.go(min(max(self.index + by, 0), len(self.rows) - 1))

    def _show(self) -> None:
        self.controls.numbered(self.index, len(self.rows))
        if not len(self.rows):
            self.picture.value = _nothing()
            self.say("No image fits. Widen the choice: any class, all images.")
            return
        row = int(self.rows[self.index])
        self._view = replace(self._view, file=str(self.split.files[row]))
        near = [self.index + step for step in STEPS]
        keys = [self.key(int(self.rows[i])) for i in near if 0 <= i < len(self.rows)]
        self.show(self.key(row), self.words(row), keys)

    def _fill_strip(self, anew: bool) -> None:
        """The page of thumbnails that holds the image."""
        first = self.index // PAGE * PAGE
        if anew or first != self.strip.first:
            rows = self.rows[first : first + PAGE]
            names = [f"{self.split.files[row]}, {self.title_of(row)}" for row in rows]
            shown = self.index if len(self.rows) else -1
            self.strip.fill(self.split.images[rows], names, shown, first, len(self.rows))
        elif len(self.rows):
            self.strip.selected = self.index

    def key(self, row: int) -> Key:
        """The picture of an image in the present view."""
        view = self._view
        return Key(row, view.networks, view.methods, view.box, view.overlay)

    def make(self, key: Key, pause: Pause) -> bytes:
        """Compose a picture; the maps are read, or computed."""
        rows = []
        for title, network, method in pairs(key.networks, key.methods):
            views = self.store.get(network, method, key.row)
            rows.append(saliency_card.Row(title, views, self.best(network, key.row)))
            pause()
        box = self.split.boxes[key.row] if key.box else None
        title = f"{self.title_of(key.row)}   ({self.split.name}/{self.split.files[key.row]})"
        about = saliency_card.subject(title, self.split.images[key.row], self.run.first, box)
        return saliency_card.draw(about, rows, key.overlay).png()

    def title_of(self, row: int) -> str:
        """The name of an image's class."""
        label = self.split.labels[row]
        return self.class_names[self.ids[label]] if label >= 0 else "class unknown"

    def best(self, network: str, row: int) -> list[tuple[str, float, bool]]:
        """A network's top five for an image: name, probability, whether it is right."""
        shares = self.store.of(network).probabilities[row]
        order = np.argsort(-shares, kind="stable")[:5]
        label = self.split.labels[row]
        return [(self.class_names[self.ids[i]], float(shares[i]), i == label) for i in order]

    def words(self, row: int) -> str:
        """The picture in words, and how to come back to it."""
        lines = [f"<b>{html.escape(self.title_of(row))}</b>, image {self.index + 1} of"]
        lines[0] += f" {len(self.rows)}: {html.escape(str(self.split.files[row]))}"
        for network in self._view.networks:
            name, share, right = self.best(network, row)[0]
            verdict = "right" if right else "wrong"
            lines.append(f"{network}: {html.escape(name)} {share:.1%}, {verdict}")
        return "<br>".join([*lines, self.link_html()])

    @property
    def view(self) -> dict[str, Any]:
        """Parameters that open this view again: ``SaliencyBrowser(run, **browser.view)``."""
        shown = self._view.parameters()
        if self._view.networks == tuple(self.run.fits):
            del shown["networks"]
        return shown

    def link(self) -> str:
        """The call that opens this view again."""
        split = {} if self.split.name == "val" else {"split": self.split.name}
        given = "".join(f", {name}={value!r}" for name, value in (split | self.view).items())
        return f"SaliencyBrowser({str(self.run.path)!r}{given})"

    def link_html(self) -> str:
        """How to reopen the view, below the picture."""
        return f"<code>{html.escape(self.link())}</code>"

    def plain(self) -> str:
        """The call that opens this view again."""
        return self.link()


def pairs(networks: Sequence[str], methods: Sequence[str]) -> Iterator[tuple[str, str, str]]:
    """Title, network and method of each row of a picture."""
    for network in networks:
        for method in methods:
            yield f"{network} · {method.replace('_', ' ')}", network, method


def _split(run: runs.Run, data: TinyImageNet | None, split: str) -> Any:
    if split not in ("val", "test"):
        raise ValueError(f"split={split!r}: choose val or test, whose scores a fit keeps")
    return images(run, data).split(split)


def _nothing() -> bytes:
    canvas = Canvas(saliency_card.WIDTH, 120)
    canvas.text(24, 50, "No image fits.", 16)
    return canvas.png()
