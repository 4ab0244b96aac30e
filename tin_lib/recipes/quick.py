"""Narrow networks and short training, for the built-in sample on a CPU.

Each takes under a minute on two cores. The sample's validation accuracy, by which the settings were
chosen (biased upwards): convnet9 0.930, vgg_like 0.725, vgg16 0.895, alexnet 0.960 (results/).
"""

from typing import Any

from tin_lib.augment import AugmentSpec
from tin_lib.recipes.base import ANY, Recipe

COMMON: dict[str, Any] = {
    "precision": "float32",  # in bf16 the deep plain stack may stay at guessing (VGG-16, real data)
    "batch_size": 32,  # 1,200 images: smaller batches give enough updates
    "schedule": "cosine",
    "warmup": 0.1,
    "augment": AugmentSpec(mode="paper_fresh"),
}
ADAM = COMMON | {"optimizer": "adamw", "lr": 1e-3}  # plain stacks without batchnorm need it here

RECIPES = {
    "convnet9": Recipe(
        "convnet9",
        epochs=24,
        lr=0.02,
        width=0.25,
        momentum=0.9,
        nesterov=True,
        network_options={"dropout": 0.3},
        **COMMON,
    ),
    "vgg_like": Recipe("vgg_like", epochs=18, width=0.5, network_options={"dropout": 0.5}, **ADAM),
    "vgg16": Recipe(
        "vgg16", epochs=20, width=0.125, network_options={"init": "he", "dropout": 0.4}, **ADAM
    ),
    "alexnet": Recipe(
        "alexnet", epochs=20, width=0.25, network_options={"init": "he", "dropout": 0.4}, **ADAM
    ),
    ANY: Recipe(ANY, epochs=20, width=0.25, **ADAM),
}
