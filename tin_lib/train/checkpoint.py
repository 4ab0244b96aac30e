"""A fit's folder while it is being written: identity, checkpoints, history."""

import json
import math
import platform
import time
from pathlib import Path
from typing import Any

import numpy as np
import torch

import tin_lib
from tin_lib import files
from tin_lib.data import TinyImageNet
from tin_lib.networks.pretrained import weights_digest
from tin_lib.progress import say
from tin_lib.recipes import Recipe
from tin_lib.train.device import precision

CHECKPOINT, HISTORY = "checkpoint.pt", "history.jsonl"


def identity(recipe: Recipe, data: TinyImageNet) -> dict[str, Any]:
    """What makes two fits the same fit: recipe, data, class order.

    Starting weights count by the file's content instead of its path, while the file exists.
    """
    fields = recipe.to_dict()
    return {
        "recipe": fields | {"weights": weights_digest(recipe.weights) or recipe.weights},
        "fingerprint": data.fingerprint,
        "class_ids": list(data.class_ids),
    }


def describe(recipe: Recipe, data: TinyImageNet, device: torch.device) -> dict[str, Any]:
    """What a fit is made from, for meta.json."""
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
        "start": weights_digest(recipe.weights),  # SHA-256 of the file of starting weights
        "images": {name: len(split) for name, split in data.splits.items() if len(split)},
        "device": device_name(device),
        "precision": precision(recipe, device),  # of training; evaluation is in float32
        "versions": versions(),
        "source": files.source_digest(core=True),  # not part of the identity
    }


def device_name(device: torch.device) -> str:
    """The GPU's name, or the CPU's architecture and number of threads."""
    if device.type == "cuda":
        return torch.cuda.get_device_name(device)
    return f"cpu ({platform.machine()}, {torch.get_num_threads()} threads)"


def versions() -> dict[str, str]:
    """Versions of Python, the libraries that compute, and this one."""
    return {
        "python": platform.python_version(),
        "torch": torch.__version__,
        "numpy": np.__version__,
        "tin_lib": tin_lib.__version__,
    }


def holds(folder: Path, wanted: dict[str, Any]) -> bool:
    """Whether the folder's fit has the identity ``wanted``."""
    try:
        meta = files.read_object(folder / "meta.json")
        recipe = Recipe.from_dict(files.read_object(folder / "recipe.json")).to_dict()
    except (OSError, ValueError, KeyError, TypeError):
        return False
    if recipe["weights"] != wanted["recipe"]["weights"]:  # a path, whose file may be gone
        recipe["weights"] = meta.get("start") or recipe["weights"]
    names = ("fingerprint", "class_ids")
    return {"recipe": recipe} | {name: meta.get(name) for name in names} == wanted


def finished(folder: Path, recipe: Recipe, data: TinyImageNet) -> bool:
    """Whether the folder holds this fit, finished, with its weights."""
    there = all((folder / name).is_file() for name in ("summary.json", "weights.safetensors"))
    return there and holds(folder, identity(recipe, data))


def has_checkpoint(folder: Path, recipe: Recipe, data: TinyImageNet) -> bool:
    """Whether the folder holds a checkpoint of this fit."""
    return (folder / CHECKPOINT).is_file() and holds(folder, identity(recipe, data))


def as_recorded(folder: Path, recipe: Recipe, data: TinyImageNet) -> Recipe:
    """Resume in the recorded precision, which ``auto`` might choose differently on this machine,
    and without a file of starting weights that has been deleted since.
    """
    if not has_checkpoint(folder, recipe, data):
        return recipe
    if weights_digest(recipe.weights) is None:
        recipe = recipe.replace(weights=None)
    recorded = files.read_object(folder / "meta.json").get("precision", recipe.precision)
    return recipe.replace(precision=recorded)


def prepare(folder: Path, recipe: Recipe, data: TinyImageNet, device: torch.device) -> None:
    """Make the folder ready for this fit; another fit in it is moved aside."""
    if has_checkpoint(folder, recipe, data):
        report_other_code(folder)
        return
    if (folder / "recipe.json").is_file() and not holds(folder, identity(recipe, data)):
        move_aside(folder)
    files.write_json(folder / "meta.json", describe(recipe, data, device))
    files.write_json(folder / "recipe.json", recipe.to_dict())


def report_other_code(folder: Path) -> None:
    """Print a line if other code of this library made the folder's fit or checkpoint.

    The code is not part of a fit's identity: nothing is trained again without being asked for.
    """
    before = files.read_object(folder / "meta.json").get("source", "unrecorded")
    now = files.source_digest(core=True)
    if before != now:
        what = "finished fit" if (folder / "summary.json").is_file() else "checkpoint"
        say(f"{folder}: {what} by other library code ({before} -> {now}); delete it to train again")


def move_aside(folder: Path) -> None:
    """Move another fit into ``.previous`` beside it."""
    name = f"{folder.name}-{time.strftime('%Y%m%d-%H%M%S')}"
    aside, number = folder.parent / ".previous" / name, 1
    while aside.exists():
        number += 1
        aside = aside.with_name(f"{name}-{number}")
    aside.parent.mkdir(exist_ok=True)
    folder.rename(aside)
    other = "a fit of another recipe, other data or other starting weights"
    say(f"{folder} contained {other}; it is now {aside}")


class Saving:
    """When to save: after every epoch, unless that would take more than a tenth of the time.

    It would for large networks whose epochs take a second or two, as on a GPU. The last epoch, and
    a new best one that is kept, are saved in any case.
    """

    def __init__(self) -> None:
        self.ended = self.took = -math.inf

    def due(self) -> bool:
        """Whether nine times as long as the last saving took has passed since."""
        return time.monotonic() - self.ended >= 9 * self.took

    def save(self, folder: Path, state: dict[str, Any]) -> None:
        """Write the state atomically, then the history that belongs to it."""
        started = time.monotonic()
        with files.atomic_path(folder / CHECKPOINT) as temporary:
            torch.save(state, temporary)
        lines = "".join(json.dumps(row) + "\n" for row in state["history"])
        files.atomic_write(folder / HISTORY, lines)
        self.ended = time.monotonic()
        self.took = self.ended - started


def load_checkpoint(folder: Path, device: torch.device) -> dict[str, Any] | None:
    """The last checkpoint's state, None if there is none. Never unpickles code.

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
            "delete it to start this fit over"
        ) from error


def saved_epochs(folder: Path, recipe: Recipe, data: TinyImageNet) -> int:
    """Number of epochs in the folder's checkpoint of this fit; 0 if there is none."""
    if not has_checkpoint(folder, recipe, data) or not (folder / HISTORY).is_file():
        return 0
    return len((folder / HISTORY).read_text().splitlines())
