"""Augmentation on whole batches: the paper's five techniques, its expansion, and modern ones.

`Augmenter` plans an epoch, `render` makes normalised batches of it, on any device.
"""

from tin_lib.augment.draw import Augmenter, draw_offsets, expansion_plan
from tin_lib.augment.geometry import crop_resize
from tin_lib.augment.mixing import Mixed, Mixing, draw_mixing, mix
from tin_lib.augment.plan import AugmentSpec, EpochPlan, Technique, unchanged
from tin_lib.augment.render import contrast, erase_, normalise, render, saturate_, tint

__all__ = ["AugmentSpec", "Augmenter", "EpochPlan", "Mixed", "Mixing", "Technique", "contrast"]
__all__ += ["crop_resize", "draw_mixing", "draw_offsets", "erase_", "expansion_plan"]
__all__ += ["mix", "normalise", "render", "saturate_", "tint", "unchanged"]
