"""What excites a filter, and the figures of filters."""

import dataclasses

import numpy as np
import pytest
import torch
from filter_toys import MEAN, STD, make_images, make_tiny
from hypothesis import given, settings
from hypothesis import strategies as st

from tin_lib.analysis import filters
from tin_lib.analysis.filters import Field
from tin_lib.networks.base import Network


@pytest.fixture
def tiny() -> Network:
    return make_tiny()


@pytest.fixture
def images() -> filters.Images:
    return make_images()


def gabor(size: int = 64) -> np.ndarray:
    y, x = np.mgrid[:size, :size] - size / 2
    wave = np.cos(2 * np.pi * x / 16) * np.exp(-(x**2 + y**2) / (2 * 10**2))
    return np.broadcast_to(wave, (1, 3, size, size))


# --- what excites


def test_survey_agrees_with_all_maps_at_once(
    tiny: Network, images: filters.Images, monkeypatch
) -> None:
    monkeypatch.setattr(
        "tin_lib.analysis.filters.top_activations.BATCH", 7
    )  # several batches, the last one short
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


def test_preferred_classes_and_selectivity(tiny: Network, images: filters.Images) -> None:
    with torch.no_grad():
        tiny.classifier[1].weight[:] = 0
        tiny.classifier[1].bias[:] = torch.tensor([1.0, 0.0, 2.0])
    found = filters.survey(tiny, "dense1", images)
    table = filters.preferred_classes(found, ["ant", "bee", "cow"], best=2)
    assert list(table.columns) == ["filter", "rank", "class", "name", "mean", "times"]
    assert len(table) == 6
    np.testing.assert_allclose(filters.selectivity(found), [0, np.nan, 0])
    assert table["times"].isna().tolist() == [False, False, True, True, False, False]


def test_selectivity_by_hand(tiny: Network, images: filters.Images) -> None:
    means = np.array([[1.0, 1.0, 1.0], [4.0, 0.0, 0.0], [3.0, 1.0, np.nan], [2.0, -5.0, 1.0]])
    found = dataclasses.replace(filters.survey(tiny, "last", images), class_mean=means)
    np.testing.assert_allclose(filters.selectivity(found), [0, 1, 0.5, np.nan])


# --- figures of filters


def test_roughness_distinguishes_noise_from_a_smooth_wave() -> None:
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
    best = filters.maximise(tiny, "last", (MEAN, STD), [0, 2], filters.Options(steps=2, rate=0.05))
    table = filters.filter_table(tiny, "last", images, best)
    assert table["dead"].tolist() == [False, True, False, False]
    assert table["preferred"].tolist()[1] == -1
    assert table["active"][1] == 0
    assert table["image_roughness"].notna().tolist() == [True, False, True, False]
    assert table["kernel_roughness"].between(0, 4).all()
    with pytest.raises(ValueError, match="of conv2, the table is of conv1"):
        filters.filter_table(tiny, "first", images, best)


def test_compare_has_an_interval_around_every_mean(tiny: Network, images: filters.Images) -> None:
    table = filters.compare({"one": tiny, "two": make_tiny(seed=1)}, images, seed=3)
    assert set(table["network"]) == {"one", "two"}
    assert set(table["layer"]) == {"conv1", "conv2"}
    assert "image_roughness" not in set(table["figure"])  # nothing was maximised
    assert ((table["low"] <= table["mean"]) & (table["mean"] <= table["high"])).all()
    again = filters.compare({"one": tiny}, images, seed=3)
    assert again.equals(table[table["network"] == "one"].reset_index(drop=True))
