"""What a finished fit leaves: weights, predictions, summary."""

import contextlib
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from tin_lib import files, networks, predict
from tin_lib.data import Split, TinyImageNet
from tin_lib.data.resident import to_device
from tin_lib.train.checkpoint import device_name
from tin_lib.train.precision import precision

if TYPE_CHECKING:
    from tin_lib.train.loop import Trainer


def finish(folder: Path, trainer: "Trainer", data: TinyImageNet, history: list[dict]) -> None:
    """Write weights, predictions of all splits, and last the summary, which marks the end."""
    network = trainer.evaluated
    meta = files.read_json(folder / "meta.json")
    networks.save(
        network,
        folder / "weights.safetensors",
        class_ids=meta["class_ids"],
        fingerprint=meta["fingerprint"],
    )
    logits = {s.name: split_logits(trainer, s) for s in (data.train, data.val, data.test) if len(s)}
    for name, values in logits.items():
        files.write_table(
            predict.table(data.split(name), values, data.class_ids),
            folder / f"predictions_{name}.csv",
        )
        if name != "train":  # 100,000 × 200 scores that nothing reads
            files.write_array(folder / f"logits_{name}.npy", values)
    files.write_json(folder / "summary.json", summary(trainer, data, history, logits))
    for leftover in ("checkpoint.pt", "best.safetensors"):
        (folder / leftover).unlink(missing_ok=True)


def split_logits(trainer: "Trainer", split: Split) -> np.ndarray:
    """Scores float32 (N, classes) of a split by the evaluated network.

    Of val and test computed in float32, as whoever loads the weights will: to the last digit they
    are what later notebooks find. Of train, the larger part by far, as the training was.
    """
    resident = trainer.resident.get(split.name)
    if resident is None:
        resident = to_device(split, trainer.device, trainer.recipe.channels_last)
    with trainer.autocast() if split.name == "train" else contextlib.nullcontext():
        values = predict.scores(
            trainer.evaluated, resident.images, trainer.mean, trainer.std, trainer.recipe.flip_test
        )
    return values.cpu().numpy()


def summary(
    trainer: "Trainer", data: TinyImageNet, history: list[dict], logits: dict[str, np.ndarray]
) -> dict[str, Any]:
    """Final figures; accuracies are of the kept weights on unaugmented images, in 0..1."""
    seconds = sum(row["seconds"] for row in history)
    images = sum(row["seconds"] * row["images_per_second"] for row in history)
    meta = {
        "network": trainer.recipe.network,
        "parameters": sum(p.numel() for p in trainer.network.parameters()),
        "epochs": len(history),
        "best_epoch": trainer.best["epoch"] if trainer.recipe.keep == "best" else len(history),
        "seconds": seconds,
        "images_per_second": images / seconds,
        "device": device_name(trainer.device),
        "precision": precision(trainer.recipe, trainer.device),
        "compiled": trainer.compiled,
    }
    for name in ("train", "val"):
        values, labels = logits[name], data.split(name).labels
        meta[f"{name}_accuracy"] = predict.accuracy(values, labels)
        meta[f"{name}_top5"] = predict.accuracy(values, labels, 5)
    with contextlib.suppress(KeyError):
        meta["heldout_accuracy"] = history[meta["best_epoch"] - 1]["heldout_accuracy"]
    return meta
