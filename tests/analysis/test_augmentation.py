"""What notebook 01 shows of augmentation."""

import numpy as np
import pytest
import torch
from skimage.transform import resize

from tin_lib import augment
from tin_lib.analysis import augmentation

REFERENCES = {
    "spline": {"order": 3, "mode": "reflect", "clip": False},
    "author": {"order": 1, "mode": "constant", "clip": True},  # scikit-image 0.11's defaults
}


def reference(crop: np.ndarray, kind: str) -> np.ndarray:
    """scikit-image's resizing of a crop (3, size, size), cut to 0..255."""
    options = {"anti_aliasing": False, "preserve_range": True, **REFERENCES[kind]}
    return resize(crop.transpose(1, 2, 0).astype(np.float64), (64, 64), **options).clip(0, 255)


def test_how_much_the_two_resizings_differ() -> None:
    """Agree with scikit-image on the crops that the author's code can draw."""
    images = np.random.default_rng(0).integers(0, 256, (3, 3, 64, 64), dtype=np.uint8)
    offsets = augment.draw_offsets(3, torch.Generator().manual_seed(1), 55, "author")
    crops = [
        image[:, top : top + 55, left : left + 55]
        for image, top, left in zip(images, *(offset.tolist() for offset in offsets), strict=True)
    ]
    expected = np.mean(
        [np.abs(reference(crop, "spline") - reference(crop, "author")).mean() for crop in crops]
    )
    got = augmentation.resize_difference(images, seed=1)
    assert got == pytest.approx(expected, abs=1e-3)


def test_examples_show_each_technique_once() -> None:
    image = np.random.default_rng(0).integers(0, 256, (3, 64, 64), dtype=np.uint8)
    shown = augmentation.examples(image, seed=1)
    assert shown.dtype == np.uint8
    np.testing.assert_array_equal(shown[0], image)
    np.testing.assert_array_equal(shown[1], image[:, :, ::-1])
    np.testing.assert_array_equal(shown[2], image[:, ::-1])
    np.testing.assert_array_equal(shown, augmentation.examples(image, seed=1))
    assert all((shown[i] != image).mean() > 0.5 for i in (3, 4, 5))
