"""Measures of the quality of saliency maps: checked by hand, and no better than chance on noise."""

import copy
import dataclasses
import math

import numpy as np
import pandas as pd
import pytest
import torch
from saliency_toys import Linear
from torch import Tensor

from tin_lib import networks
from tin_lib.analysis import saliency
from tin_lib.analysis.saliency import baselines
from tin_lib.analysis.saliency.comparisons import (
    proportion,
    times_the_box,
)
from tin_lib.analysis.saliency.evaluation import mass_inside, pointing
from tin_lib.analysis.saliency.images import box_mask
from tin_lib.analysis.saliency.insertion_deletion import (
    STEPS,
    area,
    insertion_deletion,
    pixel_order,
)
from tin_lib.data import TinyImageNet


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
    inside, area = np.random.default_rng(0).random((2, 50))
    values = times_the_box(inside, area)
    assert values.mean().item() == pytest.approx((inside.mean() / area.mean()).item())
    assert times_the_box(area, area).std().item() == pytest.approx(0, abs=1e-12)
    # The deviation agrees with the bootstrap's.
    draws = np.random.default_rng(1).integers(50, size=(4000, 50))
    resampled = inside[draws].mean(1) / area[draws].mean(1)
    assert values.std().item() / 50**0.5 == pytest.approx(resampled.std().item(), rel=0.1)


def test_a_perfect_score_still_has_an_interval() -> None:
    found = proportion(np.ones(20))
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
    found = insertion_deletion(small, images, saliency.absolute(saliency.explain(small, images)))
    sure = small(images).softmax(1).amax(1).detach()
    torch.testing.assert_close(found["insertion"][:, -1], sure, atol=1e-5, rtol=1e-4)
    torch.testing.assert_close(found["deletion"][:, 0], sure, atol=1e-5, rtol=1e-4)
    torch.testing.assert_close(found["insertion"][:, 0], found["deletion"][:, -1])


def test_curves_of_a_linear_network_by_hand() -> None:
    weight = torch.zeros(2, 3, 64, 64)
    weight[1] = 1 / 4096
    image, net = torch.ones(1, 3, 64, 64), Linear(weight)
    found = insertion_deletion(net, image, torch.rand(1, 64, 64))
    expected = [1 / (1 + math.exp(-3 * math.ceil(s * 4096) / 4096)) for s in STEPS.tolist()]
    assert found["insertion"][0].tolist() == pytest.approx(expected, abs=1e-4)
    assert found["deletion"][0].tolist() == pytest.approx(expected[::-1], abs=1e-3)


def test_curves_do_not_depend_on_the_batch(images: Tensor) -> None:
    net = Linear(torch.randn(4, 3, 64, 64) / 64)
    many = images.repeat(30, 1, 1, 1) * torch.linspace(0.5, 1.5, 90)[:, None, None, None]
    maps = saliency.absolute(many)
    whole, part = (
        insertion_deletion(net, many, maps),
        insertion_deletion(net, many[70:75], maps[70:75]),
    )
    torch.testing.assert_close(whole["deletion"][70:75], part["deletion"])


def test_area_under_a_line() -> None:
    assert area(STEPS[None] * 0.5 + 0.2).item() == pytest.approx(0.45)


def test_deleting_what_decides_hurts_most() -> None:
    weight = torch.zeros(2, 3, 64, 64)
    weight[1, :, :16, :16] = 0.05
    image, net = torch.ones(1, 3, 64, 64), Linear(weight)
    right = insertion_deletion(net, image, saliency.absolute(saliency.explain(net, image)))
    wrong = insertion_deletion(net, image, baselines.noise(image))
    assert area(right["deletion"]) < area(wrong["deletion"])
    assert area(right["insertion"]) > area(wrong["insertion"])


def statistics_of(data: TinyImageNet) -> tuple[Tensor, Tensor]:
    mean, std = (torch.tensor(v, dtype=torch.float32) for v in (data.mean, data.std))
    return mean, std


def test_evaluation_table_has_methods_and_chance(
    small: networks.Network, tiny: TinyImageNet
) -> None:
    chosen = saliency.images_to_explain(tiny.val, *statistics_of(tiny), 8)
    found = saliency.evaluate({"net": small}, chosen, ["gradient"])
    measures, points = found.measures, found.curves
    assert set(measures.method) == {"gradient", *baselines.BASELINES}
    uniform = measures[(measures.method == "uniform") & (measures.measure == "beyond the box")]
    assert uniform["mean"].item() == pytest.approx(0, abs=1e-9)
    times = measures[(measures.method == "uniform") & (measures.measure == "times the box")]
    assert times["mean"].item() == pytest.approx(1)
    assert (measures.low <= measures["mean"]).all()
    assert (measures["mean"] <= measures.high).all()
    assert (measures.n == 8).all()
    assert points.probability.between(0, 1).all()
    again = saliency.evaluate({"net": small}, chosen, ["gradient"])
    pd.testing.assert_frame_equal(measures, again.measures)


def test_evaluation_does_not_depend_on_the_batch(
    small: networks.Network, tiny: TinyImageNet, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Maps are made a batch at a time; the noise baseline is each image's own."""
    chosen = saliency.images_to_explain(tiny.val, *statistics_of(tiny), 8)
    whole = saliency.evaluate({"net": small}, chosen, ["grad_cam"]).per_image
    monkeypatch.setattr("tin_lib.analysis.saliency.evaluation.CHUNK", 3)
    parts = saliency.evaluate({"net": small}, chosen, ["grad_cam"]).per_image
    pd.testing.assert_frame_equal(whole, parts, atol=1e-4)


def test_empty_maps_of_a_network_are_left_out(tiny: TinyImageNet) -> None:
    """Grad-CAM is empty where nothing in the last convolution speaks for the class."""
    net = networks.create("convnet9", 4, 0.1).eval()
    with torch.no_grad():
        for module in net.classifier.modules():
            if isinstance(module, torch.nn.Linear):
                module.weight.zero_()
    chosen = saliency.images_to_explain(tiny.val, *statistics_of(tiny), 6)
    found = saliency.evaluate({"net": net}, chosen, ["grad_cam"])
    own = found.measures[found.measures.method == "grad_cam"]
    assert found.map_sizes == {"net": (2, 2)}
    assert (own["empty"] == 6).all()
    assert (own.n == 0).all()
    assert (own.places == 4).all()
    assert (found.measures.places[found.measures.kind == "baseline"] == 64 * 64).all()
    assert own["mean"].isna().all()
    assert (found.comparisons.outcome == "undecided").all()
    checked = saliency.parameter_randomisation({"net": net}, chosen, ["grad_cam"])
    assert (checked["empty"] == 6).all()


def test_images_without_boxes_are_measured_by_their_pixels(
    small: networks.Network, tiny: TinyImageNet
) -> None:
    bare = dataclasses.replace(tiny.val, boxes=np.full_like(tiny.val.boxes, -1))
    chosen = saliency.images_to_explain(bare, *statistics_of(tiny), 5)
    found = saliency.evaluate({"net": small}, chosen, ["gradient"])
    assert (len(chosen), chosen.inside) == (5, None)
    assert set(found.measures.measure) == {"insertion", "deletion"}
    assert set(found.comparisons.measure) == {"insertion", "deletion"}


def test_a_method_that_cannot_explain_a_network_is_left_out(
    small: networks.Network, tiny: TinyImageNet
) -> None:
    chosen = saliency.images_to_explain(tiny.val, *statistics_of(tiny), 3)
    nets = {"linear": Linear(torch.randn(4, 3, 64, 64)), "net": small}
    found = saliency.evaluate(nets, chosen, ["gradient", "grad_cam"])
    assert list(found.left_out) == [("linear", "grad_cam")]
    pairs = set(zip(found.measures.network, found.measures.method))
    assert ("linear", "grad_cam") not in pairs
    assert {("linear", "gradient"), ("net", "grad_cam")} <= pairs


def test_unknown_methods_are_refused_before_the_work(
    small: networks.Network, tiny: TinyImageNet
) -> None:
    chosen, done = saliency.images_to_explain(tiny.val, *statistics_of(tiny), 2), []
    with pytest.raises(ValueError, match="gradcam"):
        saliency.evaluate({"a": small}, chosen, ["gradient", "gradcam"], lambda *n: done.append(n))
    assert not done
    nothing = tiny.val.select(torch.zeros(0).long().numpy())
    with pytest.raises(ValueError, match="no image of val"):
        saliency.images_to_explain(nothing, *statistics_of(tiny))
    with pytest.raises(ValueError, match="at least one"):
        saliency.images_to_explain(tiny.val, *statistics_of(tiny), 0)


@pytest.mark.gpu
@pytest.mark.skipif(not torch.cuda.is_available(), reason="no CUDA device")
def test_gpu_and_cpu_agree(small: networks.Network, tiny: TinyImageNet) -> None:
    mean, std = statistics_of(tiny)
    tables = []
    for device in ("cpu", "cuda"):
        net = copy.deepcopy(small).to(device)
        images = saliency.images_to_explain(tiny.val, mean, std, 4, device)
        measured = saliency.evaluate({"net": net}, images, ["gradient", "grad_cam"]).measures
        checked = saliency.parameter_randomisation({"net": net}, images, ["gradient"])
        tables.append(torch.tensor([*measured["mean"], *checked["mean"]]))
    torch.testing.assert_close(tables[0], tables[1], atol=0.02, rtol=0.05)
