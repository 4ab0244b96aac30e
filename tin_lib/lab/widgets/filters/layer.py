"""What the filter browser shows of a layer: tiles, orders, and the card of each filter."""

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np
import pandas as pd

from tin_lib import catalog
from tin_lib.analysis import filters
from tin_lib.analysis.filters.store import FilterStore
from tin_lib.data import Split
from tin_lib.lab.widgets.filters.view import ORDERS

SIZE = 64  # side of an image in pixels
CLASSES = 5  # preferred ones shown


@dataclass(frozen=True, eq=False)
class FilterCard:
    """What is shown of a filter.

    Attributes:
        title: the filter.
        optimised: its maximising image, uint8 (3, 64, 64); None until it is computed.
        kernel: uint8 (3, h, w) of a first layer's filter, else None.
        surveyed: whether the layer is surveyed; what follows is empty until then.
        figures: lines of text.
        classes: name and mean activation, relative to that of all images; the highest first.
        images: uint8 (N, 3, 64, 64) with the highest activations.
        captions: the activation and class of each, and its file.
        boxes: int (N, 4) x0, y0, x1, y1, inclusive: the receptive field in each image, which may
            leave it; None if it is the whole image.
        patches: uint8 (N, 3, s, s), what lies in the boxes; None without boxes.
    """

    title: str
    optimised: np.ndarray | None
    kernel: np.ndarray | None
    surveyed: bool
    figures: Sequence[str]
    classes: Sequence[tuple[str, float]]
    images: np.ndarray
    captions: Sequence[tuple[str, str]]
    boxes: np.ndarray | None
    patches: np.ndarray | None

    def texts(self) -> dict[str, Any]:
        """Return all but pixels, for a page."""
        boxes = [None] * len(self.images) if self.boxes is None else self.boxes.tolist()
        images = [
            {"caption": caption, "file": file, "box": box}
            for (caption, file), box in zip(self.captions, boxes)
        ]
        return {
            "title": self.title,
            "surveyed": self.surveyed,
            "figures": list(self.figures),
            "classes": [[name, round(times, 3)] for name, times in self.classes],
            "images": images,
            "kernel": None if self.kernel is None else list(self.kernel.shape[1:]),
        }

    def pixels(self) -> dict[str, bytes]:
        """Return the pixels that there are, by name: optimised, kernel, images."""
        parts = {"optimised": self.optimised, "kernel": self.kernel, "images": self.images}
        return {name: part.tobytes() for name, part in parts.items() if part is not None}


class Layer:
    """One layer of one network. ``val``: the images of its survey."""

    def __init__(
        self, store: FilterStore, name: str, val: Split, class_names: Sequence[str]
    ) -> None:
        self.store, self.name, self.val, self.class_names = store, name, val, class_names

    @property
    def surveyed(self) -> bool:
        """Whether its survey is computed, which figures and pictures need."""
        return self.store.cached_survey(self.name) is not None

    @cached_property
    def survey(self) -> filters.Survey:
        """The highest activations of the filters."""
        return self.store.survey(self.name)

    @cached_property
    def table(self) -> pd.DataFrame:
        """Figures of each filter, from ``filters.describe``."""
        return filters.describe(self.store.network, self.survey)

    @cached_property
    def preferred(self) -> pd.DataFrame:
        """Classes with the highest mean activation of each filter."""
        return filters.preferred_classes(self.survey, self.class_names, CLASSES)

    @cached_property
    def kernels(self) -> np.ndarray | None:
        """Kernels as images, uint8 (K, 3, h, w), if this is the first layer."""
        first = self.name == next(iter(self.store.layers))
        return filters.first_layer(self.store.network) if first else None

    def title(self, index: int) -> str:
        """Return a filter's title."""
        last = self.store.layers[self.name] - 1
        network = catalog.title(self.store.fit.name)
        return f"{network} · {self.name} · filter {index} (0 to {last})"

    def ordered(self, order: str) -> np.ndarray:
        """Return filters in an order, int64 (K,); by number until the layer is surveyed."""
        if order == "index" or not self.surveyed:
            return np.arange(self.store.layers[self.name])
        _, column, ascending = ORDERS[order]
        table = self.table.sort_values(column, ascending=ascending, kind="stable")
        return table["filter"].to_numpy()

    def tiles(self, parametrisation: str, page: Sequence[int]) -> np.ndarray:
        """Return the tiles of filters: kernels of the first layer, uint8 (N, 3, h, w), maximising
        images of any other, uint8 (N, 3, 64, 64), gray until they are computed."""
        if self.kernels is not None:
            return self.kernels[list(page)]
        gray = np.full((3, SIZE, SIZE), filters.top_activations.GRAY, np.uint8)
        found = [self.store.image(self.name, parametrisation, index) for index in page]
        return np.stack([gray if pixels is None else pixels for pixels in found])

    def card(self, parametrisation: str, index: int) -> FilterCard:
        """Return what is shown of a filter."""
        optimised = self.store.image(self.name, parametrisation, index)
        rows = self.rows(index)
        field = self.survey.field if len(rows) else None
        return FilterCard(
            title=self.title(index),
            optimised=optimised,
            kernel=None if self.kernels is None else self.kernels[index],
            surveyed=self.surveyed,
            figures=self._figures(index, optimised) if self.surveyed else [],
            classes=self._classes(index) if len(rows) else [],
            images=self.val.images[rows],
            captions=[self._caption(index, rank) for rank in range(len(rows))],
            boxes=None if field is None else self._boxes(index, field),
            patches=None if field is None else self.patches(index),
        )

    def rows(self, index: int) -> np.ndarray:
        """Return the rows of the images with the filter's highest activations, int64 (N,).

        Empty for a dead filter, and until the layer is surveyed.
        """
        if not self.surveyed or self.table["dead"][index]:
            return np.empty(0, np.int64)
        return self.survey.image[index]

    def _figures(self, index: int, optimised: np.ndarray | None) -> list[str]:
        row, count = self.table.loc[index], len(self.val)
        if row["dead"]:
            return [f"dead: not active for any of {count} images"]
        image = np.nan if optimised is None else filters.image_roughness(optimised[None])[0]
        figures = {
            f"active for {{:.0%}} of {count} images": row["active"],
            "highest activation {:.2f}": row["largest"],
            "mean activation {:.2f}": row["mean"],
            "class selectivity {:.2f} of 1": row["selectivity"],
            "roughness of the kernel {:.2f} (white noise: 1)": row["kernel_roughness"],
            "roughness of the maximising image {:.3f}": image,
            f"most like filter {row['nearest']}, cosine {{:.2f}}": row["similarity"],
        }
        return [text.format(value) for text, value in figures.items() if not np.isnan(value)]

    def _classes(self, index: int) -> list[tuple[str, float]]:
        """Return classes with their mean activation over that of all images, where it exists."""
        mine = self.preferred[self.preferred["filter"] == index].dropna(subset="times")
        return list(zip(mine["name"], mine["times"]))

    def patches(self, index: int) -> np.ndarray:
        """Return the receptive fields with the highest activations, uint8 (N, 3, s, s)."""
        return filters.patches(self.survey, self.store.images, [index])[0]

    def _boxes(self, index: int, field: filters.Field) -> np.ndarray:
        """Return the receptive field in each image, int (N, 4) x0, y0, x1, y1 inclusive."""
        places = self.survey.position[index]
        spans = [[field.span(int(place)) for place in pair] for pair in places]
        boxes = [(left, top, right - 1, bottom - 1) for (top, bottom), (left, right) in spans]
        return np.array(boxes)

    def _caption(self, index: int, rank: int) -> tuple[str, str]:
        """Return the activation for an image with its class, and its file."""
        image = self.survey.image[index, rank]
        label = self.val.labels[image]
        name = self.class_names[label] if label >= 0 else "class unknown"
        return f"{self.survey.value[index, rank]:.2f} · {name}", str(self.val.files[image])
