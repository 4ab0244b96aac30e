"""The five techniques against independent references, and the ranges of what they draw."""

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from skimage.transform import resize

from tin_lib import augment
from tin_lib.augment.geometry import resize_matrix

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
    resized = augment.crop_resize(batch, grid[:, 0], grid[:, 1], resize=kind).numpy()
    for got, (top, left) in zip(resized, grid.tolist(), strict=True):
        expected = reference_crop(batch[0].numpy(), top, left, 55, kind)
        np.testing.assert_allclose(got, expected, atol=2e-3)


def test_the_overshoot_is_not_clipped_as_skimage_does():
    """It is why the spline equals scikit-image's with clip=False alone."""
    batch = images(1)[:, :, :55, :55].float()
    zero = torch.tensor([0])
    resized = augment.crop_resize(images(1).float(), zero, zero)
    assert resized.max() > batch.max()


def test_the_authors_crops_have_dark_borders():
    white = torch.full((1, 3, 64, 64), 200.0)
    zero = torch.tensor([0])
    resized = augment.crop_resize(white, zero, zero, resize="author")
    assert resized[..., 1:-1, 1:-1].eq(200).all()
    assert resized[..., 0, 1:-1].lt(190).all()
    assert resized[..., 1:-1, -1].lt(190).all()


@pytest.mark.parametrize("size", [2, 17, 40, 63, 64])
def test_crop_resize_equals_skimage_at_other_sizes(size):
    batch = images(1).float()
    offset = torch.tensor([64 - size])
    resized = augment.crop_resize(batch, offset, offset, size)[0].numpy()
    expected = reference_crop(batch[0].numpy(), 64 - size, 64 - size, size)
    np.testing.assert_allclose(resized, expected, atol=2e-3)


@pytest.mark.parametrize("top", [-1, 10])
def test_crop_outside_the_image_is_refused(top):
    with pytest.raises(ValueError, match=r"top .* must lie in 0\.\.9"):
        augment.crop_resize(images(1).float(), torch.tensor([top]), torch.tensor([0]))


@given(st.integers(2, 70), st.integers(1, 70))
@settings(deadline=None, max_examples=30)
def test_resizing_keeps_constants_and_symmetry(length, size):
    matrix = resize_matrix(length, size)
    np.testing.assert_allclose(matrix.sum(1), 1, atol=1e-9)
    np.testing.assert_allclose(matrix[::-1, ::-1], matrix, atol=1e-9)


def test_contrast_and_tint_are_arithmetic():
    batch = images().float()
    factor = torch.linspace(0.8, 1.2, COUNT)
    expected = batch.numpy() * factor.numpy().reshape(-1, 1, 1, 1)
    np.testing.assert_array_equal(augment.contrast(batch, factor).numpy(), expected)
    colour = torch.linspace(-5, 5, COUNT * 3).view(COUNT, 3)
    expected = batch.numpy() + colour.numpy().reshape(-1, 3, 1, 1)
    np.testing.assert_array_equal(augment.tint(batch, colour).numpy(), expected)


def test_nothing_is_clipped():
    white = torch.full((1, 3, 64, 64), 255.0)
    assert augment.contrast(white, torch.tensor([1.2])).max() == pytest.approx(306)
    assert augment.tint(-white, torch.full((1, 3), -5.0)).min() == -260


@given(st.integers(0, 2**32), st.integers(2, 64))
@settings(deadline=None, max_examples=40)
def test_draws_stay_in_their_ranges(seed, size):
    generator = torch.Generator().manual_seed(seed)
    for offset in augment.draw_offsets(300, generator, size):
        assert offset.min() >= 0
        assert offset.max() <= 64 - size
    plan = augment.Augmenter(augment.AugmentSpec("paper_fresh", 1.0), 2000, seed).epoch(0)
    factor = plan.gain[plan.technique == augment.Technique.CONTRAST]
    assert 0.8 <= factor.min() < 0.85
    assert 1.15 < factor.max() <= 1.2
    colour = plan.bias[plan.technique == augment.Technique.TINT]
    assert colour.shape[1] == 3
    assert -5 <= colour.min() < -4.5
    assert 4.5 < colour.max() <= 5


@pytest.mark.parametrize(("kind", "offsets"), [("spline", 10), ("author", 9)])
def test_every_crop_is_equally_likely(kind, offsets):
    crops = offsets**2
    top, left = augment.draw_offsets(1000 * crops, torch.Generator().manual_seed(0), resize=kind)
    counts = torch.bincount(top * offsets + left, minlength=crops)
    assert len(counts) == crops
    # 1,000 expected in each; five binomial deviations are 157.
    assert (counts - 1000).abs().max() < 157


@given(st.booleans(), st.booleans())
@settings(deadline=None)
def test_normalise_equals_arithmetic_and_leaves_its_input(channels_last, as_bytes):
    batch = images() if as_bytes else images().float()
    if channels_last:
        batch = batch.contiguous(memory_format=torch.channels_last)
    before = batch.clone()
    mean, std = torch.tensor([120.0, 110.0, 100.0]), torch.tensor([60.0, 61.0, 62.0])
    got = augment.normalise(batch, mean, std)
    expected = (batch.double() - mean.view(3, 1, 1)) / std.view(3, 1, 1)
    assert got.dtype == torch.float32
    assert got.stride() == batch.stride()
    np.testing.assert_allclose(got.numpy(), expected.numpy(), atol=2e-6)
    assert torch.equal(batch, before)
