"""An hour of training on two CPU cores, from random weights, on all classes.

    tin train speednet --recipe hour --data DIR/tiny-imagenet-200 --out runs/x/networks/speednet

An hour of training; evaluating val after each epoch takes about a tenth of that in addition. Chosen
by short trainings on a part of train, judged on the rest. Validation accuracy 0.573 ± 0.001 (mean ±
standard deviation of three seeds) after the hour, on two cores without AMX, in bf16:
``results/speedrun``, by ``benchmarks/speedrun.py``.
"""

import functools

from tin_lib.augment import AugmentSpec
from tin_lib.recipes.base import ANY, Recipe

hour = functools.partial(
    Recipe,
    epochs=1000,  # never reached: the time ends the training
    seconds=3600.0,
    # After four epochs better than SGD with momentum at its usual rate. It computes as much for
    # each update, whatever the batch: batches of 256 are slower and hardly better.
    optimizer="muon",
    batch_size=512,
    momentum=0.95,
    nesterov=True,
    weight_decay=0.03,  # × rate an update
    schedule="linear",
    warmup=0.1,
    label_smoothing=0.1,
    ema=0.99,  # over about the last hundred updates: half an epoch
    flip_test=True,
    augment=AugmentSpec(mode="modern", mirror=True, shift=6),  # crops were no better
    cutmix=1.0,  # two dozen epochs overfit without
    mix_probability=0.5,
)

RECIPES = (
    # Small images first: an image of 32 pixels takes a third of the time of one of 64.
    hour("speednet", lr=0.016, sizes=((0.3, 32), (0.6, 48), (1.0, 64))),
    # Not every network takes other sizes, nor high rates.
    hour(ANY, lr=2e-3, width=0.5),
)
