"""All 200 classes with all their images on a CPU, in about an hour on two cores that have AMX.

Networks at half the width (the VGG-like one at full width) and few epochs, hence light
augmentation, little dropout and no mixing; the rest is as in the modern recipes.

Validation accuracy reached on two cores in bf16 (command and tables in results/): convnet9 0.383 in
1,093 s, vgg_like 0.344 in 839 s, vgg16 0.389 in 1,264 s, alexnet 0.399 in 685 s.
"""

import functools

from tin_lib.augment import AugmentSpec
from tin_lib.recipes.base import ANY, Recipe

laptop = functools.partial(
    Recipe,
    batch_size=128,
    momentum=0.9,
    nesterov=True,
    weight_decay=5e-3,  # × rate an update
    schedule="cosine",
    warmup=0.2,  # of all updates: few updates at a high rate
    label_smoothing=0.1,
    ema=0.995,  # over about the last two hundred updates
    flip_test=True,
    augment=AugmentSpec(mode="modern", mirror=True, shift=6),
)
VGG16 = {"batchnorm": True, "head": "gap", "init": "he", "dropout": 0.1}
ALEXNET = {"batchnorm": True, "init": "he", "dropout": 0.2}

RECIPES = (
    laptop("convnet9", epochs=6, lr=0.2, width=0.5, network_options={"dropout": 0.2}),
    laptop("vgg_like", epochs=7, lr=0.05, network_options={"dropout": 0.2}),
    laptop("vgg16", epochs=4, lr=0.1, width=0.5, network_options=VGG16),
    laptop("alexnet", epochs=9, lr=0.1, width=0.5, network_options=ALEXNET),
    laptop(ANY, epochs=6, lr=0.05, width=0.5),
)
