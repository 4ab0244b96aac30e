"""The paper's three views of a map (Figure 5), and their display as uint8 pictures."""

import math

import numpy as np
import torch
from torch import Tensor

from tin_lib.analysis.arrays import check_finite, check_shape, real

PERCENTILE = 99.5  # of a view's values, shown at full strength; higher values are clipped


def absolute(maps: Tensor) -> Tensor:
    """Largest absolute value over the channels, (N, H, W) of (N, C, H, W)."""
    check_shape("maps", maps, -1, -1, -1, -1)
    return maps.abs().amax(1)


def positive(maps: Tensor) -> Tensor:
    """What increases the score, negative values cut to 0: (N, C, H, W)."""
    check_shape("maps", maps, -1, -1, -1, -1)
    return maps.clamp(min=0)


def negative(maps: Tensor) -> Tensor:
    """What decreases the score, as positive values: (N, C, H, W)."""
    return positive(-maps)


VIEWS = {"absolute": absolute, "positive": positive, "negative": negative}


def full_strength(view: Tensor, percentile: float = PERCENTILE) -> Tensor:
    """The value displayed as white, for each image of a view (N, H, W) or (N, C, H, W): (N,).

    The ``percentile`` (0..100, not 0) of its values, or its largest if that percentile is 0.
    """
    _check_percentile(percentile)
    _check(view)
    flat = view.float().flatten(1)
    # kthvalue and not quantile, which refuses more than 16 million values.
    top = flat.kthvalue(math.ceil(percentile / 100 * flat.shape[1]), dim=1).values
    return torch.where(top > 0, top, flat.amax(1))


def to_uint8(
    view: Tensor, percentile: float = PERCENTILE, scale: Tensor | float | None = None
) -> np.ndarray:
    """A view (N, H, W) or (N, C, H, W) of values >= 0 as uint8 of that shape.

    0 is black and ``scale`` white: one value for all, or one for each image (N,). By default each
    image has its own, by ``full_strength``, so that brightness compares places within an image, not
    images. A map of zeros stays black.
    """
    _check(view)
    _check_percentile(percentile)
    top = full_strength(view, percentile) if scale is None else _white(scale, len(view))
    top = top.to(view.device).float().expand(len(view)).clamp(min=1e-20)
    shown = view.float() / top.view(-1, *[1] * (view.ndim - 1))
    return (shown.clamp(0, 1) * 255).round().to(torch.uint8).cpu().numpy()


def _check_percentile(percentile: float) -> None:
    if not 0 < percentile <= 100:
        raise ValueError(f"percentile={percentile}: must lie above 0 and be at most 100")


def _white(scale: Tensor | float, count: int) -> Tensor:
    """``scale`` as a tensor; ValueError unless it is a finite number, or one an image."""
    top = scale if isinstance(scale, Tensor) else torch.from_numpy(real("scale", scale))
    check_finite("scale", top)
    if top.ndim:
        check_shape("scale", top, 1 if len(top) == 1 else count)
    return top


def _check(view: Tensor) -> None:
    if view.ndim not in (3, 4):
        raise ValueError(f"view: {tuple(view.shape)}, must be (N, H, W) or (N, C, H, W)")
    check_finite("view", view)


def overlay(images: np.ndarray, view: np.ndarray, strength: float) -> np.ndarray:
    """Lay a gray view (N, H, W) over images (N, 3, H, W), all uint8, in orange.

    ``strength`` 0 shows the image, 1 hides it where the view is white.
    """
    if not 0 <= strength <= 1:
        raise ValueError(f"strength={strength}: must lie between 0 and 1")
    colours = images.ndim == 4 and images.shape[1] == 3 and images.dtype == np.uint8
    if not colours or view.dtype != np.uint8 or view.shape != (len(images), *images.shape[2:]):
        got = f"{images.dtype} {images.shape} and {view.dtype} {view.shape}"
        raise ValueError(f"images and view: must be uint8 (N, 3, H, W) and (N, H, W), not {got}")
    weight = strength * view[:, None].astype(np.float32) / 255
    colour = np.array([230, 159, 0], np.float32)[None, :, None, None]  # Okabe and Ito's orange
    return (images * (1 - weight) + colour * weight).round().astype(np.uint8)


def preprocessed(inputs: Tensor) -> np.ndarray:
    """Normalised images (N, 3, H, W) as uint8 of that shape: -2.5..2.5 deviations become 0..255."""
    check_shape("inputs", inputs, -1, 3, -1, -1)
    check_finite("inputs", inputs)
    return ((inputs + 2.5) * 51).clamp(0, 255).round().to(torch.uint8).cpu().numpy()


def figure5_rows(pixels: np.ndarray, inputs: Tensor, maps: Tensor) -> list[list[np.ndarray]]:
    """Figure 5's row of each image: original, preprocessed, absolute, positive, negative, uint8.

    ``pixels`` uint8, ``inputs`` and ``maps`` float32, all (N, 3, H, W).
    """
    if pixels.dtype != np.uint8 or not pixels.shape == inputs.shape == maps.shape:
        got = f"{pixels.dtype} {pixels.shape}, {tuple(inputs.shape)}, {tuple(maps.shape)}"
        raise ValueError(f"pixels, inputs and maps must be of one shape, not {got}")
    columns = [pixels, preprocessed(inputs), *(to_uint8(view(maps)) for view in VIEWS.values())]
    return [list(row) for row in zip(*columns, strict=True)]
