"""A fit's folder while it is being written: whose it is, and checkpoints with their history."""

import json
import math
import time
from pathlib import Path
from typing import Any

import torch

from tin_lib import files
from tin_lib.data import TinyImageNet
from tin_lib.networks.pretrained import weights_digest
from tin_lib.progress import say
from tin_lib.recipes import Recipe
from tin_lib.train.artifacts import describe

CHECKPOINT, HISTORY = "checkpoint.pt", "history.jsonl"


def holds(folder: Path, recipe: Recipe, data: TinyImageNet) -> bool:
    """Whether the folder's fit has this recipe, data and class order.

    Starting weights count by the file's content instead of its path, while the file exists.
    """
    try:
        meta = files.read_object(folder / "meta.json")
        held = Recipe.from_dict(files.read_object(folder / "recipe.json"))
    except (OSError, ValueError, KeyError, TypeError):
        return False
    wanted = weights_digest(recipe.weights) or recipe.weights
    same_start = wanted in (held.weights, meta.get("start") or held.weights)
    same_data = (meta.get("fingerprint"), meta.get("class_ids")) == (
        data.fingerprint,
        list(data.class_ids),
    )
    same_recipe = held.replace(weights=None).to_dict() == recipe.replace(weights=None).to_dict()
    return same_start and same_data and same_recipe
