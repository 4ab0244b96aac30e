"""Mixup and CutMix."""

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from tin_lib.augment import Mixing, draw_mixing, mix

LABELS = torch.tensor([7, 8, 9, 5, 6])
PARTNERS = torch.tensor([8, 7, 5, 9, 6])  # neighbours change places; the odd one stays


def images() -> torch.Tensor:
    return torch.rand(5, 3, 64, 64, generator=torch.Generator().manual_seed(0))


def test_mixup_blends_neighbours():
    batch = images()
    mixed, partners = mix(batch, LABELS, Mixing(0.75))
    torch.testing.assert_close(mixed[0], 0.75 * batch[0] + 0.25 * batch[1])
    torch.testing.assert_close(mixed[3], 0.75 * batch[3] + 0.25 * batch[2])
    torch.testing.assert_close(mixed[4], batch[4])
    assert torch.equal(partners, PARTNERS)


@given(st.integers(0, 2**32))
@settings(deadline=None, max_examples=50)
def test_cutmix_share_is_the_share_of_pixels_kept(seed):
    mixing = draw_mixing(np.random.default_rng(seed), cutmix=1.0)
    own = torch.zeros(2, 1, 64, 64)
    own[0] = 1
    mixed, _ = mix(own, torch.tensor([0, 1]), mixing)
    assert mixed[0].mean().item() == pytest.approx(mixing.share, abs=1e-6)
    assert mixed[1].mean().item() == pytest.approx(1 - mixing.share, abs=1e-6)
    assert set(mixed.unique().tolist()) <= {0.0, 1.0}
    assert own[0].min() == 1  # the batch itself is left alone


def test_nothing_is_mixed_without_a_strength():
    mixing = draw_mixing(np.random.default_rng(0))
    batch = images()
    assert mixing == Mixing()
    assert mix(batch, LABELS, mixing)[0] is batch


def test_both_strengths_alternate():
    rng = np.random.default_rng(0)
    kinds = [draw_mixing(rng, mixup=0.2, cutmix=1.0).box is None for _ in range(400)]
    assert 0.4 < np.mean(kinds) < 0.6


def test_mixup_shares_follow_beta():
    rng = np.random.default_rng(0)
    shares = [draw_mixing(rng, mixup=0.2).share for _ in range(4000)]
    assert np.mean(shares) == pytest.approx(0.5, abs=0.03)
    assert np.var(shares) == pytest.approx(1 / (4 * (2 * 0.2 + 1)), abs=0.01)


def test_even_contiguous_shares_of_a_batch_mix_the_same_pairs():
    batch, labels = images()[:4], LABELS[:4]
    whole = mix(batch, labels, Mixing(0.6))
    halves = [mix(batch[a : a + 2], labels[a : a + 2], Mixing(0.6)) for a in (0, 2)]
    for part in (0, 1):  # images, and labels of the partners
        assert torch.equal(torch.cat([half[part] for half in halves]), whole[part])


def test_negative_strength_is_refused():
    with pytest.raises(ValueError, match="mixup and cutmix must be >= 0"):
        draw_mixing(np.random.default_rng(0), mixup=-1)
