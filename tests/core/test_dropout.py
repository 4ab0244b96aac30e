"""Dropout on a CPU: rate, mean, independence, order in memory; identity where it has to be."""

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from tin_lib.networks.layers import Dropout

COUNT = 400_000


def dropped(rate: float, *shape: int, dtype: torch.dtype = torch.float32) -> torch.Tensor:
    """Ones after dropout, seeded."""
    torch.manual_seed(0)
    return Dropout(rate)(torch.ones(*shape, dtype=dtype))


@settings(deadline=None, max_examples=20)
@given(rate=st.floats(0.01, 0.99))
def test_rate_and_mean(rate: float) -> None:
    values = dropped(rate, COUNT)
    off = 5 * (rate * (1 - rate) / COUNT) ** 0.5  # five deviations
    assert (values == 0).float().mean().item() == pytest.approx(rate, abs=off + 1e-4)
    assert values[values != 0].unique().tolist() == pytest.approx([1 / (1 - rate)])


@pytest.mark.parametrize("dtype", [torch.float32, torch.bfloat16, torch.float64])
def test_type_and_kept_value(dtype: torch.dtype) -> None:
    values = dropped(0.5, 8, 3, 5, dtype=dtype)
    assert values.dtype == dtype
    assert set(values.flatten().tolist()) == {0.0, 2.0}


def test_rates_next_to_one_drop() -> None:
    assert (dropped(0.999999, COUNT) == 0).float().mean() > 0.999


@pytest.mark.parametrize("step", [1, 2, 3, 4, 8])
def test_neighbours_are_independent(step: int) -> None:
    """Four values share one random word, but are independent."""
    off = (dropped(0.3, COUNT) == 0).float()
    both = (off[:-step] * off[step:]).mean().item()
    assert both == pytest.approx(0.09, abs=5 * (0.09 * 0.91 / COUNT) ** 0.5)


def test_images_and_channels_have_masks_of_their_own() -> None:
    maps = dropped(0.5, 4, 6, 32, 32)
    flat = (maps == 0).flatten(2).flatten(0, 1).float()
    alike = torch.corrcoef(flat).fill_diagonal_(0)
    assert alike.abs().max() < 0.2


def test_gradient_is_the_mask() -> None:
    values = torch.randn(3, 4, 5, 5).requires_grad_()
    out = Dropout(0.4)(values)
    out.sum().backward()
    torch.testing.assert_close(values.grad * values, out)


def test_memory_order_is_kept_and_others_are_served() -> None:
    maps = torch.ones(2, 8, 4, 4).to(memory_format=torch.channels_last)
    assert Dropout(0.5)(maps).is_contiguous(memory_format=torch.channels_last)
    for odd in (torch.ones(4, 7)[:, ::2], torch.ones(1, 5).expand(3, 5), torch.ones(0, 3)):
        assert Dropout(0.5)(odd).shape == odd.shape
    assert Dropout(0.5)(torch.tensor(1.0)).item() in (0.0, 2.0)


def test_one_seed_one_mask_and_the_next_call_another() -> None:
    assert torch.equal(dropped(0.5, 100), dropped(0.5, 100))
    layer = Dropout(0.5)
    assert not torch.equal(layer(torch.ones(100)), layer(torch.ones(100)))


@pytest.mark.parametrize("rate", [0.0, 0.5, 1.0])
def test_nothing_happens_in_evaluation_and_all_or_nothing_at_the_ends(rate: float) -> None:
    values = torch.randn(50)
    layer = Dropout(rate)
    if rate != 0.5:
        assert torch.equal(layer(values), values * (1 - rate))
    assert torch.equal(layer.eval()(values), values)
