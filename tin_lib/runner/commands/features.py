"""``tin features``, ``tin probe``."""

import argparse
from pathlib import Path
from typing import Any

from tin_lib.runner.commands import options


def add_features(verbs: Any) -> None:
    """``tin features NETWORK``"""
    p = verbs.add_parser(
        "features",
        help="run a network once over all images and keep its features",
        description="Run a network of torchvision or timm, or a finished fit, once over the train "
        "and val images, and keep the inputs of its last layer. Rerun the same command to "
        "resume. Then: tin probe OUT.",
    )
    p.add_argument("network", help="torchvision:NAME, timm:NAME, or the folder of a finished fit")
    p.add_argument(
        "--weights",
        default="default",
        help="a file with a state dict; default: the library's own pretrained weights, or those "
        "that the fit was trained to; random: none",
    )
    p.add_argument("--size", type=int, help="side of the input, pixels (default: the network's)")
    p.add_argument("--interpolation", help="bilinear or bicubic (default: the network's)")
    p.add_argument("--out", type=Path, required=True, help="the folder of the features")
    p.add_argument("--test", action="store_true", help="also the test images")
    p.add_argument("--precision", default="auto", help="auto, bf16 or float32")
    p.add_argument(
        "--dtype", default="float16", help="number format of the file: float16 or float32"
    )
    p.add_argument("--batch-size", type=int, help="batch size (default: by the device)")
    p.add_argument("--device", type=options.device, default="auto", help="auto, cpu or cuda")
    options.add_data(p)
    p.set_defaults(call=features)


def features(args: argparse.Namespace) -> None:
    """Compute and describe."""
    from tin_lib.analysis import features as analysis

    settings = analysis.Options(args.precision, args.dtype, args.batch_size, args.device)
    backbone = analysis.open_backbone(args.network, args.weights, args.size, args.interpolation)
    data = options.open_data(args)
    splits = [name for name in data.splits if name != "test" or args.test]
    found = analysis.extract(backbone, data, args.out, splits, settings)
    counts = ", ".join(f"{name} {state['rows']:,}" for name, state in states(found))
    print(f"{found.title}: {counts} images, {found.header['dimensions']:,} features each")
    print(f"{found.images_per_second():,.0f} images/s, {found.seconds() / 60:.1f} minutes in all")


def states(found: Any) -> Any:
    """The splits of features with their counts."""
    return found.header["splits"].items()


def add_probe(verbs: Any) -> None:
    """``tin probe DIR``"""
    p = verbs.add_parser(
        "probe",
        help="train a linear classifier on features",
        description="Fit a multinomial logistic regression to the features in DIR, its penalty "
        "chosen on a held-out part of train, and evaluate it on val; writes DIR/probe.csv. For "
        "networks trained on ImageNet, their own 1000-way output layer, restricted to the classes "
        "of the data, is evaluated, too.",
    )
    options.add_folder(p, "DIR", "the folder that tin features wrote")
    p.add_argument("--data", type=Path, help=options.MOVED)
    p.add_argument(
        "--curve", action="store_true", help="also by images per class: DIR/learning_curve.csv"
    )
    p.set_defaults(call=probe)


def probe(args: argparse.Namespace) -> None:
    """Fit, evaluate, write."""
    import pandas as pd

    from tin_lib import data, files
    from tin_lib.analysis import features as analysis

    found = analysis.open_features(args.folder)
    moved = {"data": str(args.data)} if args.data else {}
    images = data.open_data(**found.header["request"] | moved)
    row = analysis.figures(found, images)
    files.write_table(pd.DataFrame([row]), args.folder / "probe.csv")
    print(described(found.title, row))
    if args.curve:
        curve = analysis.learning_curve(found, images)
        files.write_table(curve.table, args.folder / "learning_curve.csv")
        print(curve.summary().round(4).to_string(index=False))


def described(title: str, row: dict[str, Any]) -> str:
    """The figures as text."""
    accuracy = f"{row['val_accuracy']:.4f} ({row['low']:.4f} to {row['high']:.4f})"
    cost = f"features {row['features_minutes']:.1f} min, probe {row['probe_minutes']:.1f} min"
    head = f"own 1000-way output layer, restricted to the classes: {row['head_accuracy']:.4f}"
    last = head if not row["head_note"] else f"own output layer not evaluated: {row['head_note']}"
    return f"{title}: val {accuracy}, penalty {row['penalty']:g}; {cost}\n{last}"
