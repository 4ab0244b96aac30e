"""A browser of the saliency maps of a run's images."""

from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import torch

from tin_lib import augment, catalog
from tin_lib.analysis import errors, runs, saliency
from tin_lib.analysis.saliency import METHODS
from tin_lib.analysis.saliency.store import CHANNELS, MapStore
from tin_lib.data import Split, TinyImageNet
from tin_lib.lab.figures.tiles import sheet
from tin_lib.lab.formatting import method_title
from tin_lib.lab.widgets import module
from tin_lib.lab.widgets.prefetch import Pause, Prefetcher
from tin_lib.lab.widgets.saliency.view import View, check_known, checked, matching

COLUMNS = 6  # of a sheet of thumbnails
KEPT = 256  # maps in memory: 28 KiB each, and one image has one for each network and method


class Key(NamedTuple):
    """What determines a map."""

    network: str
    method: str
    row: int


class SaliencyBrowser(module.Browser):
    """Step through a run's images and see which pixels matter, by network and method.

    ``run``: a run or its folder. ``data``: the data it was trained on; None opens them. ``split``:
    val or test. ``page``: whether it is alone on a web page. ``view``: parameters of ``View``, such
    as the ``view`` of another browser. Maps are computed when first shown, and kept in
    RUN/saliency/maps. Raises ValueError for unknown parameters, and for data that the run was not
    trained on.
    """

    _esm = module.module("saliency")

    def __init__(
        self,
        run: runs.Run | str | Path,
        data: TinyImageNet | None = None,
        split: str = "val",
        page: bool = False,
        **view: Any,
    ) -> None:
        super().__init__(module.as_run(run), page)
        self.split = _split(self.run, data, split)
        self.store = MapStore(self.run.fits, self.split, self.run.path / "saliency" / "maps")
        self.ids = self.run.first.class_ids
        self.class_names = errors.short_names(self.ids, self.run.first.class_names)
        self.row_of = {str(file): row for row, file in enumerate(self.split.files)}
        self.prefetcher = Prefetcher(self.make, KEPT)
        self.description = describe(self.run, self.store, self.split, list(METHODS))
        self.look(**view)

    def look(self, **view: Any) -> None:
        """Show a view; parameters that are not given have their usual values.

        Raises ValueError, naming the parameter and the known values, for an unknown value.
        """
        try:
            asked = View(**view)
        except TypeError as error:
            raise ValueError(f"SaliencyBrowser: {error}; parameters are those of View") from None
        asked = checked(asked, list(self.run.fits), list(METHODS), self.ids)
        for name in ("file", "pinned"):
            if (value := getattr(asked, name)) and value not in self.row_of:
                raise ValueError(f"{name}={value!r}: {self.split.name} has no such image")
        shown = asked.parameters()
        if asked.networks == tuple(self.run.fits):
            del shown["networks"]
        self.state = shown

    @property
    def rows(self) -> np.ndarray:
        """Rows of the images that match the view, int64."""
        view = self._view()
        predicted = {name: self.store.of(name).predicted for name in view.networks}
        return matching(view, self.split.labels, predicted, self.ids)

    def _view(self) -> View:
        return checked(View(**self.state), list(self.run.fits), list(METHODS), self.ids)

    def answer(self, kind: str, request: Mapping[str, Any]) -> tuple[dict[str, Any], list[bytes]]:
        """Answer the page: thumbnails, an image with its predictions, maps; or prefetch maps."""
        if kind == "maps":
            key = Key(request["network"], request["method"], self._row(request["image"]))
            data = self.prefetcher.get(key)
            return ({"notice": self.store.problem} if self.store.problem else {}), [data]
        if kind == "image":
            row = self._row(request["image"])
            best = {name: self.best(name, row) for name in self.run.fits}
            box = self.split.boxes[row].tolist()
            return {"best": best, "box": box}, [np.array(self.split.images[row]).tobytes()]
        if kind == "thumbnails":
            rows = [self._row(image) for image in request["images"]]
            picture = sheet(np.array(self.split.images[rows]), COLUMNS, quality=90)
            return {"columns": COLUMNS}, [picture]
        if kind == "expect":
            if self.live:
                rows = [self._row(image) for image in request["images"]]
                chosen = pairs(request["networks"], request["methods"])
                self.prefetcher.expect([Key(*pair, row) for pair in chosen for row in rows])
            return {}, []
        raise ValueError(f"kind={kind!r}: choose thumbnails, image, maps or expect")

    def _row(self, image: Any) -> int:
        if not isinstance(image, int) or not 0 <= image < len(self.split):
            raise ValueError(f"image={image!r}: {self.split.name} has 0 to {len(self.split) - 1}")
        return image

    def make(self, key: Any, pause: Pause) -> bytes:
        """Return a map's views, uint8 (7, 64, 64), as bytes; they are read, or computed."""
        pause()
        check_known("network", [key.network], list(self.run.fits))
        return self.store.get(*key).tobytes()

    def title_of(self, row: int) -> str:
        """Return the name of an image's class."""
        label = self.split.labels[row]
        return self.class_names[self.ids[label]] if label >= 0 else "class unknown"

    def best(self, network: str, row: int) -> list[tuple[int, float]]:
        """Return a network's top five for an image: class and probability."""
        return best(self.store.of(network).probabilities[[row]])[0]

    def still(self) -> str:
        """Return the view's image, maps and predictions as HTML without scripts."""
        rows, view = self.rows, self._view()
        if not len(rows):
            return "<p>No image matches.</p>"
        asked = self.row_of.get(view.file, -1)
        row = asked if asked in rows else int(rows[0])
        image = np.array(self.split.images[row])
        inputs = augment.normalise(
            torch.from_numpy(image[None]), self.run.first.mean, self.run.first.std
        )
        top = [module.still_tile("original", image, 192)]
        top.append(module.still_tile("preprocessed", saliency.preprocessed(inputs)[0], 192))
        parts = [f"<h4>{module.text(f'{self.title_of(row)} ({self.split.files[row]})')}</h4>"]
        parts.append(module.still_row(top))
        for network, method in pairs(view.networks, view.methods):
            title = f"{catalog.title(network)} · {method_title(method)}"
            parts.append(f"<h5>{module.text(title)}</h5>")
            parts.append(module.still_row(self._still_row(Key(network, method, row), view)))
        return f'<div class="tin-still">{"".join(parts)}</div>'

    def _still_row(self, key: Key, view: View) -> list[str]:
        label, names = self.split.labels[key.row], list(self.class_names.values())
        lines = [
            f"{share:.1%} {names[i]}{' (its label)' if i == label else ''}"
            for i, share in self.best(key.network, key.row)
        ]
        try:
            views = self.store.get(*key)
        except ValueError as error:  # the method does not apply to the network
            return [f"<p>{module.text(str(error))}</p>", module.still_lines(lines)]
        image = np.array(self.split.images[[key.row]])
        laid = saliency.overlay(image, views[CHANNELS["absolute"]], view.overlay)[0]
        shown = {"overlay": laid} | {name: views[part] for name, part in CHANNELS.items()}
        tiles = [module.still_tile(name, pixels) for name, pixels in shown.items()]
        return [*tiles, module.still_lines(lines)]

    def arguments(self, state: Mapping[str, Any] | None = None) -> dict[str, Any]:
        """Return the arguments, after the run, that open a view again."""
        split = {} if self.split.name == "val" else {"split": self.split.name}
        return split | super().arguments(state)

    def close(self) -> None:
        """Close the widget, and end its thread."""
        self.prefetcher.close()
        super().close()


def describe(
    run: runs.Run, store: MapStore, split: Split, methods: Sequence[str]
) -> dict[str, Any]:
    """Return what the page knows from the start; predictions are class numbers."""
    names = errors.short_names(run.first.class_ids, run.first.class_names)
    networks = {
        name: {
            "title": catalog.title(name),
            "predicted": store.of(name).predicted.tolist(),
            "unavailable": store.of(name).unavailable,
        }
        for name in run.fits
    }
    return {
        "mean": run.first.mean.tolist(),
        "std": run.first.std.tolist(),
        "classes": [{"id": wnid, "name": names[wnid]} for wnid in run.first.class_ids],
        "files": split.files.tolist(),
        "labels": split.labels.tolist(),
        "boxes": bool((split.boxes >= 0).any()),
        "networks": networks,
        "methods": {method: {"title": method_title(method)} for method in methods},
    }


def best(probabilities: np.ndarray) -> list[list[tuple[int, float]]]:
    """Return the five most probable classes of each image, (class, probability)."""
    order = np.argsort(-probabilities, axis=1, kind="stable")[:, :5]
    shares = np.take_along_axis(probabilities, order, axis=1)
    return [
        [(int(i), round(float(share), 4)) for i, share in zip(classes, row)]
        for classes, row in zip(order, shares)
    ]


def pairs(networks: Sequence[str], methods: Sequence[str]) -> Iterator[tuple[str, str]]:
    """Yield the network and method of each row of a card."""
    for network in networks:
        for method in methods:
            yield network, method


def _split(run: runs.Run, data: TinyImageNet | None, split: str) -> Split:
    if split not in ("val", "test"):
        raise ValueError(f"split={split!r}: choose val or test, whose scores a fit keeps")
    return module.data_of(run, data).split(split)
