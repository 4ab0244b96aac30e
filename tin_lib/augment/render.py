"""Makes a training batch of a plan: gather, move, colour and normalise, on the whole batch.

On a GPU nothing waits for the device: every image goes through the same products. On a CPU only
the images that need it are touched.
"""

import numpy as np
import torch
from torch import Tensor

from tin_lib.augment import geometry
from tin_lib.augment.geometry import SIDE
from tin_lib.augment.plan import EpochPlan

LUMA = (0.299, 0.587, 0.114)  # ITU-R BT.601, as PIL's and torchvision's gray


def render(images: Tensor, plan: EpochPlan, mean: Tensor, std: Tensor, size: int = SIDE) -> Tensor:
    """The batch float32 (items, 3, size, size) that ``plan`` describes, normalised.

    ``images``: uint8 (N, 3, 64, 64) on the plan's device, contiguous or in channels_last memory;
    the batch comes in the same memory format. ``mean`` and ``std``: (3,) on the 0..255 scale, on
    the same device. ``size``: 8..64 pixels; a smaller image shows the same part of the scene.
    ValueError for another size and for images of another kind.
    """
    _check(images, mean, std, size)
    if images.dtype != torch.uint8 or images.shape[2:] != (SIDE, SIDE):
        raise ValueError(f"images must be uint8 (N, 3, 64, 64), not {images.dtype} {images.shape}")
    layout = memory_format(images)
    pixels = _move(_gather(images, plan.image), plan, size).float()
    # One multiply-add for contrast, tint and normalisation: ((x gain + bias) - mean) / std.
    scale, shift = plan.gain / std, (plan.bias - mean) / std
    batch = _colour(pixels, plan.saturation, scale, shift, layout)
    if plan.erased is not None:
        erase_(batch, plan.erased)
    return batch


def normalise(images: Tensor, mean: Tensor, std: Tensor, size: int = SIDE) -> Tensor:
    """``(images - mean) / std`` for each channel, float32, in the images' memory format.

    ``images``: uint8 or float (n, 3, H, W) in 0..255; ``mean`` and ``std``: (3,), same scale.
    ``size`` below 64 resizes images of 64 x 64 to that many pixels. ValueError for other shapes.
    """
    _check(images, mean, std, size)
    layout = memory_format(images)
    resized = images if size == SIDE else geometry.resize(images, size)
    pixels = resized.to(torch.float32, memory_format=layout, copy=resized is images)
    scale, shift = (values.expand(len(images), 3) for values in (1 / std, -mean / std))
    return _affine_(pixels, scale, shift)


def _check(images: Tensor, mean: Tensor, std: Tensor, size: int) -> None:
    if not isinstance(size, int) or not 8 <= size <= SIDE:
        raise ValueError(f"size must be a whole number of pixels, 8..{SIDE}, not {size!r}")
    fits = images.ndim == 4 and images.shape[1:2] + mean.shape + std.shape == (3, 3, 3)
    fits = fits and (size == SIDE or images.shape[2:] == (SIDE, SIDE))
    if not fits or images.is_complex() or mean.is_complex() or std.is_complex():
        got = ", ".join(f"{v.dtype} {tuple(v.shape)}" for v in (images, mean, std))
        raise ValueError(f"images (n, 3, H, W), mean (3,) and std (3,), not {got}")


def memory_format(images: Tensor) -> torch.memory_format:
    """channels_last or contiguous_format, as the images (n, 3, H, W) lie in memory."""
    contiguous = images.is_contiguous()
    last = not contiguous and images.is_contiguous(memory_format=torch.channels_last)
    return torch.channels_last if last else torch.contiguous_format


def saturate_(images: Tensor, factor: Tensor) -> Tensor:
    """Blends each float image with its gray version, in place; factor (n,), 1 changes nothing."""
    if factor.shape != images.shape[:1] or images.shape[1:2] != (3,) or factor.is_complex():
        raise ValueError(f"factor {tuple(factor.shape)} for images {tuple(images.shape)}")
    red, green, blue = images.unbind(1)
    gray = (red * LUMA[0]).add_(green, alpha=LUMA[1]).add_(blue, alpha=LUMA[2])  # (n, H, W)
    gray *= 1 - factor[:, None, None]
    return images.mul_(factor[:, None, None, None]).add_(gray[:, None])


def _colour(
    pixels: Tensor,
    saturation: Tensor | None,
    scale: Tensor,
    shift: Tensor,
    layout: torch.memory_format,
) -> Tensor:
    """`saturate_`, then `_affine_`; together on a CPU, which is limited by passes over memory."""
    if saturation is not None and not geometry.by_products(pixels):
        keep = saturation[:, None, None]
        mixed = keep * torch.eye(3) + (1 - keep) * torch.tensor(LUMA)  # (n, 3, 3)
        with torch.autocast("cpu", enabled=False):
            colours = torch.baddbmm(shift[..., None], scale[..., None] * mixed, pixels.flatten(2))
        return colours.view(pixels.shape).contiguous(memory_format=layout)
    if saturation is not None:
        saturate_(pixels, saturation)
    return _affine_(pixels.contiguous(memory_format=layout), scale, shift)


def erase_(images: Tensor, boxes: Tensor) -> Tensor:
    """Zero in place (the mean colour, once normalised) inside boxes y0, y1, x0, x1: (n, 4).

    The boxes are in pixels of the 64 x 64 image, whatever the size of ``images``.
    """
    size = images.shape[-1]
    if images.ndim != 4 or boxes.shape != (len(images), 4) or boxes.dtype != torch.int64:
        raise ValueError(
            f"boxes {boxes.dtype} {tuple(boxes.shape)} for images {tuple(images.shape)}"
        )
    edges = (boxes * (size / SIDE) - 0.5).ceil().clamp_(min=0).long()  # pixel centres decide
    if not geometry.by_products(images):
        pixels, sides = images.numpy(), edges.numpy()  # a third of the time of tensors
        for item in np.flatnonzero(sides[:, 0] < sides[:, 1]):
            y0, y1, x0, x1 = sides[item]
            pixels[item, :, y0:y1, x0:x1] = 0
        return images
    place = torch.arange(size, device=images.device)
    y0, y1, x0, x1 = edges[:, :, None].unbind(1)
    inside_rows, inside_columns = (place >= y0) & (place < y1), (place >= x0) & (place < x1)
    inside = inside_rows[:, None, :, None] & inside_columns[:, None, None, :]
    return images.masked_fill_(inside, 0)


def _gather(images: Tensor, rows: Tensor) -> Tensor:
    """The images at ``rows``, in their memory format."""
    if memory_format(images) is not torch.channels_last:
        return images.index_select(0, rows)
    return images.permute(0, 2, 3, 1).index_select(0, rows).permute(0, 3, 1, 2)


def _put_(images: Tensor, rows: Tensor, values: Tensor) -> None:
    """Write ``values`` at ``rows``, whole images in their order in memory."""
    if memory_format(images) is torch.channels_last:
        images, values = images.permute(0, 2, 3, 1), values.permute(0, 2, 3, 1)
    images.index_copy_(0, rows, values.contiguous())  # else it goes value by value


def _move(pixels: Tensor, plan: EpochPlan, size: int) -> Tensor:
    """The pixels after flips, crops, shifts and resizing: float32, or uint8 if nothing moves."""
    if plan.boxes is None and size != SIDE:
        return geometry.resize(_move(pixels, plan, SIDE), size)
    if plan.boxes is not None:
        return geometry.show(pixels, plan.boxes, size)
    if plan.rows is None or plan.columns is None or plan.operators is None:
        return pixels
    if geometry.by_products(pixels):
        rows, columns = plan.operators[plan.rows], plan.operators[plan.columns]
        return geometry.resample(pixels.float(), rows, columns)
    return _move_some(pixels, plan.rows, plan.columns, plan.operators)


def _move_some(pixels: Tensor, rows: Tensor, columns: Tensor, operators: Tensor) -> Tensor:
    """As the products with ``operators``, for only those images which they change."""
    for axis, operator in ((-2, rows), (-1, columns)):
        flipped = (operator == geometry.REVERSED).nonzero().flatten()
        _put_(pixels, flipped, _gather(pixels, flipped).flip(axis))
    cropped = (rows >= geometry.FIRST_CROP).nonzero().flatten()
    moved, crops = pixels.float(), _gather(pixels, cropped)
    resized = geometry.resample(crops, operators[rows[cropped]], operators[columns[cropped]])
    _put_(moved, cropped, resized)
    return moved


def _affine_(pixels: Tensor, scale: Tensor, shift: Tensor) -> Tensor:
    """``pixels * scale + shift`` in place; pixels float32 (n, 3, H, W), scale and shift (n, 3).

    Both are written out along the innermost axis in memory: else the CPU does not vectorise.
    """
    width = pixels.shape[3]
    if memory_format(pixels) is torch.channels_last:
        lines = pixels.permute(0, 2, 3, 1).flatten(2)  # (n, H, W * 3)
        scale, shift = (v.repeat(1, width)[:, None] for v in (scale, shift))
    else:
        lines = pixels  # (n, 3, H, W)
        scale, shift = (v[:, :, None, None].repeat(1, 1, 1, width) for v in (scale, shift))
    torch.addcmul(shift, lines, scale, out=lines)
    return pixels
