"""A browser of the filters of a run's networks."""

from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any, NamedTuple

from tin_lib import catalog
from tin_lib.analysis import runs
from tin_lib.data import TinyImageNet
from tin_lib.lab.widgets import module
from tin_lib.lab.widgets.background import BackgroundTask, Check
from tin_lib.lab.widgets.filters.layer import FilterCard, Layer
from tin_lib.lab.widgets.filters.source import Source
from tin_lib.lab.widgets.filters.still import still
from tin_lib.lab.widgets.filters.view import ORDERS, PARAMETRISATIONS, FilterView
from tin_lib.lab.widgets.saliency.view import check_known

USUAL = {"images": 1000, "steps": 128}


class Goal(NamedTuple):
    """What the thread computes."""

    network: str
    layer: str
    parametrisation: str
    filters: tuple[int, ...]


class FilterBrowser(module.Browser):
    """See for each filter its maximising image and the images with the highest activations.

    ``run``: a run or its folder. ``data``: the data it was trained on; None opens them. ``images``:
    number of val images shown to a network. ``steps``: updates of each maximising image. ``page``:
    whether it is alone on a web page. ``view``: parameters of ``FilterView``. Results are computed
    in a thread, during which the browser can be used, and kept in RUN/filters/browser. Raises
    ValueError, naming the parameter, for unknown values and for data that the run was not trained
    on.
    """

    _esm = module.module("filters")

    def __init__(
        self,
        run: runs.Run | str | Path,
        data: TinyImageNet | None = None,
        images: int = USUAL["images"],
        steps: int = USUAL["steps"],
        page: bool = False,
        **view: Any,
    ) -> None:
        super().__init__(module.as_run(run), page)
        self.given = {"images": images, "steps": steps}
        self.source = Source(self.run, module.data_of(self.run, data), images, steps)
        self.task = BackgroundTask()
        self.wanted: Goal | None = None  # what the thread computes, or failed to compute
        self.progress: dict[str, Any] = {"progress": ""}  # what the page was told last of it
        self.description = describe(self.source)
        self.look(**view)

    def look(self, **view: Any) -> None:
        """Show a view; other parameters stay if the network and layer permit.

        Raises ValueError, naming the parameter and the known values, for an unknown value.
        """
        asked = self._checked(self._view().changed(view), view)
        if not self.live:
            store = self.source.stores[asked.network]
            store.survey(asked.layer)
            store.optimise(asked.layer, asked.parametrisation, [asked.filter])
        usual = self._usual()._asdict()
        self.state = {k: v for k, v in asked._asdict().items() if v != usual[k]}

    def _usual(self) -> FilterView:
        return FilterView(next(iter(self.source.stores)))

    def _view(self) -> FilterView:
        """Return what is shown, as the page says."""
        return self._usual()._replace(**self.state)

    def _checked(self, view: FilterView, given: Mapping[str, Any]) -> FilterView:
        check_known("network", [view.network], list(self.source.stores))
        return view.resolved(self.source.stores[view.network].layers, given)

    def answer(self, kind: str, request: Mapping[str, Any]) -> tuple[dict[str, Any], list[bytes]]:
        """Answer the page: a filter's view, tiles of filters; or compute what these lack."""
        if kind not in ("view", "tiles", "want"):
            raise ValueError(f"kind={kind!r}: choose view, tiles or want")
        given = {name: request[name] for name in FilterView._fields if name in request}
        view = self._checked(self._usual().changed(given), {})
        if kind == "view":
            return self._shown(view)
        count = self.source.stores[view.network].layers[view.layer]
        wanted = [int(index) for index in request["filters"] if index in range(count)]
        if kind == "tiles":
            tiles = self._layer(view).tiles(view.parametrisation, wanted)
            return {"size": list(tiles.shape[2:])}, [tiles.tobytes()]
        self._want(Goal(view.network, view.layer, view.parametrisation, tuple(wanted)))
        return {}, []

    def _layer(self, view: FilterView) -> Layer:
        return self.source.layer(view.network, view.layer)

    def card(self, view: FilterView) -> FilterCard:
        """Return what is shown of a filter."""
        return self._layer(view).card(view.parametrisation, view.filter)

    def _shown(self, view: FilterView) -> tuple[dict[str, Any], list[bytes]]:
        store, card = self.source.stores[view.network], self.card(view)
        pixels = card.pixels()
        reply = {
            "layers": [[name, f"{name}: {count} filters"] for name, count in store.layers.items()],
            "layer": view.layer,
            "filter": view.filter,
            "filters": self._layer(view).ordered(view.order).tolist(),
            "notice": store.problem,
            "parts": list(pixels),
        }
        return reply | card.texts(), list(pixels.values())

    # Computing in a thread.

    def _want(self, goal: Goal) -> None:
        """Start computing what is missing, unless the thread does so already."""
        with self.task.lock:
            if not self.missing(goal):
                self.task.cancel()
                self.wanted = None
                self._tell("")
            elif self.live and goal != self.wanted:
                self.wanted = goal
                self._tell("")
                self.task.run(lambda check: self._work(check, goal))
            else:
                self.send(self.progress)

    def _tell(self, text: str, done: int = 0, total: int = 0) -> None:
        """Say on the page what is being computed, and how much of it is done."""
        self.progress = {"progress": text, "done": done, "total": total}
        self.send(self.progress)

    def missing(self, goal: Goal) -> bool:
        """Return whether some of it is not computed yet."""
        store, layer = self.source.stores[goal.network], goal.layer
        images = [store.image(layer, goal.parametrisation, index) for index in goal.filters]
        return store.cached_survey(layer) is None or any(image is None for image in images)

    def _work(self, check: Check, goal: Goal) -> None:
        """Survey the layer; if that is done, optimise images. The page then asks for what it needs
        next: a survey changes the order of the filters."""
        store = self.source.stores[goal.network]
        try:
            if store.cached_survey(goal.layer) is None:
                title = catalog.title(goal.network)
                text = f"Showing {len(self.source.val)} images to {title} …"
                store.survey(goal.layer, self._reporter(check, text))
            else:
                count = len(goal.filters)
                text = f"Optimising images for filters of {goal.layer}, {count} at a time …"
                report = self._reporter(check, text)
                store.optimise(goal.layer, goal.parametrisation, goal.filters, report)
        except (OSError, RuntimeError, ValueError) as error:
            self._reporter(check, f"This failed: {error}")(0, 0)
            return
        with self.task.lock:
            check()
            self.wanted = None
            self.send({"changed": [goal.network, goal.layer]})

    def _reporter(self, check: Check, text: str) -> Callable[[int, int], None]:
        def report(done: int, total: int) -> None:
            with self.task.lock:
                check()
                self._tell(text, done, total)

        return report

    # What remains of it without a page.

    def still(self) -> str:
        """Return what is shown of the filter as HTML without scripts."""
        return still(self.card(self._view()))

    def arguments(self, state: Mapping[str, Any] | None = None) -> dict[str, Any]:
        """Return the arguments, after the run, that open a view again."""
        changed = {name: value for name, value in self.given.items() if value != USUAL[name]}
        return super().arguments(state) | changed

    @property
    def view(self) -> dict[str, Any]:
        """Parameters that open this view again: ``FilterBrowser(run, **browser.view)``."""
        return self.arguments()

    def close(self) -> None:
        """Close the widget and end its thread."""
        self.task.cancel()
        super().close()


def describe(source: Source) -> dict[str, Any]:
    """Return what the page knows from the start."""
    return {
        "networks": source.titles,
        "orders": {key: text for key, (text, *_) in ORDERS.items()},
        "parametrisations": PARAMETRISATIONS,
    }
