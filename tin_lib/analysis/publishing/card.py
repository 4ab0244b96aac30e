"""The card of a published network: the header of its file, checked, and as text."""

import hashlib
import json
from pathlib import Path
from typing import Any

from tin_lib import catalog, networks
from tin_lib.networks.registry import LIBRARIES
from tin_lib.recipes import Recipe

NOTE = "The weights are learnt from the data set's images; they are not the images."
KEYS = {  # of every card, beside what ``networks.save`` writes
    "class_ids": list,
    "class_names": list,
    "fingerprint": str,
    "data": dict,
    "mean": list,
    "std": list,
    "accuracy": dict,
    "training": dict,
    "tensors": dict,
    "flip_test": bool,
    "load": list,
    "note": str,
}
PARTS = {  # of the fields that are dicts
    "accuracy": ("val_top1", "val_top5", "measured"),
    "training": ("recipe", "epochs", "seconds", "device", "precision", "versions"),
    "tensors": ("precision", "parameters", "sha256"),
}


def read_card(path: str | Path) -> dict[str, Any]:
    """The card of a file that ``publish`` wrote; the weights are not read.

    Raises FileNotFoundError without the file, and ValueError, naming it, when it is damaged or was
    not published.
    """
    if not Path(path).is_file():
        raise FileNotFoundError(f"{path} does not exist; name a file that tin publish wrote")
    card = networks.read_meta(path)
    if wrong := _faults(card):
        raise ValueError(
            f"{path} has no usable card ({wrong[0]} is missing or wrong); name a file that "
            "tin publish wrote"
        )
    return card


def _faults(card: dict[str, Any]) -> list[str]:
    """The fields of a header that a card has not, or has in another form."""
    wrong = [name for name, kind in KEYS.items() if not isinstance(card.get(name), kind)]
    if wrong:
        return wrong
    wrong = [f"{name}.{p}" for name, parts in PARTS.items() for p in parts if p not in card[name]]
    counts = dict.fromkeys(("class_ids", "class_names"), card["num_classes"])
    counts |= {"mean": 3, "std": 3}
    kinds = {name: str if name.startswith("class") else float for name in counts}
    return wrong + [
        name
        for name, count in counts.items()
        if len(card[name]) != count or not all(isinstance(v, kinds[name]) for v in card[name])
    ]


def tensors_digest(path: str | Path) -> str:
    """SHA-256, 64 hex digits, of a safetensors file's bytes after its header: the tensors."""
    content = Path(path).read_bytes()
    header = int.from_bytes(content[:8], "little")
    return hashlib.sha256(content[8 + header :]).hexdigest()


def check_tensors(path: str | Path, card: dict[str, Any]) -> None:
    """Raise ValueError, naming the file, unless its tensors are those of its card."""
    if tensors_digest(path) != card["tensors"]["sha256"]:
        raise ValueError(
            f"{path}: the SHA-256 of its tensors is not the one on its card: the file was changed; "
            "fetch or publish it again"
        )


def loading_lines(network: str, file: str) -> list[str]:
    """Three lines of Python from a published file to the scores of images.

    They need ``images``, a uint8 tensor (N, 3, 64, 64) in RGB, and give ``scores``, float32
    (N, classes), before softmax. A network of the user's is imported in the first line.
    """
    library, colon, _ = network.partition(":")
    own = colon and library not in LIBRARIES
    trust = f"; networks.trust({network!r})" if own else ""
    scale = 'torch.tensor([card["mean"], card["std"]])'
    return [
        f"import torch; from tin_lib import networks, predict{trust}",
        f"network, card = networks.load({file!r}), networks.read_meta({file!r})",
        f'scores = predict.scores(network, images, *{scale}, card["flip_test"])',
    ]


def card_text(path: str | Path) -> str:
    """The card as text: one line a field, then the lines that load the network."""
    card = read_card(path)
    fields = _network(card) | _data(card) | _accuracy(card) | _training(card)
    fields["file"] = f"{Path(path).stat().st_size / 1e6:.2f} MB, {card['tensors']['precision']}"
    fields |= {"tensors' SHA-256": card["tensors"]["sha256"], "note": card["note"]}
    width = max(map(len, fields))
    lines = [f"{name:<{width}}  {value}" for name, value in fields.items()]
    load = [f"  {line}" for line in card["load"]]
    head = "to load it in Python (images: uint8 tensor (N, 3, 64, 64), RGB):"
    return "\n".join([*lines, head, *load])


def _network(card: dict[str, Any]) -> dict[str, str]:
    """What the network is."""
    options = ", ".join(f"{name}={value!r}" for name, value in card["options"].items())
    parameters = card["tensors"]["parameters"]
    described = f"{card['network']}, width {card['width']:g}, {parameters:,} parameters"
    first, last = card["class_names"][0], card["class_names"][-1]
    classes = f"{card['num_classes']}: {card['class_ids'][0]} ({first}) to "
    return {
        "title": catalog.title(card["network"]),
        "network": described,
        "options": options or "none",
        "classes": f"{classes}{card['class_ids'][-1]} ({last}); all in the file's header",
    }


def _data(card: dict[str, Any]) -> dict[str, str]:
    """What it was learnt from."""
    data = card["data"]
    counts = ", ".join(f"{name} {count:,}" for name, count in data.get("images", {}).items())
    part = ", ".join(f"{name}={value}" for name, value in data.get("part", {}).items())
    mean, std = (", ".join(f"{v:.3f}" for v in card[name]) for name in ("mean", "std"))
    return {
        "data": f"{data.get('name')}{f' ({part})' if part else ''}; images: {counts}",
        "fingerprint": card["fingerprint"],
        "normalised": f"mean {mean}; deviation {std} (red, green, blue in 0..255)",
    }


def _accuracy(card: dict[str, Any]) -> dict[str, str]:
    """How good it is."""
    found = card["accuracy"]
    mirrored = ", of the images and their mirror images" if card["flip_test"] else ""
    accuracies = f"top-1 {found['val_top1']:.4f}, top-5 {found['val_top5']:.4f}"
    return {"val accuracy": f"{accuracies}{mirrored}", "measured": found["measured"]}


def _training(card: dict[str, Any]) -> dict[str, str]:
    """How it was trained; of the recipe, what differs from the defaults."""
    training = card["training"]
    default, always = Recipe("", 1, 1.0).to_dict(), ("network", "epochs", "lr")
    recipe = training["recipe"].items()
    shown = {k: v for k, v in recipe if k in always or v != default.get(k)}
    versions = ", ".join(f"{k} {v}" for k, v in training["versions"].items())
    took = f"{training['epochs']} epochs in {training['seconds']:,.0f} s"
    where = f"{training['device']}, {training['precision']}"
    return {"recipe": json.dumps(shown), "training": f"{took} on {where}; {versions}"}
