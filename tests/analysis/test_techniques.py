"""Crops, contrast and tint against independent references."""

import numpy as np
import pytest
import torch
from skimage.transform import resize

from tin_lib.analysis import augmentation

COUNT = 5


def images(n: int = COUNT, seed: int = 0) -> torch.Tensor:
    generator = torch.Generator().manual_seed(seed)
    return torch.randint(0, 256, (n, 3, 64, 64), generator=generator, dtype=torch.uint8)


REFERENCES = {
    "spline": {"order": 3, "mode": "reflect", "clip": False},
    "author": {"order": 1, "mode": "constant", "clip": True},  # scikit-image 0.11's defaults
}


def reference_crop(
    image: np.ndarray, top: int, left: int, size: int, kind: str = "spline"
) -> np.ndarray:
    """scikit-image on one image (3, 64, 64), float64."""
    crop = image[:, top : top + size, left : left + size].transpose(1, 2, 0).astype(np.float64)
    options = {"anti_aliasing": False, "preserve_range": True, **REFERENCES[kind]}
    return resize(crop, (64, 64), **options).transpose(2, 0, 1)


@pytest.mark.parametrize(("kind", "offsets"), [("spline", 10), ("author", 9)])
def test_crop_resize_equals_skimage_at_every_offset(kind, offsets):
    grid = torch.cartesian_prod(torch.arange(offsets), torch.arange(offsets))
    batch = images(1).float().expand(len(grid), 3, 64, 64)
    resized = augmentation.crop_resize(batch, grid[:, 0], grid[:, 1], resize=kind).numpy()
    for got, (top, left) in zip(resized, grid.tolist(), strict=True):
        expected = reference_crop(batch[0].numpy(), top, left, 55, kind)
        np.testing.assert_allclose(got, expected, atol=2e-3)


def test_the_overshoot_is_not_clipped_as_skimage_does():
    """It is why the spline equals scikit-image's with clip=False alone."""
    batch = images(1)[:, :, :55, :55].float()
    zero = torch.tensor([0])
    resized = augmentation.crop_resize(images(1).float(), zero, zero)
    assert resized.max() > batch.max()


def test_the_authors_crops_have_dark_borders():
    white = torch.full((1, 3, 64, 64), 200.0)
    zero = torch.tensor([0])
    resized = augmentation.crop_resize(white, zero, zero, resize="author")
    assert resized[..., 1:-1, 1:-1].eq(200).all()
    assert resized[..., 0, 1:-1].lt(190).all()
    assert resized[..., 1:-1, -1].lt(190).all()


@pytest.mark.parametrize("size", [2, 17, 40, 63, 64])
def test_crop_resize_equals_skimage_at_other_sizes(size):
    batch = images(1).float()
    offset = torch.tensor([64 - size])
    resized = augmentation.crop_resize(batch, offset, offset, size)[0].numpy()
    expected = reference_crop(batch[0].numpy(), 64 - size, 64 - size, size)
    np.testing.assert_allclose(resized, expected, atol=2e-3)


@pytest.mark.parametrize("top", [-1, 10])
def test_crop_outside_the_image_is_refused(top):
    with pytest.raises(ValueError, match=r"top .* must lie in 0\.\.9"):
        augmentation.crop_resize(images(1).float(), torch.tensor([top]), torch.tensor([0]))


def test_contrast_and_tint_are_arithmetic():
    batch = images().float()
    factor = torch.linspace(0.8, 1.2, COUNT)
    expected = batch.numpy() * factor.numpy().reshape(-1, 1, 1, 1)
    np.testing.assert_array_equal(augmentation.contrast(batch, factor).numpy(), expected)
    colour = torch.linspace(-5, 5, COUNT * 3).view(COUNT, 3)
    expected = batch.numpy() + colour.numpy().reshape(-1, 3, 1, 1)
    np.testing.assert_array_equal(augmentation.tint(batch, colour).numpy(), expected)


def test_nothing_is_clipped():
    white = torch.full((1, 3, 64, 64), 255.0)
    assert augmentation.contrast(white, torch.tensor([1.2])).max() == pytest.approx(306)
    assert augmentation.tint(-white, torch.full((1, 3), -5.0)).min() == -260
