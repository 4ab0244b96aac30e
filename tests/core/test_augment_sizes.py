"""Batches at fewer pixels: against PyTorch's antialiased resize, for every kind of plan."""

import math
from dataclasses import replace

import pytest
import torch
import torch.nn.functional as F
from hypothesis import given, settings
from hypothesis import strategies as st
from torch._subclasses.fake_tensor import FakeTensorMode

from tin_lib import augment
from tin_lib.augment import Augmenter, AugmentSpec, geometry, render

MEAN, STD = torch.tensor([120.0, 110.0, 100.0]), torch.tensor([60.0, 61.0, 62.0])
PLAIN = torch.zeros(3), torch.ones(3)  # a batch "normalised" with these stays in 0..255
MODERN = AugmentSpec("modern", shift=4, resized_crop_scale=(0.3, 1.0), jitter=0.3, erase=0.5)
SHIFTS = AugmentSpec("modern", shift=6)
SPECS = [AugmentSpec(), AugmentSpec("paper_copies"), AugmentSpec("paper_fresh"), MODERN, SHIFTS]
IDS = ["none", "copies", "fresh", "modern", "shifts"]
SIZES = [8, 32, 33, 48, 63]


def images(n: int = 20) -> torch.Tensor:
    generator = torch.Generator().manual_seed(3)
    return torch.randint(0, 256, (n, 3, 64, 64), generator=generator, dtype=torch.uint8)


def boxed(box: list[float]) -> augment.EpochPlan:
    """A plan that shows one box of image 0."""
    return replace(augment.unchanged(torch.tensor([0])), boxes=torch.tensor([box]))


def resized(pixels: torch.Tensor, size: int) -> torch.Tensor:
    """What torchvision's resize(antialias=True) calls."""
    return F.interpolate(pixels.float(), (size, size), mode="bilinear", antialias=True)


@pytest.mark.parametrize("size", SIZES)
def test_a_smaller_image_is_the_antialiased_resize(size):
    expected = resized(images(), size)
    plan = augment.unchanged(torch.arange(20))
    whole = torch.tensor([0.0, 0.0, 64.0, 64.0]).repeat(20, 1)
    found = {
        "evaluation": augment.normalise(images(), *PLAIN, size=size),
        "no plan": render(images(), plan, *PLAIN, size=size),
        "boxes of everything": render(images(), replace(plan, boxes=whole), *PLAIN, size=size),
    }
    for got in found.values():
        torch.testing.assert_close(got, expected, rtol=0, atol=2e-3)


@given(st.integers(8, 64), st.integers(8, 64), st.integers(8, 64), st.floats(0, 1), st.booleans())
@settings(deadline=None, max_examples=60)
def test_a_crop_is_the_antialiased_resize_of_its_pixels(size, height, width, place, mirrored):
    """But for what lies at its edges, where the box also reads the pixels beside it."""
    top, left = round(place * (64 - height)), round((1 - place) * (64 - width))
    expected = resized(images(1)[:, :, top : top + height, left : left + width], size)
    box = [top, left + width, height, -width] if mirrored else [top, left, height, width]
    found = render(images(1), boxed([float(side) for side in box]), *PLAIN, size=size)
    found = found.flip(-1) if mirrored else found
    rows, columns = inside(height, size), inside(width, size)
    difference = (found - expected)[0][:, rows][:, :, columns]
    assert difference.numel() or min(height, width) < 16
    assert not (difference.abs() > 2e-3).any()


def inside(length: int, size: int) -> torch.Tensor:
    """Whether an output pixel, of ``size`` over ``length`` pixels, reads only among these."""
    centre = (torch.arange(size) + 0.5) * length / size - 0.5
    half = max(1.0, length / size)
    return (centre - half > -1) & (centre + half < length)


@given(st.floats(-6, 6), st.floats(4, 64), st.booleans())
@settings(deadline=None, max_examples=60)
def test_without_reduction_a_matrix_is_plain_bilinear_sampling(start, extent, mirrored):
    start, extent = (start + extent, -extent) if mirrored else (start, extent)
    steps = torch.arange(64, dtype=torch.float32)
    source = torch.tensor(start) + (steps + 0.5) * torch.tensor(extent) / 64 - 0.5
    source = 63 - (63 - source.abs()).abs()
    expected = (1 - (source[:, None] - steps).abs()).clamp(min=0)
    found = geometry.bilinear(torch.tensor(start), torch.tensor(extent))
    torch.testing.assert_close(found, expected, rtol=0, atol=1e-6)


@pytest.mark.parametrize("size", [8, 20, 64])
def test_rows_of_a_matrix_have_the_sum_one(size):
    start, extent = torch.tensor([-6.0, 0.0, 70.0]), torch.tensor([76.0, 64.0, -76.0])
    matrices = geometry.bilinear(start, extent, size)
    assert matrices.shape == (3, size, 64)
    torch.testing.assert_close(matrices.sum(-1), torch.ones(3, size))


@pytest.mark.parametrize("mode", ["none", "paper_copies", "paper_fresh"])
def test_the_papers_batch_is_resized_after_its_techniques(mode):
    plan = Augmenter(AugmentSpec(mode), 20, 2).epoch(0)
    expected = resized(render(images(), plan, MEAN, STD), 32)
    found = render(images(), plan, MEAN, STD, size=32)
    torch.testing.assert_close(found, expected, rtol=0, atol=1e-4)


def test_erasing_covers_the_same_part_of_the_image():
    erased = torch.tensor([[16, 32, 8, 49]])
    plan = replace(augment.unchanged(torch.tensor([0])), erased=erased)
    expected = augment.normalise(images(1), MEAN, STD, size=32)
    expected[:, :, 8:16, 4:24] = 0  # the pixel with the last column has its centre beyond it
    assert torch.equal(render(images(), plan, MEAN, STD, size=32), expected)


@pytest.mark.parametrize("size", [24, 48])
@pytest.mark.parametrize("spec", SPECS, ids=IDS)
def test_both_memory_formats_give_the_same_smaller_batch(spec, size):
    stored, plan = images(), Augmenter(spec, 20, 1).epoch(0)
    last = stored.contiguous(memory_format=torch.channels_last)
    expected, found = (render(v, plan, MEAN, STD, size=size) for v in (stored, last))
    assert expected.shape == (len(plan), 3, size, size)
    assert expected.is_contiguous()
    assert found.is_contiguous(memory_format=torch.channels_last)
    torch.testing.assert_close(found, expected, rtol=0, atol=1e-5)
    evaluated = augment.normalise(last, MEAN, STD, size=size)
    assert evaluated.is_contiguous(memory_format=torch.channels_last)
    torch.testing.assert_close(evaluated, augment.normalise(stored, MEAN, STD, size=size))


@pytest.mark.parametrize("channels_last", [True, False])
@pytest.mark.parametrize("size", [32, 64])
@pytest.mark.parametrize("spec", SPECS, ids=IDS)
def test_one_graph_renders_the_same_smaller_batch(spec, size, channels_last):
    """As it is compiled for a GPU, so by products, whatever the batch holds."""
    layout = torch.channels_last if channels_last else torch.contiguous_format
    stored, plan = images().contiguous(memory_format=layout), Augmenter(spec, 20, 1).epoch(0)
    torch._dynamo.reset()
    compiled = torch.compile(render, backend="eager", fullgraph=True, dynamic=False)
    expected = render(stored, plan[:16], MEAN, STD, size=size)
    found = compiled(stored, plan[:16], MEAN, STD, size=size)
    torch.testing.assert_close(found, expected, rtol=0, atol=1e-5)
    assert found.stride() == expected.stride()


@pytest.mark.parametrize("spec", SPECS, ids=IDS)
def test_no_smaller_batch_asks_a_gpu_for_a_value(spec):
    plan = Augmenter(spec, 20, 1).epoch(0)
    with FakeTensorMode(allow_non_fake_inputs=True):
        stored, mean, std = (v.to("cuda") for v in (images(), MEAN, STD))
        batch = render(stored, plan.to("cuda"), mean, std, size=32)
        evaluated = augment.normalise(stored, mean, std, size=32)
    assert batch.is_cuda
    assert batch.shape == (len(plan), 3, 32, 32)
    assert evaluated.shape == (20, 3, 32, 32)


@pytest.mark.parametrize("size", [7, 65, 32.0, "32", math.nan])
def test_other_sizes_are_refused(size):
    plan = augment.unchanged(torch.arange(2))
    with pytest.raises(ValueError, match=r"size must be a whole number of pixels, 8\.\.64"):
        render(images(), plan, MEAN, STD, size=size)
    with pytest.raises(ValueError, match="size must be"):
        augment.normalise(images(), MEAN, STD, size=size)
