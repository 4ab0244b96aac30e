"""Recipes by name and network."""

from typing import Any

from tin_lib import networks
from tin_lib.networks.registry import short
from tin_lib.recipes import hour, laptop, modern, paper, quick, resnet
from tin_lib.recipes.base import ANY, Recipe

RECIPES = {
    "paper": paper.RECIPES,
    "quick": quick.RECIPES,
    "laptop": laptop.RECIPES,
    "hour": hour.RECIPES,
    "modern": modern.RECIPES,
    "fast": resnet.FAST,
    "best": resnet.BEST,
}
TABLES = {name: {each.network: each for each in group} for name, group in RECIPES.items()}


def names() -> dict[str, list[str]]:
    """Recipe names, each with the networks that have their own; others take its default."""
    return {name: [n for n in table if n != ANY] for name, table in TABLES.items()}


def get(name: str, network: str, **changes: Any) -> Recipe:
    """The recipe ``name`` for ``network`` with some fields changed; a change to None is none.

    A network without a recipe of its own gets the default of that name, at width 1 if it cannot be
    made narrower. ValueError lists the known ones for an unknown recipe, network or field.
    """
    if name not in TABLES:
        raise ValueError(f"no recipe {name!r}; recipes: {', '.join(TABLES)}")
    variable, network = networks.has_width(network), short(network)
    recipe = TABLES[name].get(network) or TABLES[name][ANY].replace(network=network)
    recipe = recipe if variable else recipe.replace(width=1.0)
    return recipe.replace(**{k: v for k, v in changes.items() if v is not None})
