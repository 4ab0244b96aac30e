"""What a finished fit writes: weights, predictions, summary."""

from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from tin_lib import files, networks, predict
from tin_lib.data import Split, TinyImageNet
from tin_lib.data.resident import to_device
from tin_lib.train.checkpoint import device_name
from tin_lib.train.device import precision

if TYPE_CHECKING:
    from tin_lib.train.fit import Trainer


def write_artifacts(
    folder: Path, trainer: "Trainer", data: TinyImageNet, history: list[dict]
) -> None:
    """Write weights, predictions of all splits, and last the summary, which marks the end."""
    belongs = {"class_ids": list(data.class_ids), "fingerprint": data.fingerprint}
    networks.save(trainer.evaluated, folder / "weights.safetensors", **belongs)
    splits = [split for split in data.splits.values() if len(split)]
    logits = {split.name: split_logits(trainer, split) for split in splits}
    for name in logits.keys() - {"heldout"}:
        table = predict.table(data.split(name), logits[name], data.class_ids)
        files.write_table(table, folder / f"predictions_{name}.csv")
        if name != "train":  # 100,000 × 200 scores that nothing reads
            files.write_array(folder / f"logits_{name}.npy", logits[name])
    files.write_json(folder / "summary.json", summary(trainer, data, history, logits))
    for temporary in ("checkpoint.pt", "best.safetensors"):
        (folder / temporary).unlink(missing_ok=True)


def split_logits(trainer: "Trainer", split: Split) -> np.ndarray:
    """Scores float32 (N, classes) of a split, see ``Trainer.scores``."""
    resident = trainer.resident.get(split.name)
    if resident is None:
        resident = to_device(split, trainer.device, trainer.recipe.channels_last)
    return trainer.scores(resident.images).cpu().numpy()


def summary(
    trainer: "Trainer", data: TinyImageNet, history: list[dict], logits: dict[str, np.ndarray]
) -> dict[str, Any]:
    """Final figures; accuracies (0..1) are those of the predictions, of the kept weights."""
    seconds = sum(row["seconds"] for row in history)
    images = sum(row["seconds"] * row["images_per_second"] for row in history)
    figures = {
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
    for name in [name for name in ("train", "val", "heldout") if name in logits]:
        labels = data.split(name).labels
        figures[f"{name}_accuracy"] = predict.accuracy(logits[name], labels)
        figures[f"{name}_top5"] = predict.accuracy(logits[name], labels, 5)
    return figures
