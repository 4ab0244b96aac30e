"""Augmentation on whole batches: the paper's five techniques, its expansion, and modern ones.

`Augmenter` plans an epoch, `render` makes normalised batches of it, on any device.
"""

from tin_lib.augment.draw import Augmenter, draw_offsets, expansion_plan
from tin_lib.augment.mixing import Mixing, draw_mixing, mix
from tin_lib.augment.plan import AugmentSpec, EpochPlan, Technique, unchanged
from tin_lib.augment.render import erase_, normalise, render, saturate_

__all__ = ["AugmentSpec", "Augmenter", "EpochPlan", "Mixing", "Technique", "draw_mixing"]
__all__ += ["draw_offsets", "erase_", "expansion_plan"]
__all__ += ["mix", "normalise", "render", "saturate_", "unchanged"]
