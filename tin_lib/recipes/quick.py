"""Narrow networks and short training, for the built-in sample on a CPU.

Each takes under a minute on two cores. The sample's validation accuracy, by which the settings were
chosen (biased upwards): convnet9 0.920, vgg_like 0.745, vgg16 0.830, alexnet 0.890 (results/).
"""

import functools

from tin_lib.augment import AugmentSpec
from tin_lib.recipes.base import ANY, Recipe

quick = functools.partial(
    Recipe,
    precision="float32",  # in bf16 the deep plain stack may stay at guessing (VGG-16, real data)
    batch_size=32,  # 1,200 images: smaller batches give enough updates
    schedule="cosine",
    warmup=0.1,
    augment=AugmentSpec(mode="paper_fresh"),
)
sgd = functools.partial(quick, momentum=0.9, nesterov=True)
# Plain stacks without batchnorm need AdamW here.
adam = functools.partial(quick, optimizer="adamw", lr=1e-3)
HE = {"init": "he", "dropout": 0.4}

RECIPES = (
    sgd("convnet9", epochs=24, lr=0.02, width=0.25, network_options={"dropout": 0.3}),
    adam("vgg_like", epochs=18, width=0.5, network_options={"dropout": 0.5}),
    adam("vgg16", epochs=20, width=0.125, network_options=HE),
    adam("alexnet", epochs=20, width=0.25, network_options=HE),
    adam(ANY, epochs=20, width=0.25),
)
