"""Named recipes: the study's ``paper``, ``quick`` and ``laptop`` for a CPU, ``hour`` for an hour on
one, ``modern`` and beyond.

Each module states at its top what its recipes reached, in what time, on which device.

>>> recipe = recipes.get("modern", "vgg16", epochs=10)
"""

from tin_lib.recipes.base import Recipe, augment_from
from tin_lib.recipes.named import get, names

__all__ = ["Recipe", "augment_from", "get", "names"]
