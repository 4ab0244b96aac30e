"""Surveys and made images of a network's filters, computed when first asked for and kept on disk.

A folder carries the digest of the weights, so that a network trained again starts afresh. A made
image is a PNG file of its own, which anything opens.
"""

import contextlib
import io
import zipfile
from collections.abc import Sequence
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
from PIL import Image

from tin_lib import files, runs
from tin_lib.analysis.filters.maximise import Options, Progress, maximise
from tin_lib.analysis.filters.top_activations import Survey, survey
from tin_lib.networks.inspect import SIZE, Images, conv_layers, filter_count, receptive_field

if TYPE_CHECKING:
    from tin_lib.networks import Network

FORMAT = "v1"  # raise it when a survey or a made image changes its values
TOP = 6  # images that excite a filter most, in a survey
ARRAYS = ("value", "image", "position", "active", "mean", "class_mean")  # of a Survey
UNREADABLE = (OSError, ValueError, KeyError, EOFError, SyntaxError, zipfile.BadZipFile)


class FilterStore:
    """What was found out about one network's filters.

    ``fit``: the trained network. ``images``: what surveys show to it; the number of them is part of
    a survey's file name. ``steps``: updates of each made image. ``folder``: where to keep what was
    computed, usually RUN/filters/browser; None keeps it in memory alone, as a folder that cannot be
    written to does. One thread at a time may compute; any may read.
    """

    def __init__(
        self, fit: runs.Fit, images: Images, steps: int = 128, folder: Path | None = None
    ) -> None:
        self.fit, self.images, self.folder = fit, images, folder
        self.options = Options(steps=steps)
        self.surveys: dict[str, Survey] = {}
        self.made: dict[tuple[str, str, int], np.ndarray] = {}

    @cached_property
    def network(self) -> "Network":
        """The trained network, loaded when first needed."""
        return self.fit.network()

    @cached_property
    def layers(self) -> dict[str, int]:
        """The conv layers, first to last, and how many filters each has."""
        return {layer: filter_count(self.network, layer) for layer in conv_layers(self.network)}

    @cached_property
    def place(self) -> Path | None:
        """The folder of these very weights."""
        folder = self.folder
        return folder / FORMAT / f"{self.fit.name}-{self.fit.digest}" if folder else None

    def survey(self, layer: str, progress: Progress | None = None) -> Survey:
        """The layer's survey; ``progress(done, total)`` counts images where it is computed."""
        found = self.known(layer)
        if found is None:
            found = self.surveys[layer] = survey(self.network, layer, self.images, TOP, progress)
            self._write_survey(found)
        return found

    def known(self, layer: str) -> Survey | None:
        """The layer's survey if it was computed before."""
        if layer not in self.surveys and self.place:
            with contextlib.suppress(*UNREADABLE):
                self.surveys[layer] = self._read_survey(layer)
        return self.surveys.get(layer)

    def _survey_path(self, place: Path, layer: str) -> Path:
        return place / layer / f"survey-{len(self.images)}.npz"

    def _read_survey(self, layer: str) -> Survey:
        assert self.place
        packed = io.BytesIO(self._survey_path(self.place, layer).read_bytes())
        with np.load(packed, allow_pickle=False) as arrays:
            parts = {name: arrays[name] for name in ARRAYS}
        return Survey(layer, **parts, field=receptive_field(self.network, layer))

    def _write_survey(self, found: Survey) -> None:
        if self.place is None:
            return
        arrays = {name: getattr(found, name) for name in ARRAYS}
        path = self._survey_path(self.place, found.layer)
        with contextlib.suppress(OSError):
            files.atomic_write(path, _packed(arrays))

    def image(self, layer: str, parametrisation: str, index: int) -> np.ndarray | None:
        """A filter's made image, uint8 (3, 64, 64); None where it was not made yet."""
        key = (layer, parametrisation, index)
        if key not in self.made and self.place:
            with contextlib.suppress(*UNREADABLE):
                self.made[key] = _read_image(self._image_path(self.place, *key))
        return self.made.get(key)

    def make(
        self,
        layer: str,
        parametrisation: str,
        filters: Sequence[int],
        progress: Progress | None = None,
    ) -> None:
        """Make the images that these filters lack, in one batch; ``progress`` counts its steps."""
        missing = [f for f in filters if self.image(layer, parametrisation, f) is None]
        if not missing:
            return
        options = Options(self.options.steps, parametrisation=parametrisation, chunk=len(missing))
        normalisation = (self.images.mean, self.images.std)
        best = maximise(self.network, layer, normalisation, missing, options, progress)
        for index, pixels in zip(missing, best.images):
            self.made[layer, parametrisation, index] = pixels
            self._write_image((layer, parametrisation, index), pixels)

    def _image_path(self, place: Path, layer: str, parametrisation: str, index: int) -> Path:
        return place / layer / f"{parametrisation}-{self.options.steps}" / f"{index:04}.png"

    def _write_image(self, key: tuple[str, str, int], pixels: np.ndarray) -> None:
        if self.place is None:
            return
        path = self._image_path(self.place, *key)
        with contextlib.suppress(OSError), files.atomic_path(path) as temporary:
            Image.fromarray(pixels.transpose(1, 2, 0)).save(temporary, "PNG")


def _packed(arrays: dict[str, np.ndarray]) -> bytes:
    buffer = io.BytesIO()
    np.savez(buffer, allow_pickle=False, **arrays)
    return buffer.getvalue()


def _read_image(path: Path) -> np.ndarray:
    with Image.open(path) as picture:
        pixels = np.asarray(picture).transpose(2, 0, 1)
    if pixels.shape != (3, SIZE, SIZE) or pixels.dtype != np.uint8:
        raise ValueError(f"{path}: not an image that was made for a filter")
    return pixels
