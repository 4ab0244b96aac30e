"""``tin prune``."""

import argparse
import json
import shlex
from pathlib import Path
from typing import Any

from tin_lib.runner.commands.options import add_folder


def add_prune(verbs: Any) -> None:
    """``tin prune FIT``"""
    p = verbs.add_parser(
        "prune",
        help="write a fit's network without its smallest weights or filters",
        description="Write the fit's network with its smallest weights set to zero, or without its "
        "weakest filters, as starting weights; print what is left of each layer and the command "
        "that continues its training. The fit itself does not change.",
    )
    add_folder(p, "FIT", "a fit's folder, e.g. runs/x/networks/convnet9")
    p.add_argument(
        "--keep",
        type=float,
        required=True,
        help="share of the weights that stay, above 0 and at most 1; with --structured, share of "
        "each layer's filters",
    )
    p.add_argument(
        "--scope",
        choices=("global", "layer"),
        help="the smallest weights of the whole network (default), or of each layer",
    )
    p.add_argument(
        "--structured",
        action="store_true",
        help="remove whole filters instead: the network becomes narrower",
    )
    p.add_argument("-o", "--out", type=Path, required=True, help="the .safetensors file to write")
    p.set_defaults(call=prune)


def prune(args: argparse.Namespace) -> None:
    """Prune, write, and print the table and what to run next."""
    if args.structured and args.scope:
        raise ValueError(f"--scope {args.scope}: cannot be combined with --structured; omit one")
    from tin_lib import runs
    from tin_lib.analysis import pruning

    chosen = pruning.Pruning(args.keep, "filters" if args.structured else args.scope or "global")
    fit = runs.open_fit(args.folder)
    network, table = pruning.write_pruned(fit, chosen, args.out)
    shown = {"weights": "{:,}".format, "kept": "{:,}".format, "share": "{:.1%}".format}
    print(table.reset_index().to_string(index=False, formatters=shown))
    held = {} if args.structured else {"keep_zeros": True}
    changes = {"weights": str(args.out), "width": network.width} | held
    print(f"{args.out}\nTrain it on:\n  {train_command(fit, changes)}")


def train_command(fit: Any, changes: dict[str, Any]) -> str:
    """The command that trains the fit's network on, with ``changes`` to the recipe."""
    options = fit.recipe["network_options"]
    fields = changes | ({"network_options": options} if options else {})
    words = ["tin", "train", fit.recipe["network"], "--recipe", "RECIPE"]
    for name, value in fields.items():
        words += ["--set", f"{name}={value if isinstance(value, str) else json.dumps(value)}"]
    request = fit.meta["data"] or {}  # of data made in memory: none
    for name in ("data", "classes", "per_class", "holdout"):
        if value := request.get(name):
            value = len(value) if isinstance(value, list | tuple) else value  # classes' ids
            words += [f"--{name.replace('_', '-')}", str(value)]
    return f"{shlex.join(words)} --out FOLDER"
