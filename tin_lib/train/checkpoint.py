"""A fit's folder while it is being written: identity, checkpoints, history."""

import json
import platform
import time
from pathlib import Path
from typing import Any

import numpy as np
import torch

import tin_lib
from tin_lib import files
from tin_lib.data import TinyImageNet
from tin_lib.networks.pretrained import digest_of
from tin_lib.recipes import Recipe
from tin_lib.train.precision import precision

CHECKPOINT = "checkpoint.pt"


def identity(recipe: Recipe, data: TinyImageNet) -> dict[str, Any]:
    """What makes two fits the same fit: recipe, data, class order.

    Starting weights count by the file's content in place of its path, while the file is there.
    """
    fields = recipe.to_dict()
    return {
        "recipe": fields | {"weights": digest_of(recipe.weights) or recipe.weights},
        "fingerprint": data.fingerprint,
        "class_ids": list(data.class_ids),
    }


def describe(recipe: Recipe, data: TinyImageNet, device: torch.device) -> dict[str, Any]:
    """What a fit was made from, for meta.json."""
    return {
        "network": recipe.network,
        "num_classes": data.num_classes,
        "width": recipe.width,
        "options": recipe.network_options,
        "class_ids": list(data.class_ids),
        "class_names": list(data.class_names),
        "fingerprint": data.fingerprint,
        "data": data.request,
        "mean": data.mean.tolist(),
        "std": data.std.tolist(),
        "seed": recipe.seed,
        "start": digest_of(recipe.weights),  # SHA-256 of the file of starting weights
        "images": {s.name: len(s) for s in (data.train, data.heldout, data.val, data.test) if s},
        "device": device_name(device),
        "precision": precision(recipe, device),
        "versions": versions(),
    }


def device_name(device: torch.device) -> str:
    """The GPU's name, or the CPU's kind and thread count."""
    if device.type == "cuda":
        return torch.cuda.get_device_name(device)
    return f"cpu ({platform.machine()}, {torch.get_num_threads()} threads)"


def versions() -> dict[str, str]:
    """Versions of what computes."""
    return {
        "python": platform.python_version(),
        "torch": torch.__version__,
        "numpy": np.__version__,
        "tin_lib": tin_lib.__version__,
    }


def prepare(folder: Path, recipe: Recipe, data: TinyImageNet, device: torch.device) -> None:
    """Make the folder ready for this fit; one that holds another fit is moved aside, not lost."""
    wanted = identity(recipe, data)
    if (folder / "recipe.json").is_file():
        if holds(folder, wanted):
            return
        name = f"{folder.name}-{time.strftime('%Y%m%d-%H%M%S')}"
        asides = (folder.parent / ".previous" / f"{name}{end}" for end in ("", *range(-2, -99, -1)))
        aside = next(path for path in asides if not path.exists())
        aside.parent.mkdir(exist_ok=True)
        folder.rename(aside)
        other = "a fit of another recipe, other data or other starting weights"
        print(f"{folder} held {other}; it is now {aside}", flush=True)
    files.write_json(folder / "meta.json", describe(recipe, data, device))
    files.write_json(folder / "recipe.json", recipe.to_dict())


def holds(folder: Path, wanted: dict[str, Any]) -> bool:
    """Whether the folder's fit is the wanted one."""
    try:
        meta = files.read_object(folder / "meta.json")
        recipe = Recipe.from_dict(files.read_object(folder / "recipe.json")).to_dict()
    except (OSError, ValueError, KeyError, TypeError):
        return False
    if recipe["weights"] != wanted["recipe"]["weights"]:  # else the file is gone, or there is none
        recipe["weights"] = meta.get("start") or recipe["weights"]
    found = {
        "recipe": recipe,
        "fingerprint": meta.get("fingerprint"),
        "class_ids": meta.get("class_ids"),
    }
    return found == wanted


def precision_of(folder: Path, otherwise: str) -> str:
    """The precision that the folder's fit began in, if it says so."""
    return files.read_object(folder / "meta.json").get("precision", otherwise)


def save_checkpoint(folder: Path, state: dict[str, Any]) -> None:
    """Write the state atomically, then the history that belongs to it."""
    with files.atomic_path(folder / CHECKPOINT) as temporary:
        torch.save(state, temporary)
    lines = "".join(json.dumps(row) + "\n" for row in state["history"])
    files.atomic_write(folder / "history.jsonl", lines)


def load_checkpoint(folder: Path, device: torch.device) -> dict[str, Any] | None:
    """The last checkpoint's state, None where there is none. Never unpickles code.

    Raises ValueError, naming the file, when it is damaged.
    """
    path = folder / CHECKPOINT
    if not path.is_file():
        return None
    try:
        state = torch.load(path, map_location=device, weights_only=True)
        if missing := {"network", "history"} - set(state):
            raise ValueError(f"no {sorted(missing)[0]} in it")
        return state
    except Exception as error:  # torch raises many kinds for a damaged or hostile file
        raise ValueError(
            f"{path} is not a usable checkpoint ({type(error).__name__}); "
            "remove it to start this fit over"
        ) from error
