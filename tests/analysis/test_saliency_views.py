"""Saliency maps as pictures: parts, scales, overlays."""

import numpy as np
import pytest
import torch

from tin_lib.analysis import saliency


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


def test_display_with_a_scale_compares_images() -> None:
    view = torch.ones(2, 3, 4, 4) * torch.tensor([1.0, 2.0])[:, None, None, None]
    assert saliency.to_uint8(view, scale=4.0)[:, 0, 0, 0].tolist() == [64, 128]
    assert saliency.to_uint8(view, scale=torch.tensor([1.0, 4.0]))[:, 0, 0, 0].tolist() == [
        255,
        128,
    ]
    top = saliency.full_strength(torch.arange(1, 201.0).view(1, 10, 20), 99.5)
    assert top.item() == 199
    with pytest.raises(ValueError, match="percentile"):
        saliency.to_uint8(view, percentile=0)


def test_overlay_goes_from_image_to_map() -> None:
    image = np.full((1, 3, 2, 2), 100, np.uint8)
    view = np.array([[[0, 255], [0, 255]]], np.uint8)
    np.testing.assert_array_equal(saliency.overlay(image, view, 0.0), image)
    full = saliency.overlay(image, view, 1.0)
    assert full[0, :, 0, 1].tolist() == [230, 159, 0]
    assert full[0, :, 0, 0].tolist() == [100, 100, 100]
    with pytest.raises(ValueError, match="strength"):
        saliency.overlay(image, view, 2.0)
