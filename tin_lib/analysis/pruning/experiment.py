"""Pruning as an experiment: arms of fits that were pruned and trained on."""

from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any

import pandas as pd

from tin_lib.analysis.arms import AnyFit, Fits, Key, finished
from tin_lib.analysis.pruning.magnitude import TOTAL, check_keep, weight_table
from tin_lib.analysis.pruning.start import Pruning, write_pruned
from tin_lib.analysis.pruning.storage import sizes
from tin_lib.networks.base import parameter_count
from tin_lib.recipes import Recipe

ITERATIVE, TRAINED_ON = "iterative", "dense trained on"  # methods of a chain of fits
METHODS = {"one-shot": "global", "per layer": "layer", "filters": "filters"}  # scope of each


def check_shares(keeps: Sequence[float], **chosen: Sequence[float]) -> None:
    """Raise ValueError, naming the parameter, unless the shares serve an experiment.

    ``keeps``: the shares of the steps, each in (0, 1) and smaller than the one before. ``chosen``:
    further parameters, whose shares must be among them.
    """
    for keep in keeps:
        check_keep(keep)
    if not keeps or list(keeps) != sorted(set(keeps), reverse=True) or max(keeps) == 1:
        raise ValueError(f"keeps={list(keeps)}: must be shares below 1, each smaller than the last")
    for name, shares in chosen.items():
        if not shares:
            raise ValueError(f"{name}=[]: must name at least one of keeps={list(keeps)}")
        if unknown := [share for share in shares if share not in keeps]:
            raise ValueError(f"{name}: {unknown[0]} is not among keeps={list(keeps)}")


def arm_name(method: str, keep: float) -> str:
    """Name of an arm: ``one-shot, 10 %``."""
    return f"{method}, {100 * keep:g} %"


def method_of(arm: str) -> str:
    """The method in an arm's name."""
    return arm.rpartition(", ")[0] or arm


def same_share(fits: Fits, method: str, others: Iterable[str]) -> dict[str, str]:
    """What arms are compared with: those of the methods ``others`` with the arm of ``method`` at
    the same share."""
    arms = dict.fromkeys(arm for arm, _ in fits if method_of(arm) in set(others))
    return {arm: f"{method}, {arm.rpartition(', ')[2]}" for arm in arms}


def by_method(fits: Fits) -> dict[Key, AnyFit]:
    """The fits ordered by method, as they first come; within a method the order stays."""
    methods = list(dict.fromkeys(method_of(arm) for arm, _ in fits))
    return dict(sorted(fits.items(), key=lambda item: methods.index(method_of(item[0][0]))))


def pruning_of(method: str, keep: float) -> Pruning:
    """How a method keeps this share of the weights. Of filters the square root of it stays:
    a convolution's weights are inputs × outputs."""
    scope = METHODS[method]
    return Pruning(keep**0.5 if scope == "filters" else keep, scope)


def split_arms(table: pd.DataFrame) -> pd.DataFrame:
    """``table`` with the columns method and keep (0..1), read from ``arm``; "dense" keeps all."""
    parts = table["arm"].str.extract(r"^(?P<method>.*?)(?:, (?P<percent>[\d.e+-]+) %)?$")
    keep = parts["percent"].astype(float).fillna(100) / 100
    return table.assign(method=parts["method"], keep=keep)


def trained_on(fits: Fits, arm: str, recipe: Recipe) -> dict[Key, Recipe]:
    """Recipes that train the finished fits on, by ``arm`` and the fit's seed.

    The seed of the recipe is added to the fit's, so that the order of images is another one than
    in the training before.
    """
    return {
        (arm, seed): recipe.replace(
            weights=str(fit.path), width=fit.recipe["width"], seed=recipe.seed + int(str(seed))
        )
        for (_, seed), fit in finished(fits).items()
    }


def next_step(fits: Fits, keep: float, recipe: Recipe, folder: str | Path) -> dict[Key, Recipe]:
    """Recipes of a step of iterative pruning, and of the dense networks trained on for as long.

    ``fits``: the dense networks, or those of the step before. Arms are named "iterative, 50 %" and
    "dense trained on, 50 %".
    """
    pruned, dense = (
        {key: fit for key, fit in fits.items() if method_of(key[0]) != other}
        for other in (TRAINED_ON, ITERATIVE)
    )
    recipes = trained_on(dense, arm_name(TRAINED_ON, keep), recipe)
    return recipes | retrained(pruned, arm_name(ITERATIVE, keep), recipe, Pruning(keep), folder)


def at_once(
    fits: Fits, methods: Iterable[str], keep: float, recipe: Recipe, folder: str | Path
) -> dict[Key, Recipe]:
    """Recipes of networks that are pruned once, by each of the ``methods``, and trained on.

    one-shot: the network's smallest weights; per layer: each layer's; filters: the weakest ones.
    """
    recipes: dict[Key, Recipe] = {}
    for method in methods:
        how = pruning_of(method, keep)
        recipes |= retrained(fits, arm_name(method, keep), recipe, how, folder)
    return recipes


def retrained(
    fits: Fits, arm: str, recipe: Recipe, pruning: Pruning, folder: str | Path
) -> dict[Key, Recipe]:
    """Recipes that train the pruned networks of the finished fits, as ``trained_on``.

    Removed weights stay zero. The pruned networks are written into ``folder``.
    """
    recipes = trained_on(fits, arm, recipe.replace(keep_zeros=pruning.scope != "filters"))
    for (_, seed), fit in finished(fits).items():
        path = Path(folder) / f"{fit.name}-{pruning.scope}-{pruning.keep:.6g}.safetensors"
        network, _ = write_pruned(fit, pruning, path)
        recipes[arm, seed] = recipes[arm, seed].replace(weights=str(path), width=network.width)
    return recipes


def stored(fits: Fits) -> pd.DataFrame:
    """What the first fit of each arm takes to store.

    Columns: arm, method, keep, weights (of matrices and filters), kept (not zero), share (kept /
    the weights of the first arm's network), parameters (biases and normalisations too), emptied
    (layers that have no weight left), and bytes: dense, compressed (zlib), sparse (``storage``).
    """
    firsts = {arm: fit for (arm, _), fit in reversed(finished(fits).items())}
    rows = []
    for arm in dict.fromkeys(arm for arm, _ in finished(fits)):
        network = firsts[arm].network()
        layers = weight_table(network)
        emptied = ", ".join(layers.index[layers["kept"] == 0].astype(str))
        row: dict[str, Any] = {"arm": arm, **layers.loc[TOTAL, ["weights", "kept"]].astype(int)}
        row |= {"parameters": parameter_count(network), "emptied": emptied}
        rows.append(row | sizes(firsts[arm].path / "weights.safetensors"))
    table = pd.DataFrame(rows)
    return split_arms(table.assign(share=table["kept"] / table["weights"].iloc[0]))


def epochs_to_reach(fits: Fits, dense: Fits) -> pd.DataFrame:
    """In which epoch each fit reached the final validation accuracy of the dense fit of its seed.

    Columns: arm, seed, target (0..1), epoch (the first that reached it, NaN if none did), epochs
    (trained).
    """
    targets = {seed: fit.summary["val_accuracy"] for (_, seed), fit in finished(dense).items()}
    rows = []
    for (arm, seed), fit in finished(fits).items():
        history = fit.history()
        reached = history.loc[history["val_accuracy"] >= targets[seed], "epoch"]
        row = {"arm": arm, "seed": seed, "target": targets[seed], "epoch": reached.min()}
        rows.append(row | {"epochs": len(history)})
    return pd.DataFrame(rows)
