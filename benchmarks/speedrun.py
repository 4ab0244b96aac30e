"""Validation accuracy from random weights against minutes of training; beside it a plain loop.

    python benchmarks/speedrun.py DATA --out results/speedrun [--seeds 3] [--first-seed 0]
        [--network speednet] [--recipe hour] [--fits runs/speedrun] [--seconds N]
        [--plain-minutes 10] [--no-plain] [--note TEXT] [--commit ID] [--set FIELD=VALUE ...]

DATA is the folder tiny-imagenet-200. Without --network and --recipe: speednet and hour on a CPU,
resnet18 and fast on a GPU.

Rules
 1. Training time is the sum of the epochs' wall-clock seconds: drawing and augmenting batches,
    forward, backward, optimizer, averaged weights, compilation if there is any. Reading the packed
    data, evaluating and writing checkpoints are not counted.
 2. Weights start at random. Only the data set's training images are used, all of them.
 3. Every hyper-parameter was chosen on a held-out part of the training images, never on val.
 4. After each epoch val is evaluated for the curve. Nothing is chosen by it. The accuracy reported
    is that of the final weights on all val images (10,000), their mirrored copies included if the
    recipe says so. Minutes to an accuracy are those at the end of the first epoch that has it.
 5. Nothing else runs on the machine. machine.json has the load average before each run, and the
    mean number of cores that other programs used during it (Linux; a virtual machine's stolen time
    counts).
 6. Machine, versions, commit, seeds and every field of the recipe are written down.

Each seed is a fit in its own folder in --fits. The same command resumes; a seed with a row in
speedrun.csv is not trained again. Rows of other seeds are kept, so that seeds can be trained on
different days; another recipe needs another --out. The plain loop (``_plain_loop``: torchvision's
resnet18 as people start it today) trains once, after the seeds, on the same cores.

Writes to --out, after each seed: speedrun.csv (a row a seed), history.csv, plain.csv,
plain_history.csv, machine.json and speedrun.svg.
"""

from __future__ import annotations

import argparse
import contextlib
import sys
from pathlib import Path
from typing import Any

import _common  # before torch
import _plain_loop
import pandas as pd
from _record import Record, session
from _speedrun_report import LEVELS, draw, loops, ours, ratios

from tin_lib import files, recipes
from tin_lib.data import TinyImageNet, open_data
from tin_lib.recipes import Recipe
from tin_lib.runner.commands.options import parse_fields
from tin_lib.runs import Fit
from tin_lib.train import fit
from tin_lib.train.distributed import join
from tin_lib.train.fit import check

DEFAULTS = {"cpu": ("speednet", "hour"), "cuda": ("resnet18", "fast")}  # network, recipe


def curve(history: pd.DataFrame) -> pd.Series:
    """Minutes of training at the end of each epoch."""
    return history.seconds.cumsum() / 60


def figures(done: Fit) -> dict[str, Any]:
    """What a finished fit reached, and when."""
    history, summary = done.history(), done.summary
    minutes = curve(history)
    reached = {name: minutes[history.val_accuracy >= level] for name, level in LEVELS.items()}
    seen = (history.seconds * history.images_per_second).round().astype(int).sum()
    return {
        "seed": done.recipe["seed"],
        "minutes": round(minutes.iloc[-1], 3),
        "val_accuracy": round(summary["val_accuracy"], 6),
        "val_top5": round(summary["val_top5"], 6),
        **{f"minutes_to_{k}": None if v.empty else round(v.iloc[0], 3) for k, v in reached.items()},
        "epochs": len(history),
        "images_seen": int(seen),
        "images_per_second": round(summary["images_per_second"], 1),
        "precision": done.meta["precision"],
    }


def history_rows(done: Fit) -> list[dict[str, Any]]:
    """The fit's curve, a row an epoch."""
    names = ["epoch", "lr", "size", "images_per_second", "train_loss", "val_accuracy"]
    history = done.history()
    table = history[[name for name in names if name in history]].round(6)
    table.insert(0, "seed", done.recipe["seed"])
    table.insert(2, "minutes", curve(history).round(3))
    return table.to_dict("records")  # type: ignore[return-value]


def train_seed(
    record: Record, recipe: Recipe, data: TinyImageNet, args: argparse.Namespace
) -> None:
    """One seed: its fit and its rows."""
    name = f"seed {recipe.seed}"
    if recipe.seed in record.seeds():
        print(f"== {name} is in {args.out / 'speedrun.csv'}: not trained again", flush=True)
        return
    print(f"== {name}: {recipe.network}, recipe {args.recipe}", flush=True)
    folder = args.fits / f"seed{recipe.seed}"
    with record.running(name, resumed=(folder / "recipe.json").is_file()):
        done = fit(recipe, data, folder, device=args.device)
    row = figures(done) | record.machine(name)
    record.put("history.csv", history_rows(done))
    record.put("speedrun.csv", [row])
    print(f"{name}: val {row['val_accuracy']:.4f} after {row['minutes']:.1f} minutes", flush=True)


def train_plain(record: Record, data: TinyImageNet, minutes: float, device: str) -> None:
    """The plain loop, unless it has been trained for these minutes on this machine."""
    here = {"budget_minutes": str(minutes), "cpu": record.session["processor"]}
    here |= {"device": record.session["device"], "torch": record.session["torch"]}
    if any(all(row[k] == v for k, v in here.items()) for row in record.rows("plain.csv")):
        print("== plain loop is in plain.csv: not trained again", flush=True)
        return
    print(f"== plain loop: torchvision's resnet18, {minutes:g} minutes", flush=True)
    with record.running("plain"):
        found, history = _plain_loop.run(data.root, minutes, device, 0, say)
    record.put("plain_history.csv", [{"seed": 0} | rounded(row) for row in history])
    record.put("plain.csv", [rounded(found) | record.machine("plain")])


def say(row: dict[str, Any]) -> None:
    """Print a row of the plain loop's history."""
    print("  ".join(f"{name} {value:.4g}" for name, value in row.items()), flush=True)


def rounded(row: dict[str, Any]) -> dict[str, Any]:
    """Numbers to six digits after the point."""
    return {k: round(v, 6) if isinstance(v, float) else v for k, v in row.items()}


def report(record: Record, args: argparse.Namespace, device: str) -> None:
    """Print the table and the line of JSON."""
    found = record.tables()
    seeds, plain = found["speedrun"], found["plain"]
    rows = [*ours(seeds, found["history"], args.plain_minutes), *loops(plain, args.plain_minutes)]
    print(_common.table(rows))
    about = {"network": args.network, "recipe": args.recipe, "seeds": sorted(record.seeds())}
    about |= {"commit": record.session["commit"], "note": args.note}
    _common.finish("speedrun", ratios(seeds, plain), device, **about)


def arguments() -> argparse.Namespace:
    """The command line."""
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("data", help="the data set's folder")
    parser.add_argument("--out", type=Path, required=True, help="folder of the tables")
    parser.add_argument("--fits", type=Path, default=Path("runs/speedrun"))
    parser.add_argument("--seeds", type=int, default=3)
    parser.add_argument("--first-seed", type=int, default=0)
    parser.add_argument("--network", help="default: speednet; resnet18 on a GPU")
    parser.add_argument("--recipe", help="default: hour; fast on a GPU")
    parser.add_argument("--seconds", type=float, help="budget of training, instead of the recipe's")
    parser.add_argument("--set", action="append", default=[], metavar="FIELD=VALUE")
    parser.add_argument("--plain-minutes", type=float, default=10.0)
    parser.add_argument("--no-plain", action="store_true", help="without the plain loop")
    parser.add_argument("--device", default="auto")
    parser.add_argument("--commit", help="the code's commit, outside a checkout")
    parser.add_argument("--note", default="", help="kept in machine.json")
    args = parser.parse_args()
    if args.seeds < 0 or args.first_seed < 0 or not 0 < args.plain_minutes < float("inf"):
        parser.error("--seeds and --first-seed: not below 0; --plain-minutes: above 0")
    if args.seeds == 0 and args.no_plain:
        parser.error("--seeds 0 and --no-plain leave nothing to do")
    return args


def chosen_recipe(args: argparse.Namespace, device: str) -> Recipe:
    """The recipe, from random weights; its name and the network's are noted in ``args``."""
    network, name = DEFAULTS[device]
    args.network, args.recipe = args.network or network, args.recipe or name
    changes = parse_fields(args.set) | ({"seconds": args.seconds} if args.seconds else {})
    return recipes.get(args.recipe, args.network).replace(**changes, weights=None, seed=0)


def begin(args: argparse.Namespace, device: str) -> tuple[Recipe, TinyImageNet, Record]:
    """Recipe, data and record; raises ValueError or FileNotFoundError for what does not fit."""
    recipe, data = chosen_recipe(args, device), open_data(args.data)
    check(recipe, data, args.fits / "seed0")
    if not args.no_plain and not (data.root / _plain_loop.ANNOTATIONS).is_file():
        wanted = f"{data.root / _plain_loop.ANNOTATIONS}, which the plain loop reads"
        raise ValueError(f"there is no {wanted}; give tiny-imagenet-200, or --no-plain")
    settings = {"recipe": recipe.to_dict(), "data": data.root.name}
    settings |= {"fingerprint": data.fingerprint}
    return recipe, data, Record(args.out, settings, session(device, args.note, args.commit))


def main() -> None:
    """Train the seeds, then the plain loop; print the table and the line of JSON."""
    args = arguments()
    with contextlib.ExitStack() as stack:
        try:
            lock = files.only_one(args.fits / ".speedrun.lock", f"the speed run {args.fits}")
            stack.enter_context(lock)
            device = join(args.device).device.type
            recipe, data, record = begin(args, device)
        except (ValueError, FileNotFoundError) as error:
            sys.exit(f"speedrun: {error}")
        try:
            for seed in range(args.first_seed, args.first_seed + args.seeds):
                train_seed(record, recipe.replace(seed=seed), data, args)
                draw(record)
            if not args.no_plain:
                train_plain(record, data, args.plain_minutes, device)
        except KeyboardInterrupt as stop:
            sys.exit(str(stop) or "Stopped; run the command again to resume")
        draw(record)
        report(record, args, device)


if __name__ == "__main__":
    main()
