"""Saliency: exact where the answer is known, honest where it is measured."""

import numpy as np
import pytest
import torch
from torch import Tensor, nn

from tin_lib import networks, saliency
from tin_lib.data import TinyImageNet
from tin_lib.networks.base import Layer
from tin_lib.saliency import baselines
from tin_lib.saliency.evaluate import box_mask, curve, mass_inside, pointing
from tin_lib.saliency.methods import METHODS, explaining, winners
from tin_lib.saliency.randomise import randomised, rank_correlation


class Linear(networks.Network):
    """Scores that are linear in the image."""

    def __init__(self, weight: Tensor) -> None:
        nn.Module.__init__(self)
        self.features = nn.Sequential(nn.Identity())
        self.classifier = nn.Sequential(nn.Flatten(), nn.Linear(weight[0].numel(), len(weight)))
        self.layers = {"dense1": Layer("classifier.1", "classifier.1")}
        self.classifier[1].weight.data = weight.flatten(1).clone()
        self.classifier[1].bias.data.zero_()


@pytest.fixture(scope="module")
def small() -> networks.Network:
    torch.manual_seed(7)
    return networks.create("vgg_like", 4, 0.25).eval()


@pytest.fixture(scope="module")
def images() -> Tensor:
    return torch.randn(3, 3, 64, 64, generator=torch.Generator().manual_seed(1))


def test_linear_networks_saliency_is_their_weight(images: Tensor) -> None:
    weight = torch.randn(4, 3, 64, 64, generator=torch.Generator().manual_seed(2))
    net = Linear(weight)
    maps = saliency.explain(net, images)
    torch.testing.assert_close(maps, weight[winners(net, images)])
    target = torch.tensor([3, 0, 1])
    torch.testing.assert_close(saliency.explain(net, images, target=target), weight[target])


def test_gradient_agrees_with_finite_differences(small: networks.Network, images: Tensor) -> None:
    net = networks.create("vgg_like", 4, 0.25).double().eval()
    net.load_state_dict({k: v.double() for k, v in small.state_dict().items()})
    x, target = images[:1].double(), torch.tensor([2])
    found = saliency.explain(net, x, target=target)
    for channel, row, column in ((0, 10, 20), (2, 33, 5), (1, 60, 60)):
        step = torch.zeros_like(x)
        step[0, channel, row, column] = 1e-6
        slope = (net(x + step) - net(x - step))[0, 2] / 2e-6
        assert found[0, channel, row, column].item() == pytest.approx(slope.item(), rel=1e-4)


def test_gradient_equals_captums(small: networks.Network, images: Tensor) -> None:
    from captum.attr import Saliency

    target = torch.tensor([0, 1, 2])
    theirs = Saliency(small).attribute(
        images.clone().requires_grad_(True), target=target, abs=False
    )
    torch.testing.assert_close(saliency.explain(small, images, target=target), theirs)


def test_integrated_gradients_sum_to_the_difference(
    small: networks.Network, images: Tensor
) -> None:
    target = torch.tensor([1, 1, 3])
    maps = saliency.explain(small, images, "integrated_gradients", target, steps=200)
    rows = torch.arange(3)
    difference = (small(images) - small(torch.zeros_like(images)))[rows, target]
    torch.testing.assert_close(maps.sum((1, 2, 3)), difference, rtol=0.02, atol=0.01)


def test_occlusion_and_grad_cam_find_a_planted_patch() -> None:
    weight = torch.zeros(2, 3, 64, 64)
    weight[1, :, 40:52, 8:20] = 1.0
    image = torch.zeros(1, 3, 64, 64)
    image[:, :, 40:52, 8:20] = 1.0
    maps = saliency.explain(Linear(weight), image, "occlusion")
    best = saliency.absolute(maps)[0].argmax().item()
    assert 40 <= best // 64 < 52
    assert 8 <= best % 64 < 20
    assert saliency.absolute(maps)[0, :24].abs().max() == 0


def test_guided_backprop_is_not_the_gradient(small: networks.Network, images: Tensor) -> None:
    guided = saliency.explain(small, images, "guided_backprop")
    assert not torch.allclose(guided, saliency.explain(small, images))


@pytest.mark.parametrize("method", METHODS)
def test_every_method_leaves_the_network_alone(method: str, images: Tensor) -> None:
    net = networks.create("vgg_like", 4, 0.25)
    net.classifier[1].weight.requires_grad_(False)
    before = {k: v.clone() for k, v in net.state_dict().items()}
    maps = saliency.explain(net, images[:2], method)
    assert maps.shape == (2, 3, 64, 64)
    assert maps.dtype == torch.float32
    assert not maps.requires_grad
    assert net.training
    assert not net.classifier[1].weight.requires_grad
    assert net.classifier[4].weight.requires_grad
    assert all(p.grad is None for p in net.parameters())
    assert not any(m._forward_hooks or m._backward_hooks for m in net.modules())
    torch.testing.assert_close(net.state_dict(), before)
    again = saliency.explain(net, images[:2], method)
    torch.testing.assert_close(maps, again)


def test_batches_give_what_single_images_give(small: networks.Network, images: Tensor) -> None:
    for method in ("gradient", "grad_cam", "smoothgrad"):
        whole = saliency.explain(small, images, method)
        single = torch.cat([saliency.explain(small, images[i : i + 1], method) for i in range(3)])
        # Rounding differs with the batch, and may turn a near tie in a max-pool.
        assert (whole - single).abs().mean() < 0.01 * whole.abs().mean()


def test_unknown_methods_and_layers_are_listed(small: networks.Network, images: Tensor) -> None:
    with pytest.raises(ValueError, match="choose one of gradient"):
        saliency.explain(small, images, "magic")
    with pytest.raises(ValueError, match="conv1"):
        saliency.explain(small, images, "grad_cam", layer="conv99")


def test_views_part_a_map() -> None:
    maps = torch.tensor([[1.0, -3.0], [2.0, 0.0], [-4.0, 0.5]]).view(1, 3, 1, 2)
    assert saliency.absolute(maps).flatten().tolist() == [4.0, 3.0]
    torch.testing.assert_close(saliency.positive(maps) - saliency.negative(maps), maps)
    assert (saliency.positive(maps) * saliency.negative(maps)).sum() == 0


def test_display_uses_the_whole_range_of_each_image() -> None:
    view = torch.rand(2, 64, 64) * torch.tensor([1.0, 1000.0])[:, None, None]
    shown = saliency.to_uint8(view)
    assert shown.dtype == np.uint8
    assert shown.max(axis=(1, 2)).tolist() == [255, 255]
    assert saliency.to_uint8(torch.zeros(1, 64, 64)).max() == 0
    sparse = torch.zeros(1, 64, 64)
    sparse[0, 5, 5] = 2.0
    assert saliency.to_uint8(sparse)[0, 5, 5] == 255


def test_overlay_goes_from_image_to_map() -> None:
    image = np.full((1, 3, 2, 2), 100, np.uint8)
    view = np.array([[[0, 255], [0, 255]]], np.uint8)
    np.testing.assert_array_equal(saliency.overlay(image, view, 0.0), image)
    full = saliency.overlay(image, view, 1.0)
    assert full[0, :, 0, 1].tolist() == [230, 159, 0]
    assert full[0, :, 0, 0].tolist() == [100, 100, 100]
    with pytest.raises(ValueError, match="strength"):
        saliency.overlay(image, view, 2.0)


def test_mass_and_pointing_by_hand() -> None:
    inside = box_mask(torch.tensor([[1, 2, 3, 3]]), 5)
    assert inside.sum() == 6
    maps = torch.zeros(1, 5, 5)
    maps[0, 2, 1], maps[0, 4, 4] = 3.0, 1.0
    assert mass_inside(maps, inside).item() == pytest.approx(0.75)
    assert pointing(maps, inside).item() == 1.0
    assert pointing(torch.ones(1, 5, 5), inside).item() == pytest.approx(6 / 25)
    assert mass_inside(torch.zeros(1, 5, 5), inside).item() == pytest.approx(6 / 25)


def test_curves_start_and_end_where_they_must(small: networks.Network, images: Tensor) -> None:
    maps = saliency.absolute(saliency.explain(small, images))
    with explaining(small):
        inserted = curve(small, images, maps, True)
        deleted = curve(small, images, maps, False)
    sure = small(images).softmax(1).amax(1)
    torch.testing.assert_close(inserted[:, -1], sure.detach(), atol=1e-5, rtol=1e-4)
    torch.testing.assert_close(deleted[:, 0], sure.detach(), atol=1e-5, rtol=1e-4)
    torch.testing.assert_close(inserted[:, 0], deleted[:, -1])


def test_deleting_what_decides_hurts_most() -> None:
    weight = torch.zeros(2, 3, 64, 64)
    weight[1, :, :16, :16] = 0.05
    image, net = torch.ones(1, 3, 64, 64), Linear(weight)
    with explaining(net):
        right = curve(net, image, saliency.absolute(saliency.explain(net, image)), False).mean()
        wrong = curve(net, image, baselines.noise(image), False).mean()
    assert right < wrong


def test_evaluation_table_has_methods_and_chance(
    small: networks.Network, tiny: TinyImageNet
) -> None:
    mean, std = (torch.tensor(v, dtype=torch.float32) for v in (tiny.mean, tiny.std))
    subjects = saliency.subjects(tiny.val, mean, std, 8)
    measures, curves = saliency.evaluate({"net": small}, subjects, ["gradient"])
    assert set(measures.method) == {"gradient", *baselines.BASELINES}
    uniform = measures[(measures.method == "uniform") & (measures.measure == "beyond the box")]
    assert uniform["mean"].item() == pytest.approx(0, abs=1e-9)
    assert (measures.low <= measures["mean"]).all()
    assert (measures.n == 8).all()
    assert curves.probability.between(0, 1).all()


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


def test_rank_correlation_is_spearmans() -> None:
    from scipy.stats import spearmanr

    first, second = torch.rand(2, 2, 8, 8, generator=torch.Generator().manual_seed(0))
    found = rank_correlation(first, second)
    for i in range(2):
        expected = spearmanr(first[i].flatten(), second[i].flatten()).statistic
        assert found[i].item() == pytest.approx(expected)
