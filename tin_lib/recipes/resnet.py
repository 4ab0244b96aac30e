"""A residual network with a 64×64 stem: ``fast`` for time to accuracy, ``best`` for accuracy.

Reached so far by ``fast``, on ten real classes with 500 training images each, two CPU cores, width
0.25, batch 64, compile off (command and table in results/): 0.552 in 224 s. ``best`` has not been
run beyond a rehearsal, neither at full scale on all 200 classes: there the values are a starting
point.
"""

from tin_lib.augment import AugmentSpec
from tin_lib.recipes.base import Recipe
from tin_lib.recipes.modern import COMMON

# Enough for the paper's 0.535: few epochs, light augmentation, a high rate.
FAST = {
    "resnet18": Recipe("resnet18", epochs=8, lr=0.4).replace(
        **COMMON
        | {
            "augment": AugmentSpec(mode="modern", mirror=True, shift=6),
            "batch_size": 512,
            "warmup": 0.25,
            "ema": 0.99,
        }
    )
}

# Long enough for mixing to pay: mixed images are harder, so fitting takes more epochs.
BEST = {
    "resnet18": Recipe("resnet18", epochs=80, lr=0.2).replace(
        **COMMON | {"cutmix": 1.0, "mixup": 0.2, "mix_probability": 0.8}
    )
}
