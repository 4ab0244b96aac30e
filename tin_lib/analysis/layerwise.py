"""Layer-wise pre-training: a chain of fits, each of which starts from the weights of the last.

Layer after layer joins those that learn, from the first one on, while the rest is frozen (paper,
2.3.1; Larochelle et al., "Exploring strategies for training deep neural networks", 2009).
"""

import hashlib
import json
from collections.abc import Mapping, Sequence
from pathlib import Path

import numpy as np
import pandas as pd
import torch
from torch.optim.swa_utils import update_bn

from tin_lib import augment, networks, runs
from tin_lib.analysis.arms import AnyFit, Key, over_seeds
from tin_lib.data import TinyImageNet
from tin_lib.recipes import Recipe
from tin_lib.train.step import make_network

# Validation accuracies of the paper's Table 1: layer-wise pre-trained, and the same network plain.
PAPER = {"layer-wise": 0.038, "plain": 0.131}
MEASURED_ON, BATCH = 1024, 256  # images
SEED_STEP = 1000  # between the seeds of a chain's fits

Chains = Mapping[Key, Sequence[AnyFit]]  # the fits of each chain, first to last


def stages(layers: Sequence[str], count: int, head: bool = False) -> list[tuple[str, ...]]:
    """The names of the layers that learn in each of ``count`` stages.

    Every stage adds the next layers, about as many as the others; the first adds the fewest.
    ``head``: the last of ``layers`` learns in every stage. ValueError for a count that is not from
    1 to the number of layers.
    """
    if isinstance(layers, str):
        raise ValueError(f"layers={layers!r}: must be a list of names")
    if isinstance(count, bool) or count not in range(1, len(layers) + 1):
        raise ValueError(f"stages={count}: must be from 1 to {len(layers)}, the network's layers")
    ends = [len(layers) * number // count for number in range(1, count + 1)]
    output = layers[-1:] if head else ()
    return [tuple(dict.fromkeys([*layers[:end], *output])) for end in ends]


def added(learning: Sequence[tuple[str, ...]]) -> list[tuple[str, ...]]:
    """The layers that each stage adds to those of the stage before."""
    before = [(), *learning[:-1]]
    return [
        tuple(name for name in now if name not in then)
        for then, now in zip(before, learning, strict=True)
    ]


def measured_start(recipe: Recipe, data: TinyImageNet, folder: Path) -> Path:
    """Write the recipe's untrained network with the batchnorm statistics of training images.

    The statistics of a new network, mean 0 and variance 1, normalise nothing. In a frozen layer
    they stay as they are, and behind several such layers little of a signal is left. Measured on
    about MEASURED_ON images in evaluation mode's precision, float32, before any training. Returns
    the path; a file that is there is not written again.
    """
    content = [recipe.to_dict(), data.fingerprint, MEASURED_ON]
    digest = hashlib.sha256(json.dumps(content, sort_keys=True).encode()).hexdigest()
    path = folder / f"{recipe.network}-{digest[:12]}.safetensors"
    if not path.is_file():
        network = make_network(recipe, data.num_classes)
        rows = slice(None, None, max(1, len(data.train) // MEASURED_ON))  # of all classes
        mean, std = (torch.as_tensor(each, dtype=torch.float32) for each in (data.mean, data.std))
        pixels = torch.from_numpy(np.array(data.train.images[rows]))
        with torch.random.fork_rng(devices=[]):  # dropout draws
            torch.manual_seed(recipe.seed)
            update_bn(augment.normalise(pixels, mean, std).split(BATCH), network)
        networks.save(network, path)
    return path


def next_recipes(
    first: Mapping[Key, Recipe], chains: Chains, learning: tuple[str, ...]
) -> dict[Key, Recipe]:
    """Recipes of the chains' next fits, in which the layers ``learning`` learn.

    ``first``: recipe of each chain's first fit. A later one starts from the weights of the fit
    before, and has a seed of its own: orders of images and augmentation do not repeat. A chain
    whose last fit diverged has no next.
    """
    found = {}
    for key, recipe in first.items():
        done = chains.get(key, ())
        if all(isinstance(fit, runs.Fit) for fit in done):
            start = str(done[-1].path) if done else recipe.weights
            seed = recipe.seed + SEED_STEP * len(done)
            found[key] = recipe.replace(trainable=learning, weights=start, seed=seed)
    return found


def extended(chains: Chains, fits: Mapping[Key, AnyFit]) -> dict[Key, list[AnyFit]]:
    """The chains with one more fit each, where there is one."""
    keys = dict.fromkeys([*chains, *fits])
    return {key: [*chains.get(key, ()), *([fits[key]] if key in fits else [])] for key in keys}


def chained_history(fits: Sequence[AnyFit]) -> pd.DataFrame:
    """The histories of a chain's fits after one another, one row an epoch.

    ``epoch`` counts through from the chain's first epoch; ``stage``, a further column, from 1.
    """
    parts, before = [], 0
    for stage, fit in enumerate(fits, 1):
        history = fit.history()
        if len(history):
            parts.append(history.assign(stage=stage, epoch=history["epoch"] + before))
            before = int(parts[-1]["epoch"].iloc[-1])
    if not parts:
        return pd.DataFrame(columns=["epoch", "stage"])
    return pd.concat(parts, ignore_index=True)


def last_fits(chains: Chains) -> dict[Key, AnyFit]:
    """The last fit of each chain: the trained network, or the one that diverged."""
    return {key: fits[-1] for key, fits in chains.items() if fits}


def stage_table(chains: Chains, learning: Sequence[tuple[str, ...]]) -> pd.DataFrame:
    """How far each arm is after each stage.

    Columns: arm, stage (from 1), adds (the layers that join), seeds, train_loss (mean over the last
    epoch, nats), train_accuracy and val_accuracy (0..1) and val_std over the seeds, seconds (of
    the stage). Fits that diverged are left out.
    """
    columns = ["arm", "stage", "seconds", "train_loss", "train_accuracy", "val_accuracy"]
    found = []
    for (arm, _), fits in chains.items():
        for stage, fit in enumerate(fits, 1):
            if isinstance(fit, runs.Fit):
                history = fit.history()
                row = {"arm": arm, "stage": stage, "seconds": history["seconds"].sum()}
                found.append(row | history[columns[3:]].iloc[-1].to_dict())
    names = [", ".join(each) for each in added(learning)]
    table = over_seeds(
        pd.DataFrame(found, columns=columns),
        ["arm", "stage"],
        ["train_loss", "train_accuracy", "val_accuracy", "seconds"],
        val_std=("val_accuracy", "std"),
    )
    table["adds"] = [names[stage - 1] for stage in table["stage"]]
    figures = ["train_loss", "train_accuracy", "val_accuracy", "val_std", "seconds"]
    return table[["arm", "stage", "adds", "seeds", *figures]]
