"""``tin publish``, ``tin import``."""

import argparse
from pathlib import Path
from typing import Any

from tin_lib.runner.commands.options import add_folder, device


def add_publish(verbs: Any) -> None:
    """``tin publish FIT``"""
    p = verbs.add_parser(
        "publish",
        help="write a fit's weights and model card to one file, to publish it",
        description="Write the fit's network to one safetensors file whose header holds its "
        "model card: what it is, how and on which data it was trained, its accuracy, how to load "
        "it. Prints the card.",
    )
    add_folder(p, "FIT", "a fit's folder, e.g. runs/x/networks/vgg16")
    p.add_argument(
        "-o", "--out", type=Path, metavar="FILE", help="default: FIT/published.safetensors"
    )
    p.add_argument("--precision", default="float16", help="of the weights: float16 or float32")
    p.add_argument(
        "--data",
        type=Path,
        help="where the fit's data are: evaluate the rounded weights on val (default: the card "
        "gives the fit's own accuracy, and says so)",
    )
    p.add_argument("--device", type=device, default="auto", help="auto, cpu or cuda")
    p.set_defaults(call=publish)


def publish(args: argparse.Namespace) -> None:
    """Publish and print the card."""
    from tin_lib.analysis import publishing, runs

    fit = runs.open_fit(args.folder)
    publishing.check_request(fit, args.out, args.precision)
    data = None if args.data is None else runs.Run(fit.path, {fit.name: fit}).data(args.data)
    path = publishing.publish(fit, args.out, args.precision, data, args.device)
    print(publishing.card_text(path))
    print(path)


def add_import(verbs: Any) -> None:
    """``tin import FILE``"""
    p = verbs.add_parser(
        "import",
        help="put a published network into a run, without training",
        description="Put a network that tin publish wrote into a run: its weights, and its "
        "predictions of val, computed here from DATA. Notebooks 07 and 09 and tin browse then read "
        "the run as if the network had been trained there.",
    )
    p.add_argument("file", type=Path, metavar="FILE", help="a file that tin publish wrote")
    p.add_argument("--data", required=True, help="the folder tiny-imagenet-200, or 'sample'")
    p.add_argument("--run", type=Path, help="the run's folder (default: runs/DATA-pretrained)")
    p.add_argument(
        "--train", action="store_true", help="also predict the training images (notebook 06)"
    )
    p.add_argument("--test", action="store_true", help="also predict the test images (tin submit)")
    p.add_argument("--device", type=device, default="auto", help="auto, cpu or cuda")
    p.set_defaults(call=import_)


def import_(args: argparse.Namespace) -> None:
    """Import, and print the accuracy here and what to run next."""
    from tin_lib.analysis import publishing
    from tin_lib.data import open_data
    from tin_lib.runner.study import default_run

    card = publishing.read_card(args.file)  # before the data are packed
    run = args.run or default_run(args.data, "pretrained")
    data = open_data(args.data)
    splits = [name for name in ("train", "test") if getattr(args, name)]
    fit = publishing.import_network(args.file, data, run, splits=splits, device=args.device)
    here, there = fit.summary, card["accuracy"]
    print(
        f"{fit.path}: val top-1 {here['val_accuracy']:.4f} (its card: {there['val_top1']:.4f}), "
        f"top-5 {here['val_top5']:.4f} ({there['val_top5']:.4f}); published, not trained here"
    )
    print(f"Browse its saliency maps: tin browse {run}")
    print(f"or open notebooks/07_saliency.ipynb with run={str(run)!r}, network={fit.name!r}")
