"""Augmentation on whole batches: the paper's five techniques, its expansion, and modern ones.

`Augmenter` plans an epoch, `render` makes the normalised batches of it, on any device.
"""

from tin_lib.augment.draw import Augmenter, expansion_plan, generator_for
from tin_lib.augment.mixing import Mixed, Mixing, draw_mixing, mix
from tin_lib.augment.plan import AugmentSpec, EpochPlan, Technique, unchanged
from tin_lib.augment.render import erase_, normalise, render, saturate_
from tin_lib.augment.transforms import (
    contrast,
    crop_resize,
    draw_offsets,
    examples,
    flip_horizontal_axis,
    flip_vertical_axis,
    resize_difference,
    tint,
)

__all__ = [
    "AugmentSpec",
    "Augmenter",
    "EpochPlan",
    "Mixed",
    "Mixing",
    "Technique",
    "contrast",
    "crop_resize",
    "draw_mixing",
    "draw_offsets",
    "erase_",
    "examples",
    "expansion_plan",
    "flip_horizontal_axis",
    "flip_vertical_axis",
    "generator_for",
    "mix",
    "normalise",
    "render",
    "resize_difference",
    "saturate_",
    "tint",
    "unchanged",
]
