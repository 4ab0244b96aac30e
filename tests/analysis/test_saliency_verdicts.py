"""Comparisons of saliency methods, and whether random weights change their maps."""

import math

import numpy as np
import pandas as pd
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import Tensor

from tin_lib import networks
from tin_lib.analysis import saliency
from tin_lib.analysis.reinitialised import reinitialised
from tin_lib.analysis.saliency.comparisons import (
    against_baselines,
    summarise,
)
from tin_lib.analysis.saliency.sanity_checks import rank_correlation
from tin_lib.data import TinyImageNet


def statistics_of(data: TinyImageNet) -> tuple[Tensor, Tensor]:
    mean, std = (torch.tensor(v, dtype=torch.float32) for v in (data.mean, data.std))
    return mean, std


def test_comparisons_are_paired_by_image(small: networks.Network, tiny: TinyImageNet) -> None:
    chosen = saliency.images_to_explain(tiny.val, *statistics_of(tiny), 8)
    found = saliency.evaluate({"net": small}, chosen, ["gradient", "occlusion"])
    assert len(found.comparisons) == 2 * 3 * 4  # methods, measures, baselines
    each = found.per_image.set_index(["method", "image"])
    row = found.comparisons.set_index(["method", "measure", "baseline"])
    lower = each.deletion["noise"] - each.deletion["gradient"]  # low is good
    assert row.difference["gradient", "deletion", "noise"] == pytest.approx(lower.mean())
    assert (found.comparisons.p_adjusted >= found.comparisons.p).all()


def made_up(method: list[float], baseline: list[float], empty: int = 0) -> pd.DataFrame:
    """Values of one measure for a method and one baseline, on the same images."""
    tables = []
    for name, kind, values in (("m", "method", method), ("b", "baseline", baseline)):
        table = pd.DataFrame({"network": "net", "method": name, "kind": kind, "insertion": values})
        tables.append(table.assign(image=range(len(values)), empty=False))
    tables[0].loc[: empty - 1, ["empty", "insertion"]] = (True, math.nan)
    return pd.concat(tables, ignore_index=True)


def test_a_small_difference_on_every_image_is_found_where_intervals_overlap() -> None:
    """The old verdict, by overlapping intervals of the two means, saw nothing here."""
    base = np.random.default_rng(0).random(48)
    better = base + 0.02 + np.random.default_rng(1).normal(0, 0.005, 48)
    means = summarise(made_up(list(better), list(base))).set_index("method")
    assert means.low["m"] < means.high["b"]
    (row,) = against_baselines(made_up(list(better), list(base))).itertuples()
    assert (row.outcome, row.n) == ("yes", 48)
    (row,) = against_baselines(made_up(list(base), list(better))).itertuples()
    assert row.outcome == "no"


def test_what_is_not_shown_is_undecided() -> None:
    a, b = np.random.default_rng(0).random((2, 48))
    (row,) = against_baselines(made_up(list(a), list(b))).itertuples()
    assert row.outcome == "undecided"


def test_empty_maps_are_counted_and_left_out() -> None:
    values = list(np.random.default_rng(0).random(20))
    table = made_up(values, values, empty=5)
    means = summarise(table).set_index("method")
    assert (means.n["m"], means["empty"]["m"], means.n["b"]) == (15, 5, 20)
    assert means["mean"]["m"] == pytest.approx(np.mean(values[5:]))
    assert against_baselines(table).n.item() == 15


def test_randomising_the_network_changes_the_maps(
    small: networks.Network, tiny: TinyImageNet
) -> None:
    changed = [
        sum(not torch.equal(v, small.state_dict()[k]) for k, v in net.state_dict().items())
        for net in (reinitialised(small, share, 0) for share in (0.0, 0.5, 1.0))
    ]
    assert changed[0] == 1  # the output layer's weight; biases start at zero and still are
    assert changed == sorted(set(changed))
    chosen = saliency.images_to_explain(tiny.val, *statistics_of(tiny), 4)
    table = saliency.parameter_randomisation({"net": small}, chosen)
    assert (table["mean"] < 0.99).all()
    assert (table.n == 4).all()


@settings(deadline=None, max_examples=50)
@given(st.integers(0, 10**6), st.integers(1, 6))
def test_rank_correlation_is_spearmans(seed: int, values: int) -> None:
    """Few values make many ties, as in Grad-CAM's maps; one value alone correlates with nothing."""
    from scipy.stats import spearmanr

    generator = torch.Generator().manual_seed(seed)
    first, second = torch.randint(values, (2, 3, 5, 5), generator=generator).float()
    for i, found in enumerate(rank_correlation(first, second).tolist()):
        if first[i].std() * second[i].std() == 0:
            assert found == 0
        else:
            expected = spearmanr(first[i].flatten(), second[i].flatten()).statistic
            assert found == pytest.approx(expected, abs=1e-9)


def test_empty_maps_are_not_alike() -> None:
    assert rank_correlation(torch.zeros(2, 8, 8), torch.zeros(2, 8, 8)).tolist() == [0, 0]
