"""Resizing keeps constants, draws stay in their ranges, normalising is arithmetic."""

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from tin_lib import augment
from tin_lib.augment.geometry import resize_matrix

COUNT = 5


def images(n: int = COUNT, seed: int = 0) -> torch.Tensor:
    generator = torch.Generator().manual_seed(seed)
    return torch.randint(0, 256, (n, 3, 64, 64), generator=generator, dtype=torch.uint8)


@given(st.integers(2, 70), st.integers(1, 70))
@settings(deadline=None, max_examples=30)
def test_resizing_keeps_constants_and_symmetry(length, size):
    matrix = resize_matrix(length, size)
    np.testing.assert_allclose(matrix.sum(1), 1, atol=1e-9)
    np.testing.assert_allclose(matrix[::-1, ::-1], matrix, atol=1e-9)


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
