"""The measures of what saliency maps are worth: right by hand, and honest about chance."""

import copy
import math

import pandas as pd
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from saliency_toys import Linear
from torch import Tensor

from tin_lib import networks
from tin_lib.analysis import saliency
from tin_lib.analysis.saliency import baselines
from tin_lib.analysis.saliency.evaluate import (
    box_mask,
    mass_inside,
    pointing,
    proportion,
    times_the_box,
)
from tin_lib.analysis.saliency.insertion_deletion import SHARES, area, curves, pixel_order
from tin_lib.analysis.saliency.sanity_checks import randomised, rank_correlation
from tin_lib.data import TinyImageNet


@pytest.fixture(scope="module")
def small() -> networks.Network:
    torch.manual_seed(7)
    return networks.create("vgg_like", 4, 0.25).eval()


@pytest.fixture(scope="module")
def images() -> Tensor:
    return torch.randn(3, 3, 64, 64, generator=torch.Generator().manual_seed(1))


def test_mass_and_pointing_by_hand() -> None:
    inside = box_mask(torch.tensor([[1, 2, 3, 3]]), 5)
    assert inside.sum() == 6
    maps = torch.zeros(1, 5, 5)
    maps[0, 2, 1], maps[0, 4, 4] = 3.0, 1.0
    assert mass_inside(maps, inside).item() == pytest.approx(0.75)
    assert pointing(maps, inside).item() == 1.0
    assert pointing(torch.ones(1, 5, 5), inside).item() == pytest.approx(6 / 25)
    assert mass_inside(torch.zeros(1, 5, 5), inside).item() == pytest.approx(6 / 25)


def test_ratio_to_the_box_is_that_of_the_means() -> None:
    inside, area = torch.rand(2, 50, generator=torch.Generator().manual_seed(0)).double()
    values = times_the_box(inside, area)
    assert values.mean().item() == pytest.approx((inside.mean() / area.mean()).item())
    assert times_the_box(area, area).std().item() == pytest.approx(0, abs=1e-12)
    # The deviation agrees with the bootstrap's.
    draws = torch.randint(50, (4000, 50), generator=torch.Generator().manual_seed(1))
    resampled = inside[draws].mean(1) / area[draws].mean(1)
    assert values.std().item() / 50**0.5 == pytest.approx(resampled.std().item(), rel=0.1)


def test_a_perfect_score_still_has_an_interval() -> None:
    found = proportion(torch.ones(20).double())
    assert found["mean"] == found["high"] == 1
    assert 0.8 < found["low"] < 0.9


def test_order_of_pixels() -> None:
    maps = torch.tensor([[[0.5, 0.9], [0.1, 0.7]]])
    assert pixel_order(maps).tolist() == [[[2, 0], [3, 1]]]


def test_equal_pixels_go_in_random_order() -> None:
    maps = torch.zeros(2, 64, 64)
    maps[1, 60, 60] = 1
    order = pixel_order(maps)
    assert sorted(order[0].flatten().tolist()) == list(range(4096))
    assert order[0, :32].float().mean() == pytest.approx(2047.5, rel=0.05)
    assert order[1, 60, 60] == 0
    assert torch.equal(order, pixel_order(maps))
    assert not torch.equal(order, pixel_order(maps, seed=1))


def test_curves_start_and_end_where_they_must(small: networks.Network, images: Tensor) -> None:
    found = curves(small, images, saliency.absolute(saliency.explain(small, images)))
    sure = small(images).softmax(1).amax(1).detach()
    torch.testing.assert_close(found["insertion"][:, -1], sure, atol=1e-5, rtol=1e-4)
    torch.testing.assert_close(found["deletion"][:, 0], sure, atol=1e-5, rtol=1e-4)
    torch.testing.assert_close(found["insertion"][:, 0], found["deletion"][:, -1])


def test_curves_of_a_linear_network_by_hand() -> None:
    weight = torch.zeros(2, 3, 64, 64)
    weight[1] = 1 / 4096
    image, net = torch.ones(1, 3, 64, 64), Linear(weight)
    found = curves(net, image, torch.rand(1, 64, 64))
    expected = [1 / (1 + math.exp(-3 * math.ceil(s * 4096) / 4096)) for s in SHARES.tolist()]
    assert found["insertion"][0].tolist() == pytest.approx(expected, abs=1e-4)
    assert found["deletion"][0].tolist() == pytest.approx(expected[::-1], abs=1e-3)


def test_curves_do_not_depend_on_the_batch(images: Tensor) -> None:
    net = Linear(torch.randn(4, 3, 64, 64) / 64)
    many = images.repeat(30, 1, 1, 1) * torch.linspace(0.5, 1.5, 90)[:, None, None, None]
    maps = saliency.absolute(many)
    whole, part = curves(net, many, maps), curves(net, many[70:75], maps[70:75])
    torch.testing.assert_close(whole["deletion"][70:75], part["deletion"])


def test_area_under_a_line() -> None:
    assert area(SHARES[None] * 0.5 + 0.2).item() == pytest.approx(0.45)


def test_deleting_what_decides_hurts_most() -> None:
    weight = torch.zeros(2, 3, 64, 64)
    weight[1, :, :16, :16] = 0.05
    image, net = torch.ones(1, 3, 64, 64), Linear(weight)
    right = curves(net, image, saliency.absolute(saliency.explain(net, image)))
    wrong = curves(net, image, baselines.noise(image))
    assert area(right["deletion"]) < area(wrong["deletion"])
    assert area(right["insertion"]) > area(wrong["insertion"])


def test_evaluation_table_has_methods_and_chance(
    small: networks.Network, tiny: TinyImageNet
) -> None:
    mean, std = (torch.tensor(v, dtype=torch.float32) for v in (tiny.mean, tiny.std))
    subjects = saliency.subjects(tiny.val, mean, std, 8)
    measures, points = saliency.evaluate({"net": small}, subjects, ["gradient"])
    assert set(measures.method) == {"gradient", *baselines.BASELINES}
    uniform = measures[(measures.method == "uniform") & (measures.measure == "beyond the box")]
    assert uniform["mean"].item() == pytest.approx(0, abs=1e-9)
    times = measures[(measures.method == "uniform") & (measures.measure == "times the box")]
    assert times["mean"].item() == pytest.approx(1)
    assert (measures.low <= measures["mean"]).all()
    assert (measures["mean"] <= measures.high).all()
    assert (measures.n == 8).all()
    assert points.probability.between(0, 1).all()
    again, _ = saliency.evaluate({"net": small}, subjects, ["gradient"])
    pd.testing.assert_frame_equal(measures, again)


def test_unknown_methods_are_refused_before_the_work(
    small: networks.Network, tiny: TinyImageNet
) -> None:
    mean, std = (torch.tensor(v, dtype=torch.float32) for v in (tiny.mean, tiny.std))
    subjects, done = saliency.subjects(tiny.val, mean, std, 2), []
    with pytest.raises(ValueError, match="gradcam"):
        saliency.evaluate(
            {"a": small}, subjects, ["gradient", "gradcam"], lambda *n: done.append(n)
        )
    assert not done
    with pytest.raises(ValueError, match="box"):
        saliency.subjects(tiny.val.select(torch.zeros(0).long().numpy()), mean, std)


def test_randomising_the_network_changes_the_maps(
    small: networks.Network, tiny: TinyImageNet
) -> None:
    changed = [
        sum(not torch.equal(v, small.state_dict()[k]) for k, v in net.state_dict().items())
        for net in (randomised(small, share) for share in (0.0, 0.5, 1.0))
    ]
    assert changed[0] == 1  # the output layer's weight; biases start at zero and still are
    assert changed == sorted(set(changed))
    mean, std = (torch.tensor(v, dtype=torch.float32) for v in (tiny.mean, tiny.std))
    table = saliency.randomisation({"net": small}, saliency.subjects(tiny.val, mean, std, 4))
    assert (table["mean"] < 0.99).all()


@pytest.mark.gpu
@pytest.mark.skipif(not torch.cuda.is_available(), reason="no CUDA device")
def test_gpu_and_cpu_agree(small: networks.Network, tiny: TinyImageNet) -> None:
    mean, std = (torch.tensor(v, dtype=torch.float32) for v in (tiny.mean, tiny.std))
    tables = []
    for device in ("cpu", "cuda"):
        net = copy.deepcopy(small).to(device)
        images = saliency.subjects(tiny.val, mean, std, 4, device)
        measured, _ = saliency.evaluate({"net": net}, images, ["gradient", "grad_cam"])
        checked = saliency.randomisation({"net": net}, images, ["gradient"])
        tables.append(torch.tensor([*measured["mean"], *checked["mean"]]))
    torch.testing.assert_close(tables[0], tables[1], atol=0.02, rtol=0.05)


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
