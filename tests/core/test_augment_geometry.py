"""A CPU's short way through the boxes equals the dense products, which a GPU takes."""

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from tin_lib.augment import geometry
from tin_lib.augment.draw import Augmenter
from tin_lib.augment.plan import AugmentSpec

KINDS = {
    "crops": AugmentSpec("modern", mirror=False, resized_crop_scale=(0.1, 1.0)),
    "mirrored crops": AugmentSpec("modern", shift=4, resized_crop_scale=(0.3, 1.0)),
    "shifts": AugmentSpec("modern", mirror=False, shift=6),
    "mirrors": AugmentSpec("modern"),
}


def images(n: int = 24) -> torch.Tensor:
    generator = torch.Generator().manual_seed(5)
    return torch.randint(0, 256, (n, 3, 64, 64), generator=generator, dtype=torch.uint8)


def dense(stored: torch.Tensor, boxes: torch.Tensor, size: int) -> torch.Tensor:
    start, extent = boxes[:, :2].T, boxes[:, 2:].T
    rows, columns = geometry.bilinear(start, extent, size)
    return geometry.resample(stored.float(), rows, columns)


@pytest.mark.parametrize("layout", [torch.contiguous_format, torch.channels_last])
@pytest.mark.parametrize("size", [64, 40])
@pytest.mark.parametrize("kind", KINDS)
def test_the_short_way_equals_the_dense_products(kind, size, layout):
    boxes = Augmenter(KINDS[kind], 24, 1).epoch(0).boxes
    stored = images().contiguous(memory_format=layout)
    found = geometry.show(stored, boxes, size)
    torch.testing.assert_close(found, dense(stored, boxes, size), rtol=0, atol=1e-3)
    assert torch.equal(found, geometry.show(stored, boxes, size))


@given(st.floats(-60, 120), st.floats(-60, 120), st.sampled_from([8, 40, 64]), st.booleans())
@settings(deadline=None, max_examples=60)
def test_any_box_gives_the_same(first, second, size, as_bytes):
    """Also one that reaches as far beyond the image as it is reflected."""
    boxes = torch.tensor([[first, second, second - first, first - second], [0.0, 0.0, 64.0, 64.0]])
    stored = images(2) if as_bytes else images(2).float()
    found = geometry.show(stored, boxes, size)
    torch.testing.assert_close(found, dense(stored, boxes, size), rtol=0, atol=1e-3)


def test_shifts_and_mirrors_are_exact():
    boxes = torch.tensor([[3.0, 0.0, 64.0, 64.0], [0.0, 64.0, 64.0, -64.0]])
    shifted, mirrored = geometry.show(images(2), boxes, 64)
    assert torch.equal(shifted[:, :61], images(2)[0, :, 3:].float())
    assert torch.equal(mirrored, images(2)[1].flip(-1).float())


def test_a_batch_of_no_images_is_empty():
    assert geometry.show(images(0), torch.zeros(0, 4), 40).shape == (0, 3, 40, 40)
