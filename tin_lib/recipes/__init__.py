"""Named recipes: the study's ``paper``, ``quick`` and ``laptop`` for a CPU, ``modern`` and beyond.

Each module states at its top what its recipes reached, in what time, on what.
"""

from typing import Any

from tin_lib.recipes.base import Recipe, augment_from

__all__ = ["Recipe", "augment_from", "get", "names", "unregularised"]


def _tables() -> dict[str, dict[str, Recipe]]:
    from tin_lib.recipes import laptop, modern, paper, quick, resnet

    return {
        "paper": paper.RECIPES,
        "quick": quick.RECIPES,
        "laptop": laptop.RECIPES,
        "modern": modern.RECIPES,
        "fast": resnet.FAST,
        "best": resnet.BEST,
    }


def names() -> dict[str, list[str]]:
    """Recipe names, each with the networks it has a recipe for."""
    return {name: list(table) for name, table in _tables().items()}


def get(name: str, network: str, **changes: Any) -> Recipe:
    """The recipe ``name`` for ``network`` with some fields changed; a change to None is none.

    Raises ValueError that lists the recipes, the networks or the fields there are.
    """
    tables = _tables()
    if name not in tables:
        raise ValueError(f"no recipe {name!r}; recipes: {', '.join(tables)}")
    if network not in tables[name]:
        raise ValueError(
            f"recipe {name!r} has no network {network!r}; it has {', '.join(tables[name])}"
        )
    return tables[name][network].replace(**{k: v for k, v in changes.items() if v is not None})


def unregularised(recipe: Recipe) -> Recipe:
    """The recipe without dropout, penalties, weight decay, smoothing or mixing; the rest stays."""
    return recipe.replace(
        network_options=recipe.network_options | {"dropout": 0.0},
        penalties="none",
        weight_decay=0.0,
        label_smoothing=0.0,
        mixup=0.0,
        cutmix=0.0,
    )
