"""A browser over the filters of a run's networks."""

import html
from collections.abc import Callable
from pathlib import Path
from typing import Any, NamedTuple

import ipywidgets as widgets

from tin_lib import runs
from tin_lib.analysis import errors, filters
from tin_lib.analysis.filters.store import FilterStore
from tin_lib.data import TinyImageNet
from tin_lib.lab.widgets import base
from tin_lib.lab.widgets.background import Check, Latest
from tin_lib.lab.widgets.base import Browser, batch
from tin_lib.lab.widgets.filters import filter_card
from tin_lib.lab.widgets.filters.filter_controls import MADE, ORDERS, FilterView, Knobs
from tin_lib.lab.widgets.filters.layer import Layer
from tin_lib.lab.widgets.parts import Strip
from tin_lib.lab.widgets.prefetch import Pause
from tin_lib.lab.widgets.saliency.view import check_known

PAGE = 24  # filters whose images are made at a time


class Key(NamedTuple):
    """What decides a picture."""

    network: str
    layer: str
    filter: int
    parametrisation: str
    made: bool  # whether the filter's made image is there


class FilterBrowser(Browser):
    """See what each filter looks for: an image made to excite it, and what excites it most.

    ``run``: a run's folder, or a Run. ``data``: the data it was trained on; None opens them anew.
    ``images``: how many val images a network is shown. ``steps``: updates of each made image.
    ``view``: parameters of ``FilterView``. What is computed is kept in RUN/filters/browser; a
    thread computes it, and the browser says so and can be used meanwhile. Raises ValueError, naming
    the parameter, for what is unknown and for data that the run was not trained on.
    """

    def __init__(
        self,
        run: runs.Run | str | Path,
        data: TinyImageNet | None = None,
        images: int = 1000,
        steps: int = 128,
        **view: Any,
    ) -> None:
        super().__init__("filters")
        self.run = base.opened(run)
        self.given = {"images": images, "steps": steps}
        self._open(base.images(self.run, data))
        self.latest = Latest()
        self.wanted: tuple[Any, ...] = ()  # what is being computed, or was
        self.knobs = Knobs(list(self.stores))
        self.strip = Strip(label="filters: arrow keys or a click choose one")
        self.doing = widgets.HTML()
        self.bar = widgets.IntProgress(layout=widgets.Layout(width="auto"))
        self._compose()
        self._view = FilterView(next(iter(self.stores)))
        self.look(**view)
        self.knobs.on_change(lambda name, value: self.look(**{name: value}))
        self.strip.observe(lambda change: self.go(change.new), "selected")

    def _open(self, data: TinyImageNet) -> None:
        self.val = data.val.select(filters.spread(len(data.val), self.given["images"]))
        self.class_names = list(errors.short_names(data.class_ids, data.class_names).values())
        self.known_layers: dict[tuple[str, str], Layer] = {}
        self.stores = {name: self._store(fit) for name, fit in self.run.fits.items()}

    def _store(self, fit: runs.Fit) -> FilterStore:
        shown = filters.of_split(self.val, fit.mean, fit.std)
        folder = self.run.path / "filters" / "browser"
        return FilterStore(fit, shown, self.given["steps"], folder)

    def _compose(self) -> None:
        left = widgets.VBox([self.knobs, self.strip, self.doing, self.bar, self.saver])
        right = widgets.VBox([self.picture, self.said])
        left.layout.flex = "0 0 330px"
        right.layout.flex = "1 1 480px"
        self.children = [widgets.HBox([left, right], layout=widgets.Layout(flex_flow="row wrap"))]

    def look(self, **view: Any) -> None:
        """Show a view: what is not given stays, where the network and layer allow it.

        Raises ValueError, naming the parameter and what is known, for anything unknown.
        """
        with self.latest.lock:
            self._view = self._checked(view)
            if batch():
                self._compute()
            self.knobs.put(self._view, self.store.layers)
            self._draw()
            if not batch():
                self._ask()

    def _checked(self, given: dict[str, Any]) -> FilterView:
        check_known("parameter", list(given), FilterView._fields)
        view = self._view._replace(**given)
        check_known("network", [view.network], list(self.stores))
        check_known("order", [view.order], list(ORDERS))
        check_known("parametrisation", [view.parametrisation], list(MADE))
        layers = self.stores[view.network].layers
        if view.layer not in layers and "layer" not in given:
            view = view._replace(layer="last")
        ends = {"first": next(iter(layers)), "last": list(layers)[-1]}
        layer = ends.get(view.layer, view.layer)
        check_known("layer", [layer], list(layers))
        if view.filter not in range(layers[layer]):
            if "filter" in given:
                raise ValueError(f"filter={view.filter}: {layer} has 0 to {layers[layer] - 1}")
            view = view._replace(filter=0)
        return view._replace(layer=layer)

    def go(self, position: int) -> None:
        """Show the filter at a position in the order."""
        order = self.layer.ordered(self._view.order)
        if 0 <= position < len(order) and order[position] != self._view.filter:
            self.look(filter=int(order[position]))

    @property
    def store(self) -> FilterStore:
        """Of the network that is shown."""
        return self.stores[self._view.network]

    @property
    def layer(self) -> Layer:
        """What is known of the layer that is shown."""
        return self._layer(self._view.network, self._view.layer)

    def _layer(self, network: str, name: str) -> Layer:
        if (network, name) not in self.known_layers:
            found = Layer(self.stores[network], name, self.val, self.class_names)
            self.known_layers[network, name] = found
        return self.known_layers[network, name]

    def page(self) -> tuple[int, list[int]]:
        """Position of the first filter in the strip, and the filters there."""
        order = self.layer.ordered(self._view.order).tolist()
        first = order.index(self._view.filter) // PAGE * PAGE
        return first, order[first : first + PAGE]

    def _draw(self) -> None:
        """Fill strip, picture and words with what is known."""
        view, (first, page) = self._view, self.page()
        names = [f"filter {index}" for index in page]
        at = first + page.index(view.filter)
        tiles = self.layer.tiles(view.parametrisation, page)
        self.strip.fill(tiles, names, at, first, self.store.layers[view.layer])
        if self.layer.known:
            self.show(self.key(), self.words())
        else:
            title = self.layer.title(view.filter)
            self.picture.value = filter_card.waiting(title).png()
            self.say(f"<b>{html.escape(title)}</b><br>{self.link_html()}")

    def key(self) -> Key:
        """The picture of the view."""
        network, layer, index, _, parametrisation = self._view
        made = self.store.image(layer, parametrisation, index) is not None
        return Key(network, layer, index, parametrisation, made)

    def make(self, key: Key, pause: Pause) -> bytes:
        """Compose a picture."""
        layer = self._layer(key.network, key.layer)
        return filter_card.draw(layer.plate(key.parametrisation, key.filter)).png()

    def words(self) -> str:
        """The picture in words, and how to come back to it."""
        shown = self.layer.plate(self._view.parametrisation, self._view.filter)
        return "<br>".join([*map(html.escape, shown.words()), self.link_html()])

    # What a thread computes meanwhile.

    def _goal(self) -> tuple[Any, ...]:
        return (self._view.network, self._view.layer, self._view.parametrisation, self.page())

    def _ask(self) -> None:
        """Have computed what strip and picture lack, unless that is on its way."""
        if self._goal() != self.wanted:
            self.wanted = self._goal()
            self._tell("")
            self.latest.run(self._work)

    def _work(self, check: Check) -> None:
        """Survey the layer, then make the page's images."""
        with self.latest.lock:
            check()
            view, store = self._view, self.store
        try:
            words = f"Showing {len(self.val)} images to {view.network} …"
            store.survey(view.layer, self._teller(check, words))
            page = self._finished(check)
            words = f"Making images for filters of {view.layer}, {len(page)} at a time …"
            store.make(view.layer, view.parametrisation, page, self._teller(check, words))
            self._finished(check)
        except (OSError, RuntimeError, ValueError) as error:
            with self.latest.lock:
                check()
                self._tell(f"This failed: {error}")

    def _teller(self, check: Check, words: str) -> Callable[[int, int], None]:
        def tell(done: int, total: int) -> None:
            with self.latest.lock:
                check()
                self._tell(words, done, total)

        return tell

    def _tell(self, words: str, done: int = 0, total: int = 0) -> None:
        """Say what is being done, and how much of it was; nothing where ``words`` is empty."""
        self.doing.value = f'<div class="tin-said" role="status">{html.escape(words)}</div>'
        self.bar.layout.visibility = "visible" if total else "hidden"
        self.bar.max, self.bar.value = max(total, 1), done

    def _finished(self, check: Check) -> list[int]:
        """Show what was computed; the filters whose images are wanted next."""
        with self.latest.lock:
            check()
            self._tell("")
            self.wanted = self._goal()  # a survey changes the order, and so the page
            self._draw()
            return self.page()[1]

    def _compute(self) -> None:
        """With nobody to look on: what the picture needs, now."""
        self.store.survey(self._view.layer)
        self.store.make(self._view.layer, self._view.parametrisation, [self._view.filter])

    def close(self) -> None:
        """Close the widget and end its threads."""
        self.latest.stop()
        super().close()

    @property
    def view(self) -> dict[str, Any]:
        """Parameters that open this view again: ``FilterBrowser(run, **browser.view)``."""
        usual = {"order": "index", "parametrisation": "fourier", "images": 1000, "steps": 128}
        view = self._view._asdict() | self.given
        return {name: value for name, value in view.items() if value != usual.get(name)}

    def link(self) -> str:
        """The call that opens this view again."""
        given = "".join(f", {name}={value!r}" for name, value in self.view.items())
        return f"FilterBrowser({str(self.run.path)!r}{given})"

    def link_html(self) -> str:
        """How to reopen the view, below the picture."""
        return f"<code>{html.escape(self.link())}</code>"

    def plain(self) -> str:
        """The call that opens this view again."""
        return self.link()
