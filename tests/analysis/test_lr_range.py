"""The learning rate range test: rates, early end, suggestions, nothing left behind."""

import os
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
import torch
from tiny_data import make_tiny

from tin_lib.analysis import lr_range
from tin_lib.recipes import Recipe

RECIPE = Recipe("vgg_like", epochs=1, lr=0.1, width=0.125, batch_size=16)


def curve(losses: np.ndarray, low: float = 1e-6, high: float = 10.0) -> pd.DataFrame:
    """A table as of range_test."""
    number = len(losses)
    smoothed = lr_range.smooth(losses, max(1, number // lr_range.SHARE))
    columns = (range(number), lr_range.rates(low, high, number), losses, smoothed)
    return pd.DataFrame(dict(zip(lr_range.COLUMNS, columns, strict=True)))


def valley(noise: float, number: int = 200, fall: float = 1.0) -> pd.DataFrame:
    """A loss that falls most steeply at 1e-2, is smallest at about 0.2, and then explodes."""
    decade = np.log10(lr_range.rates(1e-6, 10.0, number))
    losses = 3 - fall / (1 + np.exp(-4 * (decade + 2))) + np.exp(6 * (decade - 0.2))
    return curve(losses + noise * np.random.default_rng(0).standard_normal(number))


def test_rates_rise_exponentially_between_the_bounds() -> None:
    data, before = make_tiny(), torch.random.get_rng_state()
    table = lr_range.range_test(RECIPE, data, 1e-6, 1e-4, updates=13, device="cpu")
    assert tuple(table.columns) == lr_range.COLUMNS
    assert list(table["update"]) == list(range(13))  # more than an epoch of 6 batches
    np.testing.assert_allclose(table["lr"].iloc[[0, 6, -1]], [1e-6, 1e-5, 1e-4])
    assert table["loss"].between(0.5, 3).all()
    assert torch.equal(before, torch.random.get_rng_state())


def test_the_same_seed_gives_the_same_curve_and_no_file(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    tables = [
        lr_range.range_test(RECIPE.replace(seed=seed), make_tiny(), 1e-5, 1.0, 10, "cpu")
        for seed in (0, 0, 1)
    ]
    pd.testing.assert_frame_equal(tables[0], tables[1])
    assert not tables[0].equals(tables[2])
    assert os.listdir(tmp_path) == []


def test_the_recipes_rate_and_schedule_are_not_used_but_its_momentum_is() -> None:
    def last(**changes: object) -> float:
        table = lr_range.range_test(RECIPE.replace(**changes), make_tiny(), 1e-3, 0.1, 12, "cpu")
        return float(table["loss"].iloc[-1])

    assert last() == last(lr=5.0, schedule="cosine", warmup=0.5, decay=1.0)
    assert last() != last(momentum=0.9)


def test_it_ends_when_the_loss_explodes() -> None:
    table = lr_range.range_test(RECIPE, make_tiny(), 1e-4, 1e4, 60, "cpu")
    assert len(table) < 60
    assert np.isfinite(table.to_numpy()).all()
    assert table["lr"].iloc[-1] < 1e4


def test_until_it_explodes() -> None:
    ends = lambda losses: list(lr_range.until_it_explodes(iter(losses)))
    assert ends([2.0, 1.0, float("nan"), 1.0]) == [2.0, 1.0]
    assert ends([2.0, float("inf")]) == [2.0]
    assert ends([1.0] * 20) == [1.0] * 20
    assert ends([1.0] * 20 + [20.0, 40.0, 1.0]) == [1.0] * 20 + [20.0, 40.0]
    assert ends([1.0] * 20 + [20.0, 1.0, 1.0]) == [1.0] * 20 + [20.0, 1.0, 1.0]  # one bad batch


def test_a_first_loss_that_is_not_finite_is_an_error() -> None:
    data = make_tiny()
    data.std[:] = 1e-45
    with pytest.raises(ArithmeticError, match="first batch"):
        lr_range.range_test(RECIPE, data, device="cpu")


@pytest.mark.parametrize(
    ("low", "high", "updates", "message"),
    [
        (0.0, 1.0, 100, "low=0"),
        (1.0, 1.0, 100, "high=1"),
        (1e-3, float("inf"), 100, "high=inf"),
        (float("nan"), 1.0, 100, "low=nan"),
        (1e-7, 1.0, 9, "updates=9"),
    ],
)
def test_bad_bounds_are_refused(low: float, high: float, updates: int, message: str) -> None:
    with pytest.raises(ValueError, match=message):
        lr_range.range_test(RECIPE, make_tiny(), low, high, updates)


@pytest.mark.parametrize("noise", [0.0, 0.05])
def test_suggestions_for_a_valley(noise: float) -> None:
    found = lr_range.suggest(valley(noise))
    assert 0.3 < found.steepest / 1e-2 < 3
    assert 0.2 < found.tenth / 0.02 < 5


def test_no_suggestion_where_the_loss_falls_by_no_more_than_noise() -> None:
    drawn = np.random.default_rng(0)
    for table in (
        curve(2.3 + 0.1 * drawn.standard_normal(100)),
        curve(np.full(100, 2.3)),
        curve(np.geomspace(2.3, 9, 100)),
        valley(0.001, fall=0.01),
    ):
        found = lr_range.suggest(table)
        assert np.isnan([found.steepest, found.tenth]).all()


def test_smoothing_is_centred() -> None:
    """A mean over past losses would move the curve towards higher rates."""
    step = np.array([1.0] * 10 + [0.0] * 10)
    smoothed = lr_range.smooth(step, 2)
    np.testing.assert_allclose(smoothed[7:12], [1.0, 0.8, 0.6, 0.4, 0.2])
    np.testing.assert_allclose(smoothed, 1 - smoothed[::-1])


def test_spread_over_the_seeds() -> None:
    tests = {("a", 0): valley(0.0), ("a", 1): valley(0.05), ("b", 0): curve(np.full(50, 1.0))}
    table = lr_range.spread(lr_range.suggestions(tests)).set_index(["name", "kind"])
    own = table.loc[("a", "tenth")]
    assert own["seeds"] == 2
    assert own["low"] <= own["mean"] <= own["high"]
    assert own["factor"] == pytest.approx(own["high"] / own["low"])
    assert table.loc[("b", "steepest"), "seeds"] == 0
    assert np.isnan(table.loc[("b", "steepest"), "mean"])
