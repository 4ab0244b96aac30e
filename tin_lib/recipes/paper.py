"""The paper's recipes ("Tiny ImageNet Challenge", CS231n), with its augmentation and penalties.

The paper's validation accuracy: 9-layer ConvNet 0.455 (from assignment-3 weights, which are not
public), VGG-like 0.288 (from scratch), VGG-16 0.535 (from ImageNet weights). Not yet run at full
scale here, which takes a GPU and ``python benchmarks/full_scale.py DATA OUT``.

Reached on ten real classes of 500 images, one CPU core, width 0.25, random weights (command and
table in results/): convnet9 0.480 in 392 s, vgg_like 0.386 in 409 s, alexnet 0.236 in 69 s, vgg16
0.148 in 425 s. The last two are meant for ImageNet's weights: six epochs are too few without.
"""

import functools

from tin_lib.augment import AugmentSpec
from tin_lib.recipes.base import ANY, Recipe

# "30 % of the data for each augmentation", one third in the author's logs: 266,665 images an epoch
# of 100,000, nearest to the paper's 265,000.
paper = functools.partial(Recipe, augment=AugmentSpec(mode="paper_copies", fraction=1 / 3))
fine_tuned = functools.partial(
    paper,
    epochs=6,
    lr=1e-3,
    decay=1e-6,  # per update
    momentum=0.9,
    nesterov=True,
    weights="imagenet",  # conv part; dense layers are Glorot's
)

RECIPES = (
    # 0.1: one of the five rates tried; plain SGD, no decay, no momentum
    paper("convnet9", epochs=17, lr=0.1, penalties="paper"),
    paper("vgg_like", epochs=30, lr=0.1, penalties="paper"),
    fine_tuned("vgg16", penalties="paper"),
    fine_tuned("alexnet"),  # the paper gives none: VGG-16's, without its penalties
    # Any other network: the augmentation, plain SGD with the usual momentum, from random weights.
    paper(ANY, epochs=17, lr=0.01, momentum=0.9, nesterov=True),
)
