"""What the filter browser tells about a layer: tiles, orders, and each filter's picture."""

from collections.abc import Sequence
from functools import cached_property

import numpy as np
import pandas as pd

from tin_lib.analysis import filters
from tin_lib.analysis.filters.store import FilterStore
from tin_lib.data import Split
from tin_lib.lab.widgets.filters.filter_card import Plate
from tin_lib.lab.widgets.filters.filter_controls import ORDERS

SIZE = 64  # pixels of a tile's side
CLASSES = 5  # favourite ones told


class Layer:
    """One layer of one network. ``val``: the images that its survey shows."""

    def __init__(
        self, store: FilterStore, name: str, val: Split, class_names: Sequence[str]
    ) -> None:
        self.store, self.name, self.val, self.class_names = store, name, val, class_names

    @property
    def known(self) -> bool:
        """Whether it is surveyed: only then are there figures and pictures."""
        return self.store.known(self.name) is not None

    @cached_property
    def survey(self) -> filters.Survey:
        """What excites the filters."""
        return self.store.survey(self.name)

    @cached_property
    def table(self) -> pd.DataFrame:
        """Figures of each filter, by ``filters.describe``."""
        return filters.describe(self.store.network, self.survey)

    @cached_property
    def favourites(self) -> pd.DataFrame:
        """Classes that each filter answers to most."""
        return filters.favourites(self.survey, self.class_names, CLASSES)

    @cached_property
    def kernels(self) -> np.ndarray | None:
        """Kernels as pictures, uint8 (K, 3, h, w), if this is the first layer."""
        first = self.name == next(iter(self.store.layers))
        return filters.first_layer(self.store.network) if first else None

    def title(self, index: int) -> str:
        """A filter's name."""
        count = self.store.layers[self.name]
        return f"{self.store.fit.name} · {self.name} · filter {index} (0 to {count - 1})"

    def ordered(self, order: str) -> np.ndarray:
        """Filters in an order, int64 (K,); by number until the layer is surveyed."""
        if order == "index" or not self.known:
            return np.arange(self.store.layers[self.name])
        _, column, ascending = ORDERS[order]
        table = self.table.sort_values(column, ascending=ascending, kind="stable")
        return table["filter"].to_numpy()

    def tiles(self, parametrisation: str, page: Sequence[int]) -> np.ndarray:
        """Kernels of the first layer, made images of any other, gray until they are there; uint8
        (N, 3, 64, 64)."""
        if self.kernels is not None:
            near = np.arange(SIZE) * self.kernels.shape[-1] // SIZE
            return self.kernels[list(page)][..., near[:, None], near]
        gray = np.full((3, SIZE, SIZE), filters.top_activations.GRAY, np.uint8)
        found = [self.store.image(self.name, parametrisation, index) for index in page]
        return np.stack([gray if pixels is None else pixels for pixels in found])

    def plate(self, parametrisation: str, index: int) -> Plate:
        """A filter's picture."""
        made = self.store.image(self.name, parametrisation, index)
        dead = self.table["dead"][index]
        rows = self.survey.image[index][:0] if dead else self.survey.image[index]
        whole = self.survey.field is None
        return Plate(
            title=self.title(index),
            made=made,
            kernel=None if self.kernels is None else self.kernels[index],
            figures=self._figures(index, made),
            classes=[] if dead else self._classes(index),
            patches=None if whole or dead else self.patches(index),
            images=self.val.images[rows],
            boxes=self._boxes(index),
            captions=[self._caption(index, rank) for rank in range(len(rows))],
        )

    def patches(self, index: int) -> np.ndarray:
        """What the filter answers to most, uint8 (N, 3, s, s)."""
        return filters.patches(self.survey, self.store.images, [index])[0]

    def _figures(self, index: int, made: np.ndarray | None) -> list[str]:
        row, count = self.table.loc[index], len(self.val)
        if row["dead"]:
            return [f"dead: answers to none of {count} images"]
        image = np.nan if made is None else filters.image_roughness(made[None])[0]
        told = {
            f"answers to {{:.0%}} of {count} images": row["active"],
            "strongest answer {:.2f}": row["largest"],
            "mean answer {:.2f}": row["mean"],
            "class selectivity {:.2f} of 1": row["selectivity"],
            "roughness (white noise: 1)": 0,
            "  of the kernel {:.2f}": row["kernel_roughness"],
            "  of the made image {:.3f}": image,
            f"most like filter {row['nearest']}, cosine {{:.2f}}": row["similarity"],
        }
        return [words.format(value) for words, value in told.items() if not np.isnan(value)]

    def _classes(self, index: int) -> list[tuple[str, float]]:
        mine = self.favourites[self.favourites["filter"] == index]
        return list(zip(mine["name"], mine["times"]))

    def _boxes(self, index: int) -> np.ndarray:
        """The part of each image that the patch shows, (N, 4) x0, y0, x1, y1 inclusive; else -1."""
        field, places = self.survey.field, self.survey.position[index]
        if field is None:
            return np.full((len(places), 4), -1)
        spans = [[field.span(int(place)) for place in pair] for pair in places]
        boxes = [(left, top, right - 1, bottom - 1) for (top, bottom), (left, right) in spans]
        return np.clip(boxes, 0, SIZE - 1)

    def _caption(self, index: int, rank: int) -> tuple[str, str]:
        """The answer to an image and its file; its class."""
        image = self.survey.image[index, rank]
        label = self.val.labels[image]
        answer = f"{self.survey.value[index, rank]:.2f}  {self.val.files[image]}"
        return answer, self.class_names[label]
