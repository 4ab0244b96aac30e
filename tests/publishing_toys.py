"""The fit whose network the tests publish."""

from tin_lib.recipes import Recipe

RECIPE = Recipe(
    "vgg_like", epochs=1, lr=0.02, width=0.1, network_options={"batchnorm": True}, flip_test=True
)
