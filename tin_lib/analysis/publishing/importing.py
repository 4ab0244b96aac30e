"""Putting a published network into a run: the folder of a fit that was not trained there."""

import shutil
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import torch

from tin_lib import catalog, files, networks, predict, runs
from tin_lib.analysis.publishing import card as cards
from tin_lib.analysis.publishing.evaluation import evaluate
from tin_lib.data import TinyImageNet

Card = dict[str, Any]
SPLITS = ("train", "val", "test")


def import_network(
    path: str | Path,
    data: TinyImageNet,
    run: str | Path,
    *,
    splits: Sequence[str] = ("val",),
    device: str = "auto",
) -> runs.Fit:
    """Make the fit's folder ``run/networks/NAME`` of a published file; trains nothing.

    The folder gets the file itself as its weights, the recipe of its card, predictions of
    ``data``'s splits (and logits of val and test), computed here with the card's mean and standard
    deviation, and meta.json and summary.json that say under ``published`` that it was not trained
    here. It has no history. The same import made before is returned.

    ``path``: a file that ``publish`` wrote. ``splits``: of train, val and test, those to predict;
    val always is, test if there is one. ``device``: auto, cpu or cuda. Raises FileNotFoundError
    without the file, and ValueError, naming what is wrong, if a split is unknown, if the file is
    damaged, if its class ids or their order are not those of ``data``, and if the run holds this
    network trained here or others of other data.
    """
    if unknown := sorted(set(splits) - set(SPLITS)):
        raise ValueError(f"splits: {unknown[0]!r} is none of {', '.join(SPLITS)}")
    path, card = Path(path), cards.read_card(path)
    check_classes(path, card, data)
    cards.check_tensors(path, card)
    folder = Path(run).resolve() / "networks" / catalog.folder_name(card["network"])
    check_run(folder, card, data)
    wanted = [name for name in SPLITS if name in {*splits, "val"} and len(data.split(name))]
    with files.only_one(folder.parent / f".{folder.name}.lock", f"the fit {folder}"):
        if not imported(folder, card, data, wanted):
            write(path, card, data, folder, wanted, device)
    return runs.open_fit(folder)


def check_classes(path: Path, card: Card, data: TinyImageNet) -> None:
    """Raise ValueError unless the data have the network's classes in its order."""
    learnt, given = card["class_ids"], list(data.class_ids)
    if learnt == given:
        return
    missing = [wnid for wnid in learnt if wnid not in set(given)]
    if not missing and len(given) == len(learnt):
        wrong = "has the same classes in another order"
    else:
        wrong = f"has {len(given)} classes"
        wrong += f", without {', '.join(missing[:3])}" if missing else " and not only these"
    name = card["data"].get("name")
    here = "the built-in sample" if data.request.get("data") == "sample" else data.root
    raise ValueError(
        f"{path} tells {len(learnt)} classes apart, those of {name}; {here} {wrong}. "
        f"Name the folder {name} as data, or train a network on these data (tin train)"
    )


def check_run(folder: Path, card: Card, data: TinyImageNet) -> None:
    """Raise ValueError if the import would replace a network trained here, or if a network beside
    it has other data or another normalisation: the run's notebooks use one for all."""
    for path in sorted(folder.parent.glob("*/meta.json")):
        meta, own = files.read_object(path), path.parent == folder
        if own and "published" not in meta:
            raise ValueError(f"{folder} holds a network that was trained here; choose another run")
        here = (meta.get("fingerprint"), meta.get("mean"), meta.get("std"))
        if not own and here != (data.fingerprint, card["mean"], card["std"]):
            raise ValueError(
                f"{path.parent} was made from other images than the published network or the data "
                "given; choose another run"
            )


def imported(folder: Path, card: Card, data: TinyImageNet, splits: list[str]) -> bool:
    """Whether the folder holds this import, finished."""
    needed = ["summary.json", "weights.safetensors", *(f"predictions_{s}.csv" for s in splits)]
    if not all((folder / name).is_file() for name in needed):
        return False
    meta = files.read_object(folder / "meta.json")
    found = meta["published"].get("sha256"), meta.get("fingerprint")
    return found == (card["tensors"]["sha256"], data.fingerprint)


def write(
    path: Path, card: Card, data: TinyImageNet, folder: Path, splits: list[str], device: str
) -> None:
    """Write the folder; last the summary, which marks the end."""
    network = networks.load(path)
    (folder / "summary.json").unlink(missing_ok=True)
    with files.atomic_path(folder / "weights.safetensors") as temporary:
        shutil.copyfile(path, temporary)
    files.write_json(folder / "meta.json", describe(path, card, data))
    files.write_json(folder / "recipe.json", card["training"]["recipe"])
    normalisation = (torch.tensor(card["mean"]), torch.tensor(card["std"]))
    flip = card["flip_test"]
    figures: dict[str, float] = {}
    for name in splits:
        split = data.split(name)
        scores = evaluate(network, split, normalisation, flip, device)
        table = predict.table(split, scores, data.class_ids)
        files.write_table(table, folder / f"predictions_{name}.csv")
        if name != "train":
            files.write_array(folder / f"logits_{name}.npy", scores)
        if name != "test":
            figures[f"{name}_accuracy"] = predict.accuracy(scores, split.labels)
            figures[f"{name}_top5"] = predict.accuracy(scores, split.labels, 5)
    names = sorted(each.name for each in folder.glob("[!.]*.*"))
    digests = {"files": {name: files.file_digest(folder / name) for name in names}}
    files.write_json(folder / "summary.json", summary(path, card) | figures | digests)


def describe(path: Path, card: Card, data: TinyImageNet) -> dict[str, Any]:
    """meta.json: as a fit's, of the training that the card describes, and ``published``."""
    training, recipe = card["training"], card["training"]["recipe"]
    here = {name: len(split) for name, split in data.splits.items() if name in ("val", "test")}
    kept = ("network", "num_classes", "width", "options", "class_ids", "class_names", "mean", "std")
    return {name: card[name] for name in kept} | {
        "fingerprint": data.fingerprint,
        "data": data.request,
        "seed": recipe.get("seed"),
        "start": training.get("start"),
        "build": "published",  # no source's digest: a training by this recipe does not return it
        "images": card["data"].get("images", {}) | {k: n for k, n in here.items() if n},
        "device": training.get("device"),
        "precision": training.get("precision"),
        "versions": training.get("versions"),
        "source": training.get("source"),
        "published": {
            "file": path.name,
            "sha256": card["tensors"]["sha256"],
            "fingerprint": card["fingerprint"],
            "accuracy": card["accuracy"],
            "note": "published, not trained here: recipe, device, precision, versions and time are "
            "those of its card; predictions were computed here",
        },
    }


def summary(path: Path, card: Card) -> dict[str, Any]:
    """summary.json without accuracies: the card's figures of the training."""
    training = card["training"]
    figures = {k: v for k, v in training.items() if not isinstance(v, dict | list)}
    for name in ("start", "source"):
        figures.pop(name, None)
    parameters = card["tensors"]["parameters"]
    return (
        {"network": card["network"], "parameters": parameters} | figures | {"published": path.name}
    )
