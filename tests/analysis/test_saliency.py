"""Saliency: exact where the answer is known."""

import pytest
import torch
from saliency_toys import Hidden, Linear
from torch import Tensor, nn

from tin_lib import networks
from tin_lib.analysis import saliency
from tin_lib.analysis.saliency.evaluation import grad_cam_size
from tin_lib.analysis.saliency.methods import METHODS, predicted_classes
from tin_lib.networks.base import Network, Stack


def test_linear_networks_saliency_is_their_weight(images: Tensor) -> None:
    weight = torch.randn(4, 3, 64, 64, generator=torch.Generator().manual_seed(2))
    net = Linear(weight)
    maps = saliency.explain(net, images)
    torch.testing.assert_close(maps, weight[predicted_classes(net, images)])
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


def test_integrated_gradients_of_a_linear_network_are_its_terms(images: Tensor) -> None:
    weight = torch.randn(4, 3, 64, 64, generator=torch.Generator().manual_seed(2))
    maps = saliency.explain(Linear(weight), images, "integrated_gradients", torch.tensor([3, 0, 1]))
    torch.testing.assert_close(maps, weight[[3, 0, 1]] * images, rtol=1e-3, atol=1e-5)


def test_smoothgrad_of_a_linear_network_is_its_weight(images: Tensor) -> None:
    weight = torch.randn(4, 3, 64, 64, generator=torch.Generator().manual_seed(2))
    maps = saliency.explain(Linear(weight), images, "smoothgrad", torch.tensor([3, 0, 1]))
    torch.testing.assert_close(maps, weight[[3, 0, 1]])


def test_smoothgrad_without_noise_is_the_gradient(small: networks.Network, images: Tensor) -> None:
    plain = saliency.explain(small, images)
    found = saliency.explain(small, images, "smoothgrad", noise=0.0, samples=2)
    torch.testing.assert_close(found, plain)
    noisy = [saliency.explain(small, images, "smoothgrad", samples=2, seed=s) for s in (0, 0, 1)]
    torch.testing.assert_close(noisy[0], noisy[1])
    assert not torch.allclose(noisy[0], noisy[2])


def test_gradient_after_softmax(images: Tensor) -> None:
    weight = torch.randn(3, 3, 64, 64, generator=torch.Generator().manual_seed(2)) / 64
    net, target = Linear(weight), torch.tensor([2, 0, 1])
    found = saliency.explain(net, images, target=target, after_softmax=True)
    shares = net(images).softmax(1).detach()
    mean = torch.einsum("nk,kchw->nchw", shares, weight)
    own = shares[torch.arange(3), target][:, None, None, None]
    torch.testing.assert_close(found, own * (weight[target] - mean), rtol=1e-3, atol=1e-6)


def test_occlusion_finds_a_planted_patch() -> None:
    weight = torch.zeros(2, 3, 64, 64)
    weight[1, :, 40:52, 8:20] = 1.0
    image = torch.zeros(1, 3, 64, 64)
    image[:, :, 40:52, 8:20] = 1.0
    maps = saliency.absolute(saliency.explain(Linear(weight), image, "occlusion"))
    best = maps[0].argmax().item()
    assert 40 <= best // 64 < 52
    assert 8 <= best % 64 < 20
    assert maps[0, :24].max() == 0


def test_occlusion_is_the_fall_of_the_score(images: Tensor) -> None:
    weight = torch.randn(2, 3, 64, 64, generator=torch.Generator().manual_seed(2))
    target = torch.tensor([1, 0, 1])
    maps = saliency.explain(Linear(weight), images, "occlusion", target, patch=16, stride=16)
    tiles = (weight[target] * images).view(3, 3, 4, 16, 4, 16).sum((1, 3, 5))
    expected = tiles[:, None].expand(-1, 3, -1, -1)
    # The fall is a difference of scores near 100: float32 leaves it 4 digits after the point.
    torch.testing.assert_close(maps[:, :, ::16, ::16], expected, rtol=0, atol=1e-3)


def test_guided_backprop_drops_negative_signals() -> None:
    net = Hidden(torch.tensor([[2.0, -1.0], [1.0, 3.0]]), torch.tensor([1.0, -1.0]))
    image = torch.ones(1, 3, 64, 64)
    target = torch.tensor([0])
    plain = saliency.explain(net, image, target=target)[0, :, 0, 0]
    guided = saliency.explain(net, image, "guided_backprop", target)[0, :, 0, 0]
    assert plain.tolist() == [1.0, -4.0, 0.0]  # the second unit speaks against the class
    assert guided.tolist() == [2.0, -1.0, 0.0]  # and is dropped


def test_grad_cam_weights_maps_by_their_mean_gradient(
    small: networks.Network, images: Tensor
) -> None:
    target = torch.tensor([0, 1, 2])
    small.requires_grad_(False)
    scores, found = small.forward_features(images.clone().requires_grad_(True), ["conv4"])
    (slope,) = torch.autograd.grad(scores[torch.arange(3), target].sum(), found["conv4"])
    small.requires_grad_(True)
    cam = (slope.mean((2, 3), keepdim=True) * found["conv4"]).sum(1, keepdim=True).relu()
    large = nn.functional.interpolate(cam, (64, 64), mode="bilinear", align_corners=False)
    maps = saliency.explain(small, images, "grad_cam", target)
    torch.testing.assert_close(maps, large.detach().expand(-1, 3, -1, -1))


@pytest.mark.parametrize("name", networks.names())
def test_guided_backprop_reaches_every_networks_relus(name: str, images: Tensor) -> None:
    net = networks.create(name, 4, 0.125)
    guided = saliency.explain(net, images, "guided_backprop")
    assert not torch.allclose(guided, saliency.explain(net, images))


class Functional(Network):
    """A network whose ReLU is a function, which no module hook sees."""

    def forward(self, x: Tensor) -> Tensor:
        return self.classifier(self.features(x).relu())


def own_network(activation: type[nn.Module], kind: type[Network] = Network) -> Network:
    features = Stack("features").layer("conv1", nn.Conv2d(3, 8, 3, 2, 1), activation())
    classifier = Stack("classifier").add(nn.AdaptiveAvgPool2d(1), nn.Flatten())
    net = kind(features, classifier.layer("dense1", nn.Linear(8, 4)))
    net.name, net.num_classes = "own", 4
    return net


@pytest.mark.parametrize("activation", [nn.SiLU, nn.GELU, nn.LeakyReLU, nn.ReLU6, nn.Hardswish])
def test_guided_backprop_without_relus_is_refused(
    activation: type[nn.Module], images: Tensor
) -> None:
    net = own_network(activation)
    with pytest.raises(ValueError, match=r"guided_backprop: own .* use gradient instead"):
        saliency.explain(net, images, "guided_backprop")
    assert saliency.methods_for(net) == [m for m in METHODS if m != "guided_backprop"]
    assert "ReLU" in saliency.unavailable(net)["guided_backprop"]


def test_guided_backprop_of_functional_relus_is_refused(images: Tensor) -> None:
    assert saliency.methods_for(own_network(nn.ReLU)) == list(METHODS)
    with pytest.raises(ValueError, match=r"not by nn\.ReLU modules"):
        saliency.explain(own_network(nn.ReLU, Functional), images, "guided_backprop")


def test_a_network_of_torchvision_is_explained(images: Tensor) -> None:
    """Layers with dots in their names, Hardswish beside ReLU, a last map of 2×2 places."""
    net = networks.create("torchvision:mobilenet_v3_small", 4)
    assert "guided_backprop" not in saliency.methods_for(net)
    assert grad_cam_size(net) == (2, 2)
    for method in ("gradient", "grad_cam"):
        assert saliency.explain(net, images, method).shape == (3, 3, 64, 64)
    first = saliency.explain(net, images, "grad_cam", layer="features.0.0")
    torch.testing.assert_close(
        first, saliency.explain(net, images, "grad_cam", layer="first"), rtol=0, atol=0
    )


def test_grad_cam_needs_a_convolution(images: Tensor) -> None:
    net = Linear(torch.randn(4, 3, 64, 64))
    assert "grad_cam" not in saliency.methods_for(net)
    with pytest.raises(ValueError, match="no named convolution layer"):
        saliency.explain(net, images, "grad_cam")


@pytest.mark.parametrize(
    ("name", "size"), [("convnet9", 2), ("vgg16", 4), ("alexnet", 6), ("vgg_like", 26)]
)
def test_grad_cam_resolves_no_more_than_the_last_convolution(name: str, size: int) -> None:
    net = networks.create(name, 4, 0.1)
    assert grad_cam_size(net) == (size, size)
    assert net.training


@pytest.mark.parametrize("method", METHODS)
def test_every_method_leaves_the_network_alone(method: str, images: Tensor) -> None:
    net = networks.create("vgg_like", 4, 0.25)
    net.classifier[1].weight.requires_grad_(False)
    net.classifier[2].eval()
    before = {k: v.clone() for k, v in net.state_dict().items()}
    maps = saliency.explain(net, images[:2], method)
    assert maps.shape == (2, 3, 64, 64)
    assert maps.dtype == torch.float32
    assert not maps.requires_grad
    assert net.training
    assert not net.classifier[2].training
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


@pytest.mark.parametrize(
    ("method", "options", "message"),
    [
        ("gradient", {"samples": 3}, "gradient has no option 'samples'; options: after_softmax"),
        ("smoothgrad", {"samples": 0}, "samples=0"),
        ("integrated_gradients", {"steps": 0}, "steps=0"),
        ("occlusion", {"patch": 65}, "patch=65"),
        ("occlusion", {"patch": 4, "stride": 8}, "stride=8"),
        ("grad_cam", {"layer": "dense1"}, "conv layer, conv1, conv2, conv3, conv4"),
    ],
)
def test_bad_options_are_refused(
    small: networks.Network, images: Tensor, method: str, options: dict, message: str
) -> None:
    with pytest.raises(ValueError, match=message):
        saliency.explain(small, images, method, **options)


@pytest.mark.parametrize("target", [[1], [1, 2, 3, 0], [0, 1, 4], [0, -1, 2]])
def test_targets_must_be_a_class_an_image(
    small: networks.Network, images: Tensor, target: list[int]
) -> None:
    with pytest.raises(ValueError, match="target"):
        saliency.explain(small, images, target=torch.tensor(target))


def test_no_images_give_no_maps(small: networks.Network, images: Tensor) -> None:
    assert saliency.explain(small, images[:0]).shape == (0, 3, 64, 64)
