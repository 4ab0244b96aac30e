"""Settings of the augmentation: what is refused, and by which name."""

import pytest

from tin_lib.augment import AugmentSpec


@pytest.mark.parametrize(
    ("field", "value"),
    [
        ("mode", "paper"),
        ("fraction", 1.1),
        ("crop_size", 65),
        ("resize", "bilinear"),
        ("contrast", (1.2, 0.8)),
        ("tint", (1.0, 2.0, 3.0)),
        ("shift", -1),
        ("resized_crop_scale", (0.0, 2.0)),
        ("resized_crop_scale", (0.0, 1.0)),
        ("jitter", 1.5),
        ("erase", -0.1),
        ("erase", "a"),
        ("erase", float("nan")),
        ("shift", 1.5),
        ("contrast", None),
        ("contrast", (-0.5, 1.2)),
        ("contrast", (float("nan"), 1.2)),
        ("tint", ("a", "b")),
        ("mirror", 1),
    ],
)
def test_a_bad_setting_is_named(field, value):
    with pytest.raises(ValueError, match=field):
        AugmentSpec(**{field: value})


def test_ranges_from_json_are_the_same_setting():
    assert AugmentSpec(contrast=[0.8, 1.2]) == AugmentSpec(contrast=(0.8, 1.2))
    assert hash(AugmentSpec(tint=[-5.0, 5.0])) == hash(AugmentSpec())
