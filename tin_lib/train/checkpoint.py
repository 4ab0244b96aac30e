"""A fit's folder while it is being written: whose it is, checkpoints, and results."""

import json
import math
import os
import platform
import shlex
import sys
import time
from datetime import datetime
from pathlib import Path
from typing import Any

import numpy as np
import torch

import tin_lib
from tin_lib import files, networks, predict
from tin_lib.data import TinyImageNet
from tin_lib.data.types import to_device
from tin_lib.networks.pretrained import weights_digest
from tin_lib.progress import say
from tin_lib.recipes import Recipe
from tin_lib.train.device import precision
from tin_lib.train.step import Step

CHECKPOINT, HISTORY = "checkpoint.pt", "history.jsonl"
FINISHED = ("summary.json", "weights.safetensors")  # what a finished fit has


def holds(folder: Path, recipe: Recipe, data: TinyImageNet, *names: str) -> bool:
    """Whether the folder's fit has this recipe, data and class order, and the files ``names``;
    of a registered network also the source of its function.

    Starting weights count by the file's content instead of its path, while the file exists.
    """
    if not all((folder / name).is_file() for name in names):
        return False
    try:
        meta = files.read_object(folder / "meta.json")
        held = Recipe.from_dict(files.read_object(folder / "recipe.json")).to_dict()
    except (OSError, ValueError, KeyError, TypeError):
        return False
    start = weights_digest(recipe.weights) or recipe.weights
    same_start = start in (held["weights"], meta.get("start") or held["weights"])
    found = meta.get("fingerprint"), meta.get("class_ids")
    same_data = found == (data.fingerprint, list(data.class_ids))
    same_start &= meta.get("build", "") == networks.build_digest(recipe.network)
    return same_start and same_data and held == recipe.to_dict() | {"weights": held["weights"]}


def saved_epochs(folder: Path, recipe: Recipe, data: TinyImageNet) -> int:
    """Number of epochs in the folder's checkpoint of this fit; 0 if there is none."""
    there = holds(folder, recipe, data, CHECKPOINT, HISTORY)
    return len((folder / HISTORY).read_text().splitlines()) if there else 0


def as_recorded(folder: Path, recipe: Recipe, data: TinyImageNet) -> Recipe:
    """The recipe to resume by: in the recorded precision, without deleted starting weights."""
    if not holds(folder, recipe, data, CHECKPOINT):
        return recipe
    if weights_digest(recipe.weights) is None:
        recipe = recipe.replace(weights=None)
    recorded = files.read_object(folder / "meta.json").get("precision", recipe.precision)
    return recipe.replace(precision=recorded)


def prepare(folder: Path, recipe: Recipe, data: TinyImageNet, device: torch.device) -> None:
    """Make the folder ready for this fit; another fit in it is moved into ``.previous``."""
    if holds(folder, recipe, data, CHECKPOINT):
        return report_other_code(folder)
    if (folder / "recipe.json").is_file() and not holds(folder, recipe, data):
        now = datetime.now()
        aside = folder.parent / ".previous" / f"{folder.name}-{now:%Y%m%d-%H%M%S-%f}"
        aside.parent.mkdir(exist_ok=True)
        folder.rename(aside)
        say(f"{folder} contained another fit (recipe, data, weights or network); it is now {aside}")
    files.write_json(folder / "meta.json", describe(recipe, data, device))
    files.write_json(folder / "recipe.json", recipe.to_dict())


def describe(recipe: Recipe, data: TinyImageNet, device: torch.device) -> dict[str, Any]:
    """What a fit is made from, for meta.json."""
    import torchvision

    versions = {each.__name__: each.__version__ for each in (torch, torchvision, np, tin_lib)}
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
        "build": networks.build_digest(recipe.network),
        "images": {name: len(split) for name, split in data.splits.items() if len(split)},
        "device": device_name(device),
        "threads": torch.get_num_threads(),  # these three: how sums are split, and so rounded
        "processes": int(os.environ.get("WORLD_SIZE", 1)),
        "instructions": torch.backends.cpu.get_cpu_capability(),  # e.g. AVX512
        "precision": precision(recipe, device),  # of training; evaluation is in float32
        "versions": {"python": platform.python_version()} | versions,
        "source": files.source_digest(core=True),
        "command": shlex.join(sys.argv),
    }


def device_name(device: torch.device) -> str:
    """The GPU's name, or the CPU's architecture and number of threads."""
    if device.type == "cuda":
        return torch.cuda.get_device_name(device)
    return f"cpu ({platform.machine()}, {torch.get_num_threads()} threads)"


def report_other_code(folder: Path) -> None:
    """Print a line if other code of this library made the fit or checkpoint, which is used."""
    before = files.read_object(folder / "meta.json").get("source", "unrecorded")
    now = files.source_digest(core=True)
    if before != now:
        what = "finished fit" if (folder / "summary.json").is_file() else "checkpoint"
        say(f"{folder}: {what} by other library code ({before} -> {now}); delete it to train again")


class Saving:
    """When to save: after every epoch, unless that would take more than a tenth of the time."""

    def __init__(self) -> None:
        self.ended = self.took = -math.inf

    def due(self) -> bool:
        """Whether nine times as long as the last saving took has passed since."""
        return time.monotonic() - self.ended >= 9 * self.took

    def save(self, folder: Path, state: dict[str, Any]) -> None:
        """Write the state atomically, then the history that belongs to it."""
        started = time.monotonic()
        # Through a file of Python's, whose error says why a write failed.
        with files.atomic_path(folder / CHECKPOINT) as temporary, open(temporary, "wb") as file:
            torch.save(state, file)
        write_history(folder, state["history"])
        self.ended = time.monotonic()
        self.took = self.ended - started


def write_history(folder: Path, history: list[dict[str, Any]]) -> None:
    """Write one line an epoch."""
    files.atomic_write(folder / HISTORY, "".join(json.dumps(row) + "\n" for row in history))


def load_checkpoint(folder: Path, step: Step) -> list[dict[str, Any]]:
    """Restore the last checkpoint, if there is one; returns its history.

    Raises ValueError if the file is damaged or lacks a part of the state.
    """
    path = folder / CHECKPOINT
    if not path.is_file():
        return []
    try:  # weights_only: no code is unpickled
        return step.load(torch.load(path, map_location=step.device, weights_only=True))
    except Exception as error:  # torch raises many kinds for a damaged or hostile file
        raise ValueError(
            f"{path} is not a usable checkpoint ({type(error).__name__}); "
            "delete it to start this fit over"
        ) from error


def write_artifacts(folder: Path, step: Step, data: TinyImageNet, history: list[dict]) -> None:
    """Write weights, predictions of all splits, and last the summary, which marks the end."""
    belongs = {"class_ids": list(data.class_ids), "fingerprint": data.fingerprint}
    write_history(folder, history)  # a kill can have left the checkpoint's last epoch out of it
    networks.save(step.evaluated, folder / "weights.safetensors", **belongs)
    figures = summary(step, history)
    for split in filter(len, data.splits.values()):
        name, resident = split.name, step.resident.get(split.name)
        resident = resident or to_device(split, step.device, step.recipe.channels_last)
        logits = step.scores(resident.images).cpu().numpy()
        if name != "test":  # its labels are not known
            figures[f"{name}_accuracy"] = predict.accuracy(logits, split.labels)
            figures[f"{name}_top5"] = predict.accuracy(logits, split.labels, 5)
        table = predict.table(split, logits, data.class_ids)
        files.write_table(table, folder / f"predictions_{name}.csv")
        if name in ("val", "test"):  # of train 100,000 × 200 scores that nothing reads
            files.write_array(folder / f"logits_{name}.npy", logits)
    names = {path.name for path in folder.glob("[!.]*.*")} - {CHECKPOINT, "summary.json"}
    figures["files"] = {name: files.file_digest(folder / name) for name in sorted(names)}
    files.write_json(folder / "summary.json", figures)
    (folder / CHECKPOINT).unlink(missing_ok=True)


def summary(step: Step, history: list[dict]) -> dict[str, Any]:
    """Final figures of training; those of the predictions are added to them."""
    seconds = sum(row["seconds"] for row in history)
    images = sum(row["seconds"] * row["images_per_second"] for row in history)
    recipe, count, device = step.recipe, networks.parameter_count(step.network), step.device
    best = step.best["epoch"] if recipe.keep == "best" else len(history)
    figures = {"network": recipe.network, "parameters": count, "epochs": len(history)}
    figures |= {"best_epoch": best, "seconds": seconds, "images_per_second": images / seconds}
    figures |= {"device": device_name(device), "precision": precision(recipe, device)}
    return figures | {"compiled": step.compiled}
