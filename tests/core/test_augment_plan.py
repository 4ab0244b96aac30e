"""Plans: sizes, shares, determinism, and that a rendered plan is its techniques composed."""

import numpy as np
import pytest
import torch
import torch.nn.functional as F
from hypothesis import given, settings
from hypothesis import strategies as st

from tin_lib import augment
from tin_lib.analysis.augmentation import crop_resize
from tin_lib.augment import Augmenter, AugmentSpec, Technique, render
from tin_lib.augment.geometry import FIRST_CROP

MEAN, STD = torch.tensor([120.0, 110.0, 100.0]), torch.tensor([60.0, 61.0, 62.0])
N = 40
EVERYTHING = AugmentSpec(
    "modern", shift=4, resized_crop_scale=(0.3, 1.0), jitter=0.3, erase=0.5, mirror=True
)
AUTHOR = AugmentSpec("paper_copies", resize="author")
SPECS = [AugmentSpec(), AugmentSpec("paper_copies"), AugmentSpec("paper_fresh"), EVERYTHING, AUTHOR]
IDS = ["none", "copies", "fresh", "modern", "author"]


def images(n: int = N) -> torch.Tensor:
    generator = torch.Generator().manual_seed(3)
    return torch.randint(0, 256, (n, 3, 64, 64), generator=generator, dtype=torch.uint8)


def equal_plans(a: augment.EpochPlan, b: augment.EpochPlan) -> bool:
    left, right = a._tensors(), b._tensors()
    return left.keys() == right.keys() and all(torch.equal(left[k], right[k]) for k in left)


def compose(item: augment.EpochPlan, pixels: torch.Tensor, resize: str) -> torch.Tensor:
    """What a one-item paper plan says, by the pure functions and by division."""
    technique = Technique(int(item.technique))
    if technique == Technique.MIRROR:
        pixels = pixels.flip(3)
    if technique == Technique.UPSIDE_DOWN:
        pixels = pixels.flip(2)
    if technique == Technique.CROP:
        offsets = item.rows - FIRST_CROP, item.columns - FIRST_CROP
        pixels = crop_resize(pixels, *offsets, resize=resize)
    if technique == Technique.CONTRAST:
        pixels = pixels * item.gain[0]
    if technique == Technique.TINT:
        pixels = pixels + item.bias[:, :, None, None]
    return (pixels - MEAN.view(3, 1, 1)) / STD.view(3, 1, 1)


@pytest.mark.parametrize(("fraction", "items"), [(1 / 3, 266_665), (0.30, 250_000)])
def test_the_papers_epoch(fraction, items):
    image, technique = augment.expansion_plan(100_000, fraction)
    assert len(image) == len(technique) == items
    assert Augmenter(AugmentSpec("paper_copies", fraction), 100_000).items(7) == items


@given(st.integers(1, 200), st.floats(0, 1), st.integers(0, 2**40))
@settings(deadline=None, max_examples=50)
def test_expansion_draws_each_techniques_images_without_replacement(n, fraction, seed):
    image, technique = augment.expansion_plan(n, fraction, seed)
    assert torch.equal(image[technique == Technique.NONE], torch.arange(n))
    for kind in list(Technique)[1:]:
        copied = image[technique == kind]
        assert len(copied) == len(copied.unique()) == int(fraction * n + 1e-6)
        assert ((copied >= 0) & (copied < n)).all()


def test_techniques_copy_different_images():
    image, technique = augment.expansion_plan(3000)
    mirrored, cropped = image[technique == Technique.MIRROR], image[technique == Technique.CROP]
    shared = np.intersect1d(mirrored, cropped).size
    assert 250 < shared < 420  # a third of a third of 3,000 is 333


def test_copies_are_the_same_images_in_every_epoch():
    augmenter = Augmenter(AugmentSpec("paper_copies"), N, seed=5)
    first, second = augmenter.epoch(0), augmenter.epoch(1)
    assert not torch.equal(first.image, second.image)  # another order
    assert sorted_rows(first) == sorted_rows(second)  # of the same items


def sorted_rows(plan: augment.EpochPlan) -> list[list[float]]:
    values = [plan.image[:, None], plan.technique[:, None], plan.gain, plan.bias]
    values += [plan.rows[:, None], plan.columns[:, None]]
    return sorted(torch.cat([value.double() for value in values], dim=1).tolist())


def test_fresh_epochs_differ_and_keep_the_shares():
    augmenter = Augmenter(AugmentSpec("paper_fresh"), 24_000, seed=5)
    first, second = augmenter.epoch(0), augmenter.epoch(1)
    assert torch.equal(first.image.sort().values, torch.arange(24_000))
    by_image = [plan.technique[plan.image.argsort()] for plan in (first, second)]
    assert (by_image[0] != by_image[1]).float().mean() > 0.5
    shares = torch.bincount(first.technique, minlength=6) / 24_000
    torch.testing.assert_close(shares, torch.tensor([3.0, 1, 1, 1, 1, 1]) / 8, atol=0.012, rtol=0)


def test_an_item_changes_by_its_own_technique_only():
    plan = Augmenter(AugmentSpec("paper_copies"), 600).epoch(0)
    kind = plan.technique
    assert torch.equal(plan.gain[:, 0] != 1, kind == Technique.CONTRAST)
    assert torch.equal((plan.bias != 0).any(1), kind == Technique.TINT)
    assert torch.equal(plan.rows >= FIRST_CROP, kind == Technique.CROP)
    assert torch.equal(plan.columns >= FIRST_CROP, kind == Technique.CROP)
    assert torch.equal(plan.rows == 1, kind == Technique.UPSIDE_DOWN)
    assert torch.equal(plan.columns == 1, kind == Technique.MIRROR)


@pytest.mark.parametrize(("resize", "offsets"), [("spline", 10), ("author", 9)])
def test_crops_of_a_plan_have_all_pairs_of_offsets(resize, offsets):
    plan = Augmenter(AugmentSpec("paper_copies", resize=resize), 6000).epoch(0)
    crops = plan[(plan.technique == Technique.CROP).nonzero().flatten()]
    pairs = torch.stack([crops.rows, crops.columns], dim=1) - FIRST_CROP
    assert torch.equal(pairs.unique(dim=0), torch.cartesian_prod(*[torch.arange(offsets)] * 2))


def test_another_seed_copies_other_images():
    spec = AugmentSpec("paper_copies")
    first, second = (Augmenter(spec, 300, seed).epoch(0) for seed in (0, 1))
    mirrored = [set(p.image[p.technique == Technique.MIRROR].tolist()) for p in (first, second)]
    assert mirrored[0] != mirrored[1]


@pytest.mark.parametrize("spec", SPECS, ids=IDS)
def test_same_seed_same_plan(spec):
    plans = [Augmenter(spec, N, seed).epoch(epoch) for seed, epoch in ((1, 2), (1, 2), (2, 2))]
    assert equal_plans(plans[0], plans[1])
    assert not equal_plans(plans[0], plans[2])
    augmenter = Augmenter(spec, N, 1)
    augmenter.epoch(0)  # what was planned before does not matter
    assert equal_plans(augmenter.epoch(2), plans[0])
    assert len(plans[0]) == augmenter.items(2)


@pytest.mark.parametrize("spec", SPECS, ids=IDS)
def test_rendering_does_not_depend_on_the_batches(spec):
    stored, plan = images(), Augmenter(spec, N, 1).epoch(0)
    whole = render(stored, plan, MEAN, STD)
    parts = [render(stored, plan[a : a + 7], MEAN, STD) for a in range(0, len(plan), 7)]
    torch.testing.assert_close(torch.cat(parts), whole, rtol=0, atol=1e-5)
    picked = torch.tensor([5, 3, 3])
    torch.testing.assert_close(render(stored, plan[picked], MEAN, STD), whole[picked])


@pytest.mark.parametrize("spec", SPECS, ids=IDS)
def test_both_memory_formats_give_the_same_batch(spec):
    stored, plan = images(), Augmenter(spec, N, 1).epoch(0)
    channels_last = stored.contiguous(memory_format=torch.channels_last)
    expected, got = render(stored, plan, MEAN, STD), render(channels_last, plan, MEAN, STD)
    assert expected.is_contiguous()
    assert got.is_contiguous(memory_format=torch.channels_last)
    torch.testing.assert_close(got, expected, rtol=0, atol=1e-5)


@pytest.mark.parametrize("resize", ["spline", "author"])
@pytest.mark.parametrize("mode", ["paper_copies", "paper_fresh"])
def test_rendering_is_the_techniques_composed(mode, resize):
    stored, plan = images(), Augmenter(AugmentSpec(mode, resize=resize), N, 2).epoch(0)
    assert set(plan.technique.tolist()) == set(range(6))
    batch = render(stored, plan, MEAN, STD)
    for k in range(len(plan)):
        item = plan[k : k + 1]
        expected = compose(item, stored[item.image].float(), resize)
        torch.testing.assert_close(batch[k : k + 1], expected, rtol=0, atol=1e-4)


def test_rendering_leaves_the_images_alone():
    stored = images()
    before = stored.clone()
    for spec in SPECS:
        render(stored, Augmenter(spec, N, 1).epoch(0), MEAN, STD)
    assert torch.equal(stored, before)


def test_the_products_used_on_a_gpu_equal_the_shortcuts_of_a_cpu():
    stored, plan = images(), Augmenter(AugmentSpec("paper_copies"), N, 1).epoch(0)
    rows, columns = plan.operators[plan.rows], plan.operators[plan.columns]
    pixels = augment.geometry.resample(stored[plan.image], rows, columns)
    pixels = pixels * plan.gain[:, :, None, None] + plan.bias[:, :, None, None]
    expected = augment.normalise(pixels, MEAN, STD)
    torch.testing.assert_close(render(stored, plan, MEAN, STD), expected, rtol=0, atol=1e-4)


def test_no_augmentation_is_a_shuffled_normalise():
    plan = Augmenter(AugmentSpec(), N, 1).epoch(0)
    assert torch.equal(plan.image.sort().values, torch.arange(N))
    got = render(images(), plan, MEAN, STD)
    assert torch.equal(got, augment.normalise(images()[plan.image], MEAN, STD))


@pytest.mark.parametrize("wrong", [images().float(), images()[:, :, :32]])
def test_other_images_are_refused(wrong):
    with pytest.raises(ValueError, match="images must be uint8"):
        render(wrong, Augmenter(AugmentSpec(), N).epoch(0), MEAN, STD)


# --- modern ---------------------------------------------------------------------------------


def boxed(box: list[float]) -> augment.EpochPlan:
    """A plan that shows one box of image 0."""
    plan = augment.unchanged(torch.tensor([0]))
    return augment.EpochPlan(
        plan.image, plan.technique, plan.gain, plan.bias, boxes=torch.tensor([box])
    )


def show(plan: augment.EpochPlan) -> torch.Tensor:
    """Rendered without normalisation, so in 0..255."""
    return render(images(), plan, torch.zeros(3), torch.ones(3))


def test_a_shifted_box_is_pad_by_reflection_and_crop():
    padded = F.pad(images()[:1].float(), (4, 4, 4, 4), mode="reflect")
    shifted = show(boxed([-3.0, 2.0, 64.0, 64.0]))
    torch.testing.assert_close(shifted, padded[:, :, 1:65, 6:70])


def test_a_box_of_negative_width_is_mirrored():
    torch.testing.assert_close(show(boxed([0.0, 64.0, 64.0, -64.0])), images()[:1].float().flip(-1))


@given(st.floats(16, 64), st.floats(16, 64), st.floats(0, 1), st.floats(0, 1))
@settings(deadline=None, max_examples=30)
def test_a_box_is_bilinear_sampling(height, width, down, right):
    top, left = down * (64 - height), right * (64 - width)
    steps = torch.arange(64, dtype=torch.float32) + 0.5
    y, x = top + steps * height / 64 - 0.5, left + steps * width / 64 - 0.5
    grid = torch.stack(torch.meshgrid(x, y, indexing="xy"), dim=-1)[None] * 2 / 63 - 1
    expected = F.grid_sample(
        images()[:1].float(), grid, padding_mode="reflection", align_corners=True
    )
    torch.testing.assert_close(show(boxed([top, left, height, width])), expected, rtol=0, atol=0.02)


def test_modern_boxes_lie_in_the_image_but_for_the_shift():
    spec = AugmentSpec("modern", shift=3, resized_crop_scale=(0.25, 1.0))
    top, left, height, width = Augmenter(spec, 5000).epoch(0).boxes.unbind(1)
    low, high = torch.minimum(left, left + width), torch.maximum(left, left + width)
    assert low.min() >= -3.001
    assert top.min() >= -3.001
    assert high.max() <= 67.001
    assert (top + height).max() <= 67.001
    assert 0.4 < (width < 0).float().mean() < 0.6
    area = height * width.abs() / 64**2
    assert 0.24 < area.min() < 0.3
    assert 0.9 < area.max() <= 1.001
    assert ((height / width.abs()).log().abs() < np.log(4 / 3) + 1e-4).all()


def test_jitter_without_saturation_is_affine_and_gray_is_the_limit():
    stored = images(2).float()
    assert torch.allclose(augment.saturate_(stored.clone(), torch.ones(2)), stored)
    gray = augment.saturate_(stored.clone(), torch.zeros(2))
    luma = (stored * torch.tensor([0.299, 0.587, 0.114]).view(3, 1, 1)).sum(1, keepdim=True)
    torch.testing.assert_close(gray, luma.expand_as(gray))


def test_erased_boxes_become_the_mean_colour():
    spec = AugmentSpec("modern", mirror=False, erase=0.5)
    plan = Augmenter(spec, 400, 1).epoch(0)
    stored = images(400)
    batch, plain = render(stored, plan, MEAN, STD), augment.normalise(stored[plan.image], MEAN, STD)
    y0, y1, x0, x1 = plan.erased.unbind(1)
    for k in range(20):
        plain[k, :, y0[k] : y1[k], x0[k] : x1[k]] = 0
    assert torch.equal(batch[:20], plain[:20])
    area = ((y1 - y0) * (x1 - x0)).float() / 64**2
    assert 0.4 < (area > 0).float().mean() < 0.6
    assert plan.erased.min() >= 0
    assert plan.erased.max() <= 64
    assert 0.015 < area[area > 0].min() < area.max() < 0.36


@pytest.mark.gpu
@pytest.mark.skipif(not torch.cuda.is_available(), reason="needs a CUDA device")
@pytest.mark.parametrize("spec", SPECS, ids=IDS)
def test_a_gpu_renders_the_same_without_waiting(spec):
    stored, plan = images(), Augmenter(spec, N, 1).epoch(0)
    expected = render(stored, plan, MEAN, STD)
    on_gpu = [stored.cuda(), plan.to("cuda"), MEAN.cuda(), STD.cuda()]
    render(*on_gpu)  # the first use of a library may wait
    torch.cuda.set_sync_debug_mode("error")
    try:
        got = render(*on_gpu)
    finally:
        torch.cuda.set_sync_debug_mode("default")
    torch.testing.assert_close(got.cpu(), expected, rtol=0, atol=1e-3)
