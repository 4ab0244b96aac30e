"""An hour of training on two CPU cores, from random weights, on all classes.

    tin train speednet --recipe hour --data DIR/tiny-imagenet-200

RESULT
"""

import functools

from tin_lib.augment import AugmentSpec
from tin_lib.recipes.base import ANY, Recipe

hour = functools.partial(
    Recipe,
    epochs=1000,  # never reached: the time ends the training
    seconds=3600.0,
    optimizer="muon",
    momentum=0.95,
    nesterov=True,
    weight_decay=0.25,  # × rate an update
    schedule="linear",
    warmup=0.1,
    label_smoothing=0.1,
    ema=0.995,  # over about the last two hundred updates: half an epoch
    flip_test=True,
    augment=AugmentSpec(mode="modern", mirror=True, shift=6),
)

RECIPES = (
    # Small images first: the network learns as much of each of them, at a third of the work.
    hour("speednet", lr=2e-3, batch_size=256, sizes=((0.35, 32), (0.65, 48), (1.0, 64))),
    # Not every network takes other sizes.
    hour(ANY, lr=1e-3, batch_size=256, width=0.5),
)
