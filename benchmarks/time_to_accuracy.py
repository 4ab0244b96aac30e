"""Seconds of training until a validation accuracy is reached: mean and deviation over seeds.

    python benchmarks/time_to_accuracy.py [--data sample|DIR] [--network resnet18] [--recipe fast]
        [--accuracy 0.535] [--seeds 3] [--device auto] [--classes N] [--per-class N]
        [--set FIELD=VALUE ...]

Each seed is one fit from its starting weights. The seconds are those of its epochs: augmenting,
forward, backward, update; not evaluating, saving or opening the data. The time stops after the
first epoch whose validation accuracy is high enough. Before the clock starts one throwaway network
of the same recipe is trained for a few updates: libraries load, kernels are chosen and compiled.
What a fit still compiles is counted. 0.535 is the validation accuracy of the paper's best network.
"""

from __future__ import annotations

import argparse
import statistics
import tempfile
from pathlib import Path

from _common import finish, table  # isort: split

import pandas as pd

from tin_lib import recipes
from tin_lib.commands import parse_fields
from tin_lib.data import TinyImageNet, open_data
from tin_lib.recipes import Recipe
from tin_lib.train import Trainer, fit
from tin_lib.train.distributed import join

WARM_UP = 5  # updates


def warm_up(recipe: Recipe, data: TinyImageNet, device: str) -> None:
    """A few updates of a network that is thrown away."""
    Trainer(recipe, data, join(device)).epoch(1, lambda done, total, loss: None, WARM_UP)


def seconds_to(history: pd.DataFrame, accuracy: float) -> tuple[float | None, int | None]:
    """Seconds of training up to the first epoch that reaches ``accuracy``, and its number."""
    reached = history[history.val_accuracy >= accuracy]
    if reached.empty:
        return None, None
    epoch = int(reached.epoch.iloc[0])
    return float(history.seconds[history.epoch <= epoch].sum()), epoch


def one_seed(recipe: Recipe, data: TinyImageNet, device: str, accuracy: float) -> dict[str, object]:
    """One fit in a folder that is thrown away."""
    with tempfile.TemporaryDirectory() as folder:
        history = fit(recipe, data, Path(folder) / "fit", device=device, progress=None).history()
    seconds, epoch = seconds_to(history, accuracy)
    return {
        "seed": recipe.seed,
        "seconds": seconds,
        "epoch": epoch,
        "all seconds": float(history.seconds.sum()),
        "epochs": len(history),
        "last accuracy": float(history.val_accuracy.iloc[-1]),
    }


def mean_sd(values: list[float]) -> tuple[float, float]:
    """Mean and standard deviation (0 for a single value)."""
    return statistics.mean(values), statistics.stdev(values) if len(values) > 1 else 0.0


def shown(value: object) -> str:
    """A cell of the table."""
    if value is None:
        return "never"
    return f"{value:.3f}" if isinstance(value, float) else str(value)


def arguments() -> argparse.Namespace:
    """The command line."""
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--data", default="sample", help="'sample' or the data set's folder")
    parser.add_argument("--network", default="resnet18")
    parser.add_argument("--recipe", default="fast")
    parser.add_argument("--accuracy", type=float, default=0.535, help="0..1, on val")
    parser.add_argument("--seeds", type=int, default=3)
    parser.add_argument("--device", default="auto")
    parser.add_argument("--classes", type=int)
    parser.add_argument("--per-class", type=int)
    parser.add_argument("--set", action="append", default=[], metavar="FIELD=VALUE")
    return parser.parse_args()


def main() -> None:
    """Train, print the table and the line of JSON."""
    args = arguments()
    recipe = recipes.get(args.recipe, args.network).replace(**parse_fields(args.set))
    data = open_data(args.data, classes=args.classes, per_class=args.per_class)
    device = join(args.device).device.type
    warm_up(recipe, data, device)
    rows = []
    for seed in range(args.seeds):
        rows.append(one_seed(recipe.replace(seed=seed), data, device, args.accuracy))
        print(rows[-1], flush=True)
    print(table([{name: shown(value) for name, value in row.items()} for row in rows]))
    report(rows, args, device)


def report(rows: list[dict], args: argparse.Namespace, device: str) -> None:
    """The line of JSON; seconds are over the seeds that got there."""
    there = [row["seconds"] for row in rows if row["seconds"] is not None]
    seconds = dict(zip(("seconds", "seconds sd"), mean_sd(there), strict=True)) if there else {}
    last = mean_sd([row["last accuracy"] for row in rows])
    ratios = {**seconds, "last accuracy": last[0], "last accuracy sd": last[1]}
    ratios["seeds that reached it"] = len(there) / len(rows)
    told = {"network": args.network, "recipe": args.recipe, "accuracy": args.accuracy}
    finish("time_to_accuracy", ratios, device, **told, seeds=len(rows), rows=rows)


if __name__ == "__main__":
    main()
