"""Activation maximisation: images that activate a layer's filters most.

Erhan et al., "Visualizing Higher-Layer Features of a Deep Network" (2009); Simonyan et al. (2014),
section 2; the Fourier parametrisation and the colour decorrelation of Olah et al., "Feature
Visualization" (Distill, 2017). One image is optimised for each filter, all of a layer in one batch.
"""

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
import torch
from torch import Tensor

from tin_lib.analysis.filters import parametrisation
from tin_lib.analysis.filters.leak import Leak, leaky_relus
from tin_lib.analysis.layers import activation, filter_count, find_layer
from tin_lib.analysis.whole_numbers import whole
from tin_lib.networks.base import evaluation_mode

if TYPE_CHECKING:
    from tin_lib.networks import Network

Progress = Callable[[int, int], None]
LEAK = 0.3  # share of the gradient that passes silent units at first, 0 in the last fifth


@dataclass(frozen=True)
class Options:
    """How images are optimised. Raises ValueError for a value out of range.

    Attributes:
        steps: updates of each image.
        rate: step size of Adam.
        parametrisation: ``fourier`` (spectrum scaled by 1/frequency, decorrelated colours) gives
            smooth pictures; ``pixel`` optimises each pixel separately and shows what activates a
            network when nothing suppresses noise.
        objective: ``channel`` maximises a filter's mean over the map, ``centre`` its middle unit.
        jitter: largest random shift in pixels before each step, 0 for none.
        blur: standard deviation in pixels of a Gaussian applied to the image, 0 for none.
        total_variation: weight of the mean absolute difference of neighbouring pixels (0..1
            scale), 0 for none.
        chunk: images optimised at a time; bounds the memory.
        seed: of the starting noise and the shifts.
    """

    steps: int = 128
    rate: float = 0.05
    parametrisation: str = "fourier"
    objective: str = "channel"
    jitter: int = 4
    blur: float = 0.0
    total_variation: float = 0.0
    chunk: int = 64
    seed: int = 0

    def __post_init__(self) -> None:
        _check_choice("parametrisation", self.parametrisation, ("fourier", "pixel"))
        _check_choice("objective", self.objective, ("channel", "centre"))
        for name in ("jitter", "blur", "total_variation"):
            if not 0 <= getattr(self, name) < math.inf:
                raise ValueError(f"{name}: must not be negative, got {getattr(self, name)}")
        for name in ("steps", "rate", "chunk"):
            if not 0 < getattr(self, name) < math.inf:
                raise ValueError(f"{name}: must be above zero, got {getattr(self, name)}")
        for name, least in (("steps", 1), ("chunk", 1), ("jitter", 0), ("seed", 0)):
            whole(name, getattr(self, name), least)


def _check_choice(name: str, value: str, known: Sequence[str]) -> None:
    if value not in known:
        raise ValueError(f"{name}: {value!r} is not one of {', '.join(known)}")


@dataclass(frozen=True, eq=False)
class Maximised:
    """Images that activate filters most: a layer's name, and for each of K filters an image.

    ``filters`` int64 (K,) indices; ``images`` uint8 (K, 3, 64, 64); ``start`` and ``reached``
    float32 (K,), the objective on the starting noise and on the image.
    """

    layer: str
    filters: np.ndarray
    images: np.ndarray
    start: np.ndarray
    reached: np.ndarray


def maximise(
    network: "Network",
    layer: str,
    normalisation: tuple[Tensor, Tensor],
    filters: Sequence[int] | np.ndarray | None = None,
    options: Options | None = None,
    progress: Progress | None = None,
) -> Maximised:
    """Optimise one image for each filter of ``layer`` (a name, ``first`` or ``last`` conv layer).

    ``normalisation``: the network's mean and std, (3,) each, 0..255 units. ``filters``: indices,
    default all. ``progress(done, total)`` counts update steps over all chunks. The same call on
    the CPU gives the same images. Raises ValueError for an unknown layer or filter.
    """
    options, layer = options or Options(), find_layer(network, layer)
    chosen = _choose(filters, filter_count(network, layer), layer)
    chunks = np.split(chosen, range(options.chunk, len(chosen), options.chunk))
    steps = _Steps(progress, options.steps * len(chunks))
    with evaluation_mode(network, gradients=False) as device, leaky_relus(network) as leak:
        mean, std = (value.float().to(device) for value in normalisation)
        objective = Objective(network, layer, mean, std, options.objective, leak)
        parts = [_optimise(objective, chunk, options, steps) for chunk in chunks]
    images, start, reached = (np.concatenate(part) for part in zip(*parts))
    return Maximised(layer, chosen, images, start, reached)


def _choose(filters: Sequence[int] | np.ndarray | None, known: int, layer: str) -> np.ndarray:
    chosen = np.arange(known) if filters is None else np.asarray(filters, dtype=np.int64)
    if not len(chosen) or chosen.min() < 0 or chosen.max() >= known:
        raise ValueError(f"filters: {layer} has filters 0 to {known - 1}, got {list(chosen)}")
    return chosen


class _Steps:
    """Counts update steps and reports the count."""

    def __init__(self, progress: Progress | None, total: int) -> None:
        self.progress, self.done, self.total = progress, 0, total

    def step(self) -> None:
        self.done += 1
        if self.progress:
            self.progress(self.done, self.total)


@dataclass(frozen=True, eq=False)
class Objective:
    """What is maximised: the activation of filter b by image b."""

    network: "Network"
    layer: str
    mean: Tensor
    std: Tensor
    kind: str
    leak: Leak

    def __call__(self, images: Tensor, filters: Tensor) -> Tensor:
        """Objective (K,) of ``images`` (K, 3, 64, 64) in 0..1, image b for ``filters[b]``."""
        shape = (1, 3, 1, 1)
        inputs = (images * 255 - self.mean.view(shape)) / self.std.view(shape)
        maps = activation(self.network, self.layer, inputs)
        own = maps[torch.arange(len(filters)), filters]  # (K, h, w), or (K,) of a dense layer
        if own.ndim == 1:
            return own
        if self.kind == "centre":
            return own[:, own.shape[1] // 2, own.shape[2] // 2]
        return own.mean(dim=(1, 2))


def _optimise(
    objective: Objective, filters: np.ndarray, options: Options, steps: _Steps
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Images uint8, starting and final objective of one chunk of filters."""
    device = objective.mean.device
    wanted = torch.from_numpy(filters).to(device)
    values = parametrisation.noise(options.parametrisation, filters, options.seed).to(device)
    values.requires_grad_(True)
    start = _evaluate(objective, values, wanted, options)[1]
    optimiser = torch.optim.Adam([values], lr=options.rate)
    shifts = torch.Generator().manual_seed(options.seed)
    for step in range(options.steps):
        objective.leak.share = LEAK * max(0.0, 1 - 1.25 * step / options.steps)
        image = parametrisation.to_images(options.parametrisation, values, options.blur)
        score = objective(parametrisation.shift(image, options.jitter, shifts), wanted)
        loss = options.total_variation * parametrisation.total_variation(image) - score
        (values.grad,) = torch.autograd.grad(loss.sum(), values)
        optimiser.step()
        steps.step()
    image, reached = _evaluate(objective, values, wanted, options)
    pixels = (image * 255).round().to(torch.uint8).cpu().numpy()
    return pixels, start.cpu().numpy(), reached.cpu().numpy()


@torch.no_grad()
def _evaluate(
    objective: Objective, values: Tensor, filters: Tensor, options: Options
) -> tuple[Tensor, Tensor]:
    """The images (K, 3, 64, 64) in 0..1 and their objective (K,), without jitter."""
    image = parametrisation.to_images(options.parametrisation, values, options.blur)
    return image, objective(image, filters)
