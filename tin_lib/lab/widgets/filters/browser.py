"""A browser of the filters of a run's networks."""

import html
from collections.abc import Callable
from pathlib import Path
from typing import Any, NamedTuple

import ipywidgets as widgets

from tin_lib import catalog
from tin_lib.analysis import errors, filters, runs
from tin_lib.analysis.filters.store import FilterStore
from tin_lib.data import TinyImageNet
from tin_lib.lab.widgets.background import BackgroundTask, Check
from tin_lib.lab.widgets.base import Browser, data_of, status
from tin_lib.lab.widgets.filters import filter_card
from tin_lib.lab.widgets.filters.filter_controls import (
    ORDERS,
    PARAMETRISATIONS,
    FilterControls,
    FilterView,
)
from tin_lib.lab.widgets.filters.layer import Layer
from tin_lib.lab.widgets.parts import Strip
from tin_lib.lab.widgets.prefetch import Pause
from tin_lib.lab.widgets.saliency.view import check_known

PAGE = 24  # filters whose images are optimised together


class Key(NamedTuple):
    """What determines a picture."""

    network: str
    layer: str
    filter: int
    parametrisation: str
    optimised: bool  # whether the filter's maximising image exists


class FilterBrowser(Browser):
    """See for each filter its maximising image and the images with the highest activations.

    ``run``: a run or its folder. ``data``: the data it was trained on; None opens them. ``images``:
    number of val images shown to a network. ``steps``: updates of each maximising image. ``view``:
    parameters of ``FilterView``. Results are computed in a thread, during which the browser can be
    used, and kept in RUN/filters/browser. Raises ValueError, naming the parameter, for unknown
    values and for data that the run was not trained on.
    """

    def __init__(
        self,
        run: runs.Run | str | Path,
        data: TinyImageNet | None = None,
        images: int = 1000,
        steps: int = 128,
        **view: Any,
    ) -> None:
        super().__init__(run, "filters")
        self.given = {"images": images, "steps": steps}
        self._open(data_of(self.run, data))
        self.task = BackgroundTask()
        self.wanted: tuple[Any, ...] = ()  # what the thread computes, or computed last
        self.controls = FilterControls(list(self.stores))
        self.strip = Strip(label="filters: arrow keys or a click choose one")
        self.progress = widgets.HTML()
        self.bar = widgets.IntProgress(layout=widgets.Layout(width="auto"))
        self.arrange([self.controls, self.strip, self.progress, self.bar])
        self._view = FilterView(next(iter(self.stores)))
        self.look(**view)
        self.controls.on_change(lambda name, value: self.look(**{name: value}))
        self.strip.observe(lambda change: self.go(change.new), "selected")

    def _open(self, data: TinyImageNet) -> None:
        self.val = data.val.select(filters.evenly_spread(len(data.val), self.given["images"]))
        self.class_names = list(errors.short_names(data.class_ids, data.class_names).values())
        self.known_layers: dict[tuple[str, str], Layer] = {}
        self.stores = {name: self._store(fit) for name, fit in self.run.fits.items()}

    def _store(self, fit: runs.Fit) -> FilterStore:
        shown = filters.images_of_split(self.val, fit.mean, fit.std)
        folder = self.run.path / "filters" / "browser"
        return FilterStore(fit, shown, self.given["steps"], folder)

    def look(self, **view: Any) -> None:
        """Show a view; other parameters stay if the network and layer permit.

        Raises ValueError, naming the parameter and the known values, for an unknown value.
        """
        with self.task.lock:
            self._view = self._checked(view)
            if not self.live:
                self._compute_now()
            self.controls.put(self._view, self.store.layers)
            self._draw()
            if self.live:
                self._request()

    def _checked(self, given: dict[str, Any]) -> FilterView:
        check_known("parameter", list(given), FilterView._fields)
        view = self._view._replace(**given)
        check_known("network", [view.network], list(self.stores))
        check_known("order", [view.order], list(ORDERS))
        check_known("parametrisation", [view.parametrisation], list(PARAMETRISATIONS))
        layers = self.stores[view.network].layers
        if not layers:
            raise ValueError(f"network={view.network!r} has no convolution layer")
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
        """The results of the network that is shown."""
        return self.stores[self._view.network]

    @property
    def layer(self) -> Layer:
        """The layer that is shown."""
        return self._layer(self._view.network, self._view.layer)

    def _layer(self, network: str, name: str) -> Layer:
        if (network, name) not in self.known_layers:
            found = Layer(self.stores[network], name, self.val, self.class_names)
            self.known_layers[network, name] = found
        return self.known_layers[network, name]

    def page(self) -> tuple[int, list[int]]:
        """Return the position of the strip's first filter, and the filters in the strip."""
        order = self.layer.ordered(self._view.order).tolist()
        first = order.index(self._view.filter) // PAGE * PAGE
        return first, order[first : first + PAGE]

    def _draw(self) -> None:
        """Show in strip, picture and message what is computed so far."""
        view, (first, page) = self._view, self.page()
        names = [f"filter {index}" for index in page]
        at = first + page.index(view.filter)
        tiles = self.layer.tiles(view.parametrisation, page)
        self.strip.fill(tiles, names, at, first, self.store.layers[view.layer])
        if self.layer.surveyed:
            self.show(self.key(), self.describe())
        else:
            title = self.layer.title(view.filter)
            self.picture.value = filter_card.waiting(title).png()
            self.set_message(f"<b>{html.escape(title)}</b><br>{self.link_html()}")

    def key(self) -> Key:
        """Return the key of the view's picture."""
        network, layer, index, _, parametrisation = self._view
        optimised = self.store.image(layer, parametrisation, index) is not None
        return Key(network, layer, index, parametrisation, optimised)

    def make(self, key: Key, pause: Pause) -> bytes:
        """Draw a picture."""
        layer = self._layer(key.network, key.layer)
        return filter_card.draw(layer.card(key.parametrisation, key.filter)).png()

    def problem(self) -> str:
        """Return why results cannot be kept on disk; empty if they can."""
        return next((store.problem for store in self.stores.values() if store.problem), "")

    def describe(self) -> str:
        """Describe the picture in HTML, with the link that reopens it."""
        card = self.layer.card(self._view.parametrisation, self._view.filter)
        return "<br>".join([*map(html.escape, card.lines()), self.link_html()])

    # Computing in a thread.

    def _goal(self) -> tuple[Any, ...]:
        return (self._view.network, self._view.layer, self._view.parametrisation, self.page())

    def _request(self) -> None:
        """Start computing what strip and picture need, unless the thread does so already."""
        if self._goal() != self.wanted:
            self.wanted = self._goal()
            self._set_progress("")
            self.task.run(self._work)

    def _work(self, check: Check) -> None:
        """Survey the layer, then optimise the page's images."""
        with self.task.lock:
            check()
            view, store = self._view, self.store
        try:
            text = f"Showing {len(self.val)} images to {catalog.title(view.network)} …"
            store.survey(view.layer, self._reporter(check, text))
            page = self._finished(check)
            text = f"Optimising images for filters of {view.layer}, {len(page)} at a time …"
            store.optimise(view.layer, view.parametrisation, page, self._reporter(check, text))
            self._finished(check)
        except (OSError, RuntimeError, ValueError) as error:
            with self.task.lock:
                check()
                self._set_progress(f"This failed: {error}")

    def _reporter(self, check: Check, text: str) -> Callable[[int, int], None]:
        def report(done: int, total: int) -> None:
            with self.task.lock:
                check()
                self._set_progress(text, done, total)

        return report

    def _set_progress(self, text: str, done: int = 0, total: int = 0) -> None:
        """Show what is being computed and how much is done; nothing if ``text`` is empty."""
        self.progress.value = status(html.escape(text))
        self.bar.layout.visibility = "visible" if total else "hidden"
        self.bar.max, self.bar.value = max(total, 1), done

    def _finished(self, check: Check) -> list[int]:
        """Show what was computed; return the filters whose images are needed next."""
        with self.task.lock:
            check()
            self._set_progress("")
            self.wanted = self._goal()  # a survey changes the order, and so the page
            self._draw()
            return self.page()[1]

    def _compute_now(self) -> None:
        """Compute what the picture needs, without a thread."""
        self.store.survey(self._view.layer)
        self.store.optimise(self._view.layer, self._view.parametrisation, [self._view.filter])

    def close(self) -> None:
        """Close the widget and end its threads."""
        self.task.cancel()
        super().close()

    @property
    def view(self) -> dict[str, Any]:
        """Parameters that open this view again: ``FilterBrowser(run, **browser.view)``."""
        usual = {"order": "index", "parametrisation": "fourier", "images": 1000, "steps": 128}
        view = self._view._asdict() | self.given
        return {name: value for name, value in view.items() if value != usual.get(name)}
