"""A run of two narrow networks, trained for one epoch on a part of the sample."""

from pathlib import Path

from tin_lib import train
from tin_lib.analysis import runs
from tin_lib.data import open_data
from tin_lib.recipes import Recipe

NETWORKS = ("convnet9", "vgg_like")


def make_run(folder: Path) -> runs.Run:
    """Train both and open the run; its data can be opened again from it."""
    data = open_data("sample", per_class=10)
    for name in NETWORKS:
        recipe = Recipe(name, epochs=1, lr=0.01, width=0.25)
        train.fit(recipe, data, folder / "networks" / name, device="cpu")
    return runs.open_run(folder)
