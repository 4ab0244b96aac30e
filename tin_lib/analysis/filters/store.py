"""Surveys and maximising images of a network's filters, computed when needed and kept on disk.

The folder's name has the digest of the weights, so that nothing is reused after a network is
trained again. Each maximising image is a separate PNG file.
"""

import contextlib
import io
import struct
import zipfile
import zlib
from collections.abc import Sequence
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
from PIL import Image

from tin_lib import files, runs
from tin_lib.analysis.disk_cache import DiskCache, safe_name
from tin_lib.analysis.filters.images import Images
from tin_lib.analysis.filters.maximise import Options, Progress, maximise
from tin_lib.analysis.filters.receptive_field import receptive_field
from tin_lib.analysis.filters.top_activations import Survey, survey
from tin_lib.analysis.layers import conv_layers, filter_count, find_layer
from tin_lib.networks.base import SIZE

if TYPE_CHECKING:
    from tin_lib.networks import Network

FORMAT = "v1"  # raise it when a survey or a maximising image changes its values
TOP = 6  # images with the strongest responses, in a survey
ARRAYS = ("value", "image", "position", "active", "mean", "class_mean")  # of a Survey
# What NumPy, zipfile and Pillow raise for a damaged file.
UNREADABLE = (
    *(OSError, ValueError, KeyError, EOFError, SyntaxError, NotImplementedError, RuntimeError),
    *(zipfile.BadZipFile, zlib.error, struct.error),
)


class FilterStore:
    """Surveys and maximising images of one network.

    ``fit``: the trained network. ``images``: the images of its surveys; their number is part of a
    survey's file name. ``steps``: updates of each maximising image. ``folder``: where to keep what
    was computed, usually RUN/filters/browser; None keeps it in memory alone, as after a failed
    write (see ``problem``). One thread at a time may compute; any may read.
    """

    def __init__(
        self, fit: runs.Fit, images: Images, steps: int = 128, folder: Path | None = None
    ) -> None:
        self.fit, self.images = fit, images
        self.cache = DiskCache("surveys and images of filters", folder)
        self.options = Options(steps=steps)
        self.surveys: dict[str, Survey] = {}
        self.optimised: dict[tuple[str, str, int], np.ndarray] = {}

    @property
    def problem(self) -> str:
        """Why results are not kept on disk, a sentence to show; empty while they are."""
        return self.cache.problem

    @cached_property
    def network(self) -> "Network":
        """The trained network, loaded when first needed."""
        return self.fit.network()

    @cached_property
    def layers(self) -> dict[str, int]:
        """The conv layers, first to last, and how many filters each has."""
        return {layer: filter_count(self.network, layer) for layer in conv_layers(self.network)}

    def survey(self, layer: str, progress: Progress | None = None) -> Survey:
        """The layer's survey; ``progress(done, total)`` counts images where it is computed."""
        found = self.cached_survey(layer)
        if found is None:
            found = self.surveys[layer] = survey(self.network, layer, self.images, TOP, progress)
            self._write_survey(found)
        return found

    def cached_survey(self, layer: str) -> Survey | None:
        """The layer's survey if it was computed before."""
        if layer not in self.surveys and self.cache.folder:
            with contextlib.suppress(*UNREADABLE):
                self.surveys[layer] = self._read_survey(layer)
        return self.surveys.get(layer)

    def _path(self, layer: str, *names: str) -> Path:
        """A file of this layer, for these weights."""
        assert self.cache.folder
        weights = self.cache.folder / FORMAT / f"{self.fit.name}-{self.fit.digest}"
        return weights.joinpath(safe_name(layer), *names)

    def _survey_path(self, layer: str) -> Path:
        return self._path(layer, f"survey-{len(self.images)}.npz")

    def _read_survey(self, layer: str) -> Survey:
        packed = io.BytesIO(self._survey_path(layer).read_bytes())
        with np.load(packed, allow_pickle=False) as arrays:
            parts = {name: arrays[name] for name in ARRAYS}
        return Survey(layer, **parts, field=receptive_field(self.network, layer))

    def _write_survey(self, found: Survey) -> None:
        if self.cache.writable:
            arrays = {name: getattr(found, name) for name in ARRAYS}
            with self.cache.writing():
                files.atomic_write(self._survey_path(found.layer), _packed(arrays))

    def image(self, layer: str, parametrisation: str, index: int) -> np.ndarray | None:
        """A filter's maximising image, uint8 (3, 64, 64); None if it is not computed yet."""
        key = (layer, parametrisation, index)
        if key not in self.optimised and self.cache.folder:
            with contextlib.suppress(*UNREADABLE):
                self.optimised[key] = _read_image(self._image_path(*key))
        return self.optimised.get(key)

    def optimise(
        self,
        layer: str,
        parametrisation: str,
        filters: Sequence[int],
        progress: Progress | None = None,
    ) -> None:
        """Optimise the images of those filters that have none, in one batch.

        ``progress(done, total)`` counts update steps.
        """
        missing = [f for f in filters if self.image(layer, parametrisation, f) is None]
        if not missing:
            return
        options = Options(self.options.steps, parametrisation=parametrisation, chunk=len(missing))
        normalisation = (self.images.mean, self.images.std)
        best = maximise(self.network, layer, normalisation, missing, options, progress)
        for index, pixels in zip(missing, best.images):
            self.optimised[layer, parametrisation, index] = pixels
            self._write_image((layer, parametrisation, index), pixels)

    def maximised(self, layer: str, parametrisation: str, filters: Sequence[int]) -> np.ndarray:
        """The maximising images of filters, uint8 (K, 3, 64, 64), optimised where missing.

        ``layer``: a name, ``first`` or ``last`` conv layer.
        """
        layer = find_layer(self.network, layer)
        self.optimise(layer, parametrisation, filters)
        return np.stack([self.optimised[layer, parametrisation, index] for index in filters])

    def _image_path(self, layer: str, parametrisation: str, index: int) -> Path:
        return self._path(layer, f"{parametrisation}-{self.options.steps}", f"{index:04}.png")

    def _write_image(self, key: tuple[str, str, int], pixels: np.ndarray) -> None:
        if self.cache.writable:
            with self.cache.writing(), files.atomic_path(self._image_path(*key)) as temporary:
                Image.fromarray(pixels.transpose(1, 2, 0)).save(temporary, "PNG")


def _packed(arrays: dict[str, np.ndarray]) -> bytes:
    buffer = io.BytesIO()
    np.savez(buffer, allow_pickle=False, **arrays)
    return buffer.getvalue()


def _read_image(path: Path) -> np.ndarray:
    content = io.BytesIO(path.read_bytes())
    with Image.open(content) as picture:
        picture.verify()  # the checksums of all parts, which decoding does not look at
    with Image.open(content) as picture:
        pixels = np.asarray(picture).transpose(2, 0, 1)
    if pixels.shape != (3, SIZE, SIZE) or pixels.dtype != np.uint8:
        raise ValueError(f"{path}: not a maximising image of a filter")
    return pixels
