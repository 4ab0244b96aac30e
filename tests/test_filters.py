"""Kernels, activation maximisation, exciting patches and the figures of filters."""

import dataclasses

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import nn

from tin_lib import filters, networks
from tin_lib.filters import picture
from tin_lib.filters.layers import Field
from tin_lib.networks.base import Network, Stack

MEAN, STD = torch.tensor([120.0, 115.0, 100.0]), torch.tensor([70.0, 69.0, 72.0])


def make_tiny() -> Network:
    """Two conv layers, a pool and a dense layer, small enough to work out by hand."""
    features, classifier = Stack("features"), Stack("classifier")
    features.layer("conv1", nn.Conv2d(3, 6, 5, stride=2, padding=2), nn.ReLU())
    features.add(nn.MaxPool2d(2))
    features.layer("conv2", nn.Conv2d(6, 4, 3, padding=1), nn.ReLU())
    classifier.add(nn.Flatten()).layer("dense1", nn.Linear(4 * 16 * 16, 3))
    network = Network(features, classifier)
    network.name, network.num_classes = "tiny", 3
    return network.eval()


@pytest.fixture
def tiny() -> Network:
    torch.manual_seed(0)
    return make_tiny()


@pytest.fixture
def images() -> filters.Images:
    generator = np.random.default_rng(0)
    pixels = generator.integers(0, 256, (30, 3, 64, 64), dtype=np.uint8)
    return filters.Images(pixels, np.arange(30) % 3, MEAN, STD)


def gabor(size: int = 64) -> np.ndarray:
    y, x = np.mgrid[:size, :size] - size / 2
    wave = np.cos(2 * np.pi * x / 16) * np.exp(-(x**2 + y**2) / (2 * 10**2))
    return np.broadcast_to(wave, (1, 3, size, size))


# --- layers


def test_layers_are_found_by_place_and_name(tiny: Network) -> None:
    assert filters.conv_layers(tiny) == ["conv1", "conv2"]
    assert [filters.find(tiny, name) for name in ("first", "last", "dense1")] == [
        "conv1",
        "conv2",
        "dense1",
    ]
    with pytest.raises(ValueError, match=r"no layer 'conv9'; layers: conv1, conv2, dense1"):
        filters.find(tiny, "conv9")


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
    assert len(table) == filters.count(network, "last")
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
    assert best.images.shape == (filters.count(tiny, layer), 3, 64, 64)
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
    assert torch.allclose(picture.gaussian(torch.ones(1, 3, 9, 9), 1.3), torch.ones(1, 3, 9, 9))
    point = torch.zeros(1, 1, 15, 15)
    point[0, 0, 7, 7] = 1
    spread = picture.gaussian(point, 1.0)[0, 0]
    assert float(spread.sum()) == pytest.approx(1, abs=1e-5)
    assert float(spread[7, 8] / spread[7, 7]) == pytest.approx(np.exp(-0.5), abs=1e-4)


# --- what excites


def test_survey_agrees_with_all_maps_at_once(
    tiny: Network, images: filters.Images, monkeypatch
) -> None:
    monkeypatch.setattr("tin_lib.filters.exciting.BATCH", 7)  # several batches, the last one short
    found = filters.survey(tiny, "last", images, top=4)
    batch = (torch.from_numpy(images.pixels).float() - MEAN[:, None, None]) / STD[:, None, None]
    with torch.no_grad():
        maps = filters.activation(tiny, "last", batch)
    answers = maps.amax(dim=(2, 3)).T.numpy()  # (K, N)
    np.testing.assert_array_equal(found.image, np.argsort(-answers, axis=1, kind="stable")[:, :4])
    np.testing.assert_allclose(found.value, -np.sort(-answers, axis=1)[:, :4], rtol=1e-5)
    np.testing.assert_allclose(found.mean, answers.mean(axis=1), rtol=1e-5)
    for label in range(3):
        mine = answers[:, images.labels == label].mean(axis=1)
        np.testing.assert_allclose(found.class_mean[:, label], mine, rtol=1e-5)
    row, (down, right) = found.image[2, 0], found.position[2, 0]
    assert float(maps[row, 2, down, right]) == pytest.approx(float(found.value[2, 0]), rel=1e-5)


def test_images_without_a_label_count_for_no_class(tiny: Network, images: filters.Images) -> None:
    unlabelled = filters.Images(images.pixels, np.full(30, -1), MEAN, STD)
    found = filters.survey(tiny, "last", unlabelled, top=2)
    assert np.isnan(found.class_mean).all()
    assert np.isnan(filters.selectivity(found)).all()
    assert (found.mean > 0).any()


def test_patches_hold_a_planted_square(tiny: Network) -> None:
    """A bright square on black excites a kernel of ones; its patch shows the square."""
    with torch.no_grad():
        tiny.features[0].weight[1] = 1.0
    pixels = np.zeros((5, 3, 64, 64), dtype=np.uint8)
    pixels[3, :, 40:45, 20:25] = 255
    images = filters.Images(pixels, np.zeros(5, dtype=np.int64), MEAN, STD)
    found = filters.survey(tiny, "first", images, top=2)
    assert found.image[1, 0] == 3
    shown = filters.patches(found, images, [1])
    assert shown.shape == (1, 2, 3, 5, 5)
    assert (shown[0, 0] == 255).all()


def test_patch_is_gray_outside_the_image() -> None:
    image = np.full((3, 64, 64), 7, dtype=np.uint8)
    shown = filters.patch(image, (0, 63), Field(5, 1, -2))
    assert (shown[:, :2] == 128).all()
    assert (shown[:, 2:, :3] == 7).all()
    assert (shown[:, 2:, 3:] == 128).all()
    assert filters.patch(image, (-1, -1), None) is image


def test_favourites_and_selectivity(tiny: Network, images: filters.Images) -> None:
    with torch.no_grad():
        tiny.classifier[1].weight[:] = 0
        tiny.classifier[1].bias[:] = torch.tensor([1.0, 0.0, 2.0])
    found = filters.survey(tiny, "dense1", images)
    table = filters.favourites(found, ["ant", "bee", "cow"], best=2)
    assert list(table.columns) == ["filter", "rank", "class", "name", "mean", "times"]
    assert len(table) == 6
    np.testing.assert_allclose(filters.selectivity(found), [0, np.nan, 0])
    assert table["times"].isna().tolist() == [False, False, True, True, False, False]


def test_selectivity_by_hand(tiny: Network, images: filters.Images) -> None:
    means = np.array([[1.0, 1.0, 1.0], [4.0, 0.0, 0.0], [3.0, 1.0, np.nan], [2.0, -5.0, 1.0]])
    found = dataclasses.replace(filters.survey(tiny, "last", images), class_mean=means)
    np.testing.assert_allclose(filters.selectivity(found), [0, 1, 0.5, np.nan])


# --- figures of filters


def test_roughness_tells_noise_from_a_smooth_wave() -> None:
    noise = np.random.default_rng(0).normal(size=(50, 3, 64, 64))
    assert filters.roughness(noise) == pytest.approx(1, abs=0.05)
    assert filters.roughness(gabor())[0] < 0.1
    checkers = np.indices((8, 8)).sum(axis=0)[None, None] % 2 * 2.0 - 1
    assert filters.roughness(checkers)[0] == pytest.approx(2)
    assert filters.roughness(np.ones((1, 3, 5, 5)))[0] == 0
    assert np.isnan(filters.roughness(np.zeros((1, 3, 5, 5)))[0])


@settings(deadline=None, max_examples=25)
@given(scale=st.floats(0.01, 100), seed=st.integers(0, 1000))
def test_roughness_does_not_depend_on_scale(scale: float, seed: int) -> None:
    kernels = np.random.default_rng(seed).normal(size=(4, 3, 3, 3))
    measured = filters.roughness(kernels)
    np.testing.assert_allclose(filters.roughness(scale * kernels), measured, rtol=1e-9)
    assert ((measured >= 0) & (measured <= 4)).all()


def test_roughness_of_pictures_ignores_their_brightness() -> None:
    noise = np.random.default_rng(0).integers(0, 50, (3, 3, 32, 32), dtype=np.uint8)
    np.testing.assert_allclose(filters.image_roughness(noise), filters.image_roughness(noise + 150))


def test_nearest_finds_the_copy() -> None:
    weights = torch.randn(6, 3, 3, 3, generator=torch.Generator().manual_seed(0))
    weights[4], weights[2] = 3 * weights[1], 0
    neighbour, cosine = filters.nearest(weights)
    assert neighbour[4] == 1
    assert cosine[1] == pytest.approx(1, abs=1e-6)
    assert cosine[2] == 0
    assert np.isnan(filters.nearest(weights[:1])[1]).all()


def test_filter_table_counts_the_dead(tiny: Network, images: filters.Images) -> None:
    with torch.no_grad():
        tiny.features[3].bias[1] = -1e4
    best = filters.maximise(tiny, "last", (MEAN, STD), [0, 2], short(steps=2))
    table = filters.filter_table(tiny, "last", images, best)
    assert table["dead"].tolist() == [False, True, False, False]
    assert table["favourite"].tolist()[1] == -1
    assert table["active"][1] == 0
    assert table["image_roughness"].notna().tolist() == [True, False, True, False]
    assert table["kernel_roughness"].between(0, 4).all()
    with pytest.raises(ValueError, match="of conv2, the table is of conv1"):
        filters.filter_table(tiny, "first", images, best)


def test_compare_has_an_interval_around_every_mean(tiny: Network, images: filters.Images) -> None:
    torch.manual_seed(1)
    table = filters.compare({"one": tiny, "two": make_tiny()}, images, seed=3)
    assert set(table["network"]) == {"one", "two"}
    assert set(table["layer"]) == {"conv1", "conv2"}
    assert "image_roughness" not in set(table["figure"])  # nothing was maximised
    assert ((table["low"] <= table["mean"]) & (table["mean"] <= table["high"])).all()
    again = filters.compare({"one": tiny}, images, seed=3)
    assert again.equals(table[table["network"] == "one"].reset_index(drop=True))
