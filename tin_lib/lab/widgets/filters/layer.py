"""What the filter browser shows of a layer: tiles, orders, and the card of each filter."""

from collections.abc import Sequence
from functools import cached_property

import numpy as np
import pandas as pd

from tin_lib import catalog
from tin_lib.analysis import filters
from tin_lib.analysis.filters.store import FilterStore
from tin_lib.data import Split
from tin_lib.lab.widgets.filters.filter_card import FilterCard
from tin_lib.lab.widgets.filters.filter_controls import ORDERS

SIZE = 64  # side of a tile in pixels
CLASSES = 5  # preferred ones shown


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
        """Return the tiles of filters, uint8 (N, 3, 64, 64): kernels of the first layer, maximising
        images of any other, gray until they are computed."""
        if self.kernels is not None:
            near = np.arange(SIZE) * self.kernels.shape[-1] // SIZE
            return self.kernels[list(page)][..., near[:, None], near]
        gray = np.full((3, SIZE, SIZE), filters.top_activations.GRAY, np.uint8)
        found = [self.store.image(self.name, parametrisation, index) for index in page]
        return np.stack([gray if pixels is None else pixels for pixels in found])

    def card(self, parametrisation: str, index: int) -> FilterCard:
        """Return the content of a filter's picture."""
        optimised = self.store.image(self.name, parametrisation, index)
        dead = self.table["dead"][index]
        rows = self.survey.image[index][:0] if dead else self.survey.image[index]
        whole = self.survey.field is None
        return FilterCard(
            title=self.title(index),
            optimised=optimised,
            kernel=None if self.kernels is None else self.kernels[index],
            figures=self._figures(index, optimised),
            classes=[] if dead else self._classes(index),
            patches=None if whole or dead else self.patches(index),
            images=self.val.images[rows],
            boxes=self._boxes(index),
            captions=[self._caption(index, rank) for rank in range(len(rows))],
        )

    def patches(self, index: int) -> np.ndarray:
        """Return the receptive fields with the highest activations, uint8 (N, 3, s, s)."""
        return filters.patches(self.survey, self.store.images, [index])[0]

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
            "roughness (white noise: 1)": 0,
            "  of the kernel {:.2f}": row["kernel_roughness"],
            "  of the maximising image {:.3f}": image,
            f"most like filter {row['nearest']}, cosine {{:.2f}}": row["similarity"],
        }
        return [text.format(value) for text, value in figures.items() if not np.isnan(value)]

    def _classes(self, index: int) -> list[tuple[str, float]]:
        mine = self.preferred[self.preferred["filter"] == index]
        return list(zip(mine["name"], mine["times"]))

    def _boxes(self, index: int) -> np.ndarray:
        """Return the receptive field in each image, (N, 4) x0, y0, x1, y1 inclusive; else -1."""
        field, places = self.survey.field, self.survey.position[index]
        if field is None:
            return np.full((len(places), 4), -1)
        spans = [[field.span(int(place)) for place in pair] for pair in places]
        boxes = [(left, top, right - 1, bottom - 1) for (top, bottom), (left, right) in spans]
        return np.clip(boxes, 0, SIZE - 1)

    def _caption(self, index: int, rank: int) -> tuple[str, str]:
        """Return the activation for an image and its file; its class."""
        image = self.survey.image[index, rank]
        label = self.val.labels[image]
        activation = f"{self.survey.value[index, rank]:.2f}  {self.val.files[image]}"
        return activation, self.class_names[label]
