"""What the notebooks of single networks (02 to 05, network.ipynb) have in common."""

import math
from collections.abc import Sequence
from pathlib import Path

import pandas as pd
import plotly.graph_objects as go
import torch

from tin_lib import catalog, networks, runs
from tin_lib.analysis import layer_table
from tin_lib.data import TinyImageNet
from tin_lib.lab import conclusions
from tin_lib.lab.figures import images, style
from tin_lib.recipes import Recipe
from tin_lib.train import Trainer


def fit_folder(run: str | Path, network: str) -> Path:
    """Return the folder of a network's fit in a run.

    Characters that a file name should not have (as in ``my_module:build``) become underscores.
    """
    return runs.locate(run) / "networks" / catalog.folder_name(network)


def table_of_layers(recipe: Recipe, data: TinyImageNet) -> pd.DataFrame:
    """Return the layers of the recipe's network as ``analysis.layer_table`` lists them."""
    with torch.random.fork_rng(devices=[]):
        network = networks.create(
            recipe.network, data.num_classes, recipe.width, **recipe.network_options
        )
    return layer_table.layer_table(network)


def confident_mistakes(fit: runs.Fit, data: TinyImageNet, count: int = 12) -> go.Figure:
    """Show the validation images that the network misclassifies with the highest probability."""
    table = fit.predictions("val")
    wrong = table[table.label != table.predicted].nlargest(count, "probability")
    if wrong.empty:
        return style.nothing("Every validation image is classified correctly.")
    titles = conclusions.mistakes(wrong, data)
    return images.grid(data.val.images[wrong.index], titles, columns=6)


def same_steps(losses: Sequence[float], trainer: Trainer) -> str:
    """Say whether the trainer's own first updates have the losses of a loop written out.

    ``losses``: of the first batches of epoch 1, all of one size. The trainer is trained by as many
    updates. The order of additions differs, so that losses may differ by rounding.
    """
    own = trainer.epoch(1, lambda done, total, loss: None, steps=len(losses))["train_loss"]
    mean = sum(losses) / len(losses)
    same = "the same" if math.isclose(own, mean, rel_tol=1e-3) else "**not the same**"
    return (
        f"Mean loss of the first {len(losses)} updates: {mean:.4f} by the loop above, "
        f"{own:.4f} by `tin_lib.train.Trainer`: {same}."
    )
