"""Layers, their receptive fields, kernels and activation maximisation."""

import numpy as np
import pytest
import torch
from filter_toys import MEAN, STD, make_images, make_tiny
from torch import nn

from tin_lib import networks
from tin_lib.analysis import filters
from tin_lib.analysis.filters import Field, parametrisation
from tin_lib.networks.base import Network


@pytest.fixture
def tiny() -> Network:
    return make_tiny()


@pytest.fixture
def images() -> filters.Images:
    return make_images()


# --- layers


def test_layers_are_found_by_place_and_name(tiny: Network) -> None:
    assert filters.conv_layers(tiny) == ["conv1", "conv2"]
    assert [filters.find_layer(tiny, name) for name in ("first", "last", "dense1")] == [
        "conv1",
        "conv2",
        "dense1",
    ]
    with pytest.raises(ValueError, match=r"no layer 'conv9'; layers: conv1, conv2, dense1"):
        filters.find_layer(tiny, "conv9")


def test_activation_is_the_layers_own(tiny: Network) -> None:
    batch = torch.randn(2, 3, 64, 64)
    found = filters.activation(tiny, "conv1", batch)
    torch.testing.assert_close(found, tiny.features[0](batch).relu())
    torch.testing.assert_close(filters.activation(tiny, "dense1", batch), tiny(batch))


@pytest.mark.parametrize(
    ("layer", "expected"), [("conv1", Field(5, 2, -2)), ("conv2", Field(15, 4, -6))]
)
def test_receptive_field_by_hand(tiny: Network, layer: str, expected: Field) -> None:
    assert filters.receptive_field(tiny, layer) == expected
    assert filters.receptive_field(tiny, "dense1") is None


def gradient_extent(network: Network, layer: str, position: int) -> tuple[int, int]:
    """First and last row of the input that the unit at (position, position) depends on."""
    extent = torch.zeros(64, dtype=torch.bool)
    for seed in range(20):  # max-pooling passes one gradient at a time
        batch = torch.randn(1, 3, 64, 64, generator=torch.Generator().manual_seed(seed))
        batch.requires_grad_(True)
        maps = filters.activation(network, layer, batch)
        (gradient,) = torch.autograd.grad(maps[0, :, position, position].sum(), batch)
        extent |= (gradient != 0).any(dim=3).any(dim=1)[0]
    rows = extent.nonzero()
    return int(rows.min()), int(rows.max())


@pytest.mark.parametrize(("layer", "position"), [("conv1", 9), ("conv2", 7), ("conv2", 0)])
def test_receptive_field_is_where_the_gradient_is(tiny: Network, layer: str, position: int) -> None:
    field = filters.receptive_field(tiny, layer)
    first, end = field.span(position)
    assert gradient_extent(tiny, layer, position) == (max(first, 0), end - 1)


@pytest.mark.parametrize(
    ("name", "layer", "position"),
    [
        ("convnet9", "conv3", 6),
        ("vgg_like", "conv3", 9),
        ("vgg16", "conv4", 12),
        ("alexnet", "conv1", 4),
        ("resnet18", "stage2", 12),
    ],
)
def test_receptive_fields_of_the_networks(name: str, layer: str, position: int) -> None:
    network = networks.create(name, num_classes=5, width=0.1).eval()
    for module in network.modules():  # residual blocks start as the identity
        if isinstance(module, nn.BatchNorm2d):
            nn.init.ones_(module.weight)
    first, end = filters.receptive_field(network, layer).span(position)
    assert gradient_extent(network, layer, position) == (first, end - 1)


@pytest.mark.parametrize("name", networks.names())
def test_every_network_can_be_looked_into(name: str, images: filters.Images) -> None:
    network = networks.create(name, num_classes=3, width=0.1).eval()
    best = filters.maximise(network, "last", (MEAN, STD), [0, 1], short(steps=4))
    table = filters.filter_table(network, "last", images, best)
    assert len(table) == filters.filter_count(network, "last")
    found = filters.survey(network, "first", images, top=2)
    assert filters.patches(found, images, [0]).shape[:3] == (1, 2, 3)


def test_untrained_networks_are_fresh_and_seeded() -> None:
    network = networks.create("vgg_like", num_classes=4, width=0.1)
    state = torch.get_rng_state()
    one, two, other = (filters.untrained(network, seed) for seed in (1, 1, 2))
    assert torch.equal(torch.get_rng_state(), state)
    weights = [filters.weight(each, "first") for each in (network, one, two, other)]
    assert torch.equal(weights[1], weights[2])
    assert not torch.equal(weights[1], weights[3])
    assert weights[0].shape == weights[1].shape


# --- kernels


def test_kernel_images_keep_zero_gray_and_scale_each_kernel() -> None:
    kernels = torch.zeros(3, 3, 2, 2)
    kernels[0, 0, 0, 0], kernels[1, 1, 1, 1] = 2.0, -0.5
    shown = filters.kernel_images(kernels)
    assert shown[0, 0, 0, 0] == 255
    assert shown[1, 1, 1, 1] == 1
    assert (shown[2] == 128).all()
    assert filters.kernel_images(kernels, shared=True)[1, 1, 1, 1] == round(128 - 127 / 4)


def test_kernel_images_refuse_deeper_layers(tiny: Network) -> None:
    assert filters.first_layer(tiny).shape == (6, 3, 5, 5)
    with pytest.raises(ValueError, match="activation maximisation"):
        filters.kernel_images(filters.weight(tiny, "last"))


# --- activation maximisation


def short(**changes: object) -> filters.Options:
    return filters.Options(**{"steps": 30, "rate": 0.05, **changes})


@pytest.mark.parametrize("parametrisation", ["fourier", "pixel"])
@pytest.mark.parametrize("objective", ["channel", "centre"])
@pytest.mark.parametrize("layer", ["last", "dense1"])
def test_maximise_raises_the_activation(
    tiny: Network, parametrisation: str, objective: str, layer: str
) -> None:
    options = short(parametrisation=parametrisation, objective=objective, jitter=1)
    best = filters.maximise(tiny, layer, (MEAN, STD), options=options)
    assert best.images.shape == (filters.filter_count(tiny, layer), 3, 64, 64)
    assert best.images.dtype == np.uint8
    assert (best.reached > best.start).all()


def test_maximise_repeats_itself_whatever_the_chunks(tiny: Network) -> None:
    options = short(blur=0.5, total_variation=0.1)
    whole = filters.maximise(tiny, "last", (MEAN, STD), options=options)
    again = filters.maximise(tiny, "last", (MEAN, STD), options=options)
    np.testing.assert_array_equal(whole.images, again.images)
    options = short(blur=0.5, total_variation=0.1, chunk=1)
    some = filters.maximise(tiny, "last", (MEAN, STD), [3, 1], options)
    # Other batch sizes may round otherwise: one level of 256.
    assert np.abs(some.images.astype(int) - whole.images[[3, 1]]).max() <= 1
    assert (whole.images[0] != whole.images[1]).any()


def test_maximise_wakes_layers_that_are_silent_on_noise(tiny: Network) -> None:
    with torch.no_grad():
        tiny.features[0].bias[:] = -0.3
        tiny.features[3].bias[:] = -0.1
    best = filters.maximise(tiny, "last", (MEAN, STD), options=short(jitter=0))
    assert (best.start == 0).all()
    assert (best.reached > 0).all()


def test_maximise_finds_the_kernel_of_a_linear_filter(tiny: Network) -> None:
    """The centre unit of a first layer is linear: its best image is the sign of its kernel."""
    options = short(parametrisation="pixel", objective="centre", jitter=0, steps=60, rate=0.5)
    best = filters.maximise(tiny, "first", (MEAN, STD), [2], options)
    top, bottom = filters.receptive_field(tiny, "first").span(16)
    seen = best.images[0][:, top:bottom, top:bottom] / 127.5 - 1
    np.testing.assert_array_equal(np.sign(seen), filters.weight(tiny, "first")[2].sign().numpy())
    assert np.abs(seen).min() > 0.8


def test_total_variation_blur_and_fourier_smooth_the_image(tiny: Network) -> None:
    def measured(**changes: object) -> float:
        best = filters.maximise(tiny, "last", (MEAN, STD), options=short(**changes))
        return float(filters.image_roughness(best.images).mean())

    plain = measured(parametrisation="pixel")
    assert measured(parametrisation="pixel", total_variation=5.0) < 0.9 * plain
    assert measured(parametrisation="pixel", blur=1.5) < 0.5 * plain
    assert measured(parametrisation="fourier") < plain


def test_maximise_leaves_the_network_as_it_was(tiny: Network) -> None:
    tiny.train()
    before = {name: value.clone() for name, value in tiny.state_dict().items()}
    calls: list[tuple[int, int]] = []
    progress = lambda done, total: calls.append((done, total))
    filters.maximise(tiny, "last", (MEAN, STD), options=short(chunk=3), progress=progress)
    assert tiny.training
    assert all(torch.equal(value, before[name]) for name, value in tiny.state_dict().items())
    assert all(parameter.grad is None for parameter in tiny.parameters())
    assert calls == [(done, 60) for done in range(1, 61)]  # two chunks of thirty steps


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"parametrisation": "wavelet"}, "fourier, pixel"),
        ({"objective": "corner"}, "channel, centre"),
        ({"steps": 0}, "steps: must be above zero"),
        ({"jitter": -1}, "jitter: must not be negative"),
    ],
)
def test_options_refuse_what_they_cannot_do(changes: dict[str, object], message: str) -> None:
    with pytest.raises(ValueError, match=message):
        filters.Options(**changes)


def test_unknown_filters_are_refused(tiny: Network) -> None:
    with pytest.raises(ValueError, match="conv2 has filters 0 to 3"):
        filters.maximise(tiny, "last", (MEAN, STD), [4])


def test_gaussian_keeps_constants_and_spreads_a_point() -> None:
    assert torch.allclose(
        parametrisation.gaussian(torch.ones(1, 3, 9, 9), 1.3), torch.ones(1, 3, 9, 9)
    )
    point = torch.zeros(1, 1, 15, 15)
    point[0, 0, 7, 7] = 1
    spread = parametrisation.gaussian(point, 1.0)[0, 0]
    assert float(spread.sum()) == pytest.approx(1, abs=1e-5)
    assert float(spread[7, 8] / spread[7, 7]) == pytest.approx(np.exp(-0.5), abs=1e-4)
