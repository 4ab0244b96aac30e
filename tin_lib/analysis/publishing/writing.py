"""Writing a fit's weights as one file with its card."""

import tempfile
from pathlib import Path
from typing import Any

import torch

from tin_lib import catalog, networks
from tin_lib.analysis import runs
from tin_lib.analysis.publishing import card
from tin_lib.analysis.publishing.evaluation import evaluate, top_accuracies
from tin_lib.data import TinyImageNet
from tin_lib.networks import Network

PRECISIONS = {"float16": torch.float16, "float32": torch.float32}
# Figures of the training that a fit's summary holds.
FIGURES = (
    "epochs",
    "best_epoch",
    "seconds",
    "images_per_second",
    "device",
    "precision",
    "compiled",
    "train_accuracy",
)


def publish(
    fit: runs.Fit,
    out: str | Path | None = None,
    precision: str = "float16",
    data: TinyImageNet | None = None,
    device: str = "auto",
) -> Path:
    """Write the fit's network, with its card in the header, to one safetensors file, atomically.

    ``out``: by default ``published.safetensors`` in the fit's folder. ``precision``: float16 or
    float32, of the file's floating-point tensors. ``data``: the fit's own, on whose val the rounded
    weights are evaluated; without them the card gives the fit's accuracy, of the weights before
    rounding, and says so. The same fit gives the same bytes.

    Raises ValueError for another precision, a file that cannot be written, other data, and a tensor
    (by name) with a value that is not finite or out of the precision's range.
    """
    path = check_request(fit, out, precision)
    if data is not None and data.fingerprint != fit.meta["fingerprint"]:
        raise ValueError(f"data: {data.root} has other images than {fit.path} was trained on")
    network = rounded(fit.network(), precision)
    header = describe(fit, network, path.name)
    header["accuracy"] = accuracy(fit, network, data, precision, device)
    header["tensors"] = {
        "precision": precision,
        "parameters": networks.parameter_count(network),
        "sha256": digest_of(network.cpu().to(PRECISIONS[precision])),
    }
    networks.save(network, path, **header)
    return path


def check_request(fit: runs.Fit, out: str | Path | None, precision: str) -> Path:
    """The file to write. ValueError for an unknown precision, and for a file that is a folder, has
    another suffix, or is the fit's own."""
    if precision not in PRECISIONS:
        raise ValueError(f"precision={precision!r}: choose {' or '.join(PRECISIONS)}")
    path = fit.path / "published.safetensors" if out is None else Path(out)
    runs.check_target(fit, path)
    return path


def rounded(network: Network, precision: str) -> Network:
    """The network with its values rounded to a precision, in float32, in place.

    Raises ValueError, naming the tensor, for a value that is not finite in that precision.
    """
    kind = PRECISIONS[precision]
    for name, tensor in network.state_dict().items():
        if tensor.is_floating_point() and not tensor.to(kind).isfinite().all():
            largest = tensor.abs().max().item()  # NaN, if there is one
            advice = "" if precision == "float32" else "; choose precision float32"
            raise ValueError(
                f"{name} holds a value of size {largest:g}, which {precision} cannot hold "
                f"(at most {torch.finfo(kind).max:g}){advice}"
            )
    return network.to(kind).float()


def digest_of(network: Network) -> str:
    """SHA-256 of the tensors of the file that ``networks.save`` makes of a network."""
    with tempfile.TemporaryDirectory() as folder:
        networks.save(network, path := Path(folder) / "tensors")
        return card.tensors_digest(path)


def describe(fit: runs.Fit, network: Network, file: str) -> dict[str, Any]:
    """The card's fields that only the fit determines; without paths of this machine."""
    meta = fit.meta
    names = ("class_ids", "class_names", "fingerprint", "mean", "std")
    return {name: meta[name] for name in names} | {
        "title": catalog.title(meta["network"]),
        "origin": Path(network.origin).name,
        "data": data_of(meta),
        "flip_test": bool(fit.recipe.get("flip_test", False)),
        "training": training_of(fit),
        "load": card.loading_lines(meta["network"], file),
        "note": card.NOTE,
    }


def data_of(meta: dict[str, Any]) -> dict[str, Any]:
    """Name of the data's folder, the part used, and the number of images of each split."""
    request = meta.get("data") or {}  # of data made in memory: none
    part = {k: request[k] for k in ("per_class", "holdout", "seed") if request.get(k)}
    name = Path(str(request.get("data", "in memory"))).name
    return {"name": name, "part": part, "images": meta["images"]}


def training_of(fit: runs.Fit) -> dict[str, Any]:
    """Recipe, figures and versions. Of starting weights the name of the file, and its SHA-256."""
    recipe, meta = dict(fit.recipe), fit.meta
    if recipe.get("weights"):
        recipe["weights"] = Path(recipe["weights"]).name
    figures = {name: fit.summary[name] for name in FIGURES if name in fit.summary}
    kept = {name: meta.get(name) for name in ("start", "versions", "source")}
    return {"recipe": recipe} | figures | kept


def accuracy(
    fit: runs.Fit, network: Network, data: TinyImageNet | None, precision: str, device: str
) -> dict[str, Any]:
    """The card's accuracy on val: of the rounded weights if there are data, else the fit's."""
    if data is None:
        figures = {"val_top1": fit.summary["val_accuracy"], "val_top5": fit.summary["val_top5"]}
        what = f"by the fit, before the weights were rounded to {precision}"
        return figures | {"images": fit.meta["images"]["val"], "measured": what}
    flip = bool(fit.recipe.get("flip_test", False))
    scores = evaluate(network, data.val, (fit.mean, fit.std), flip, device)
    what = f"of the weights in this file, rounded to {precision}"
    return top_accuracies(scores, data.val) | {"images": len(data.val), "measured": what}
