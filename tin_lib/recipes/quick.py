"""Small networks and short training, for the built-in sample on a CPU."""

from tin_lib.augment import AugmentSpec
from tin_lib.recipes.base import Recipe

FLIPS = AugmentSpec(mode="paper_fresh")

_COMMON = {"schedule": "linear", "warmup": 0.2, "momentum": 0.9, "nesterov": True, "augment": FLIPS}

RECIPES = {
    "convnet9": Recipe("convnet9", epochs=12, lr=0.05, width=0.25, batch_size=64, **_COMMON),
    "vgg_like": Recipe("vgg_like", epochs=20, lr=0.05, width=0.5, batch_size=64, **_COMMON),
    "vgg16": Recipe("vgg16", epochs=12, lr=0.02, width=0.125, batch_size=64, **_COMMON),
    "alexnet": Recipe("alexnet", epochs=20, lr=0.02, width=0.25, batch_size=64, **_COMMON),
}
