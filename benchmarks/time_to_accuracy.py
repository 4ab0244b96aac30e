"""Seconds of training until a validation accuracy is reached: mean and deviation over seeds.

    python benchmarks/time_to_accuracy.py [--data sample|DIR] [--network resnet18] [--recipe fast]
        [--accuracy 0.535] [--within 60] [--seeds 3] [--device auto] [--classes N] [--per-class N]
        [--set FIELD=VALUE ...]

Each seed is one fit from its starting weights. The seconds are those of its epochs: augmenting,
forward, backward, update; not evaluating, saving or opening the data. The time ends with the
first epoch that reaches the validation accuracy. Before that, another network is trained for a few
updates by the same recipe and discarded, so that libraries are loaded, kernels chosen and compiled.
Further compilation within a fit is counted. 0.535 is the validation accuracy of the paper's best
network. The mean of the seconds is compared with --within, the mark on one H100.
"""

from __future__ import annotations

import argparse
import statistics
import tempfile
from pathlib import Path

from _common import finish, table  # isort: split

import pandas as pd

from tin_lib import recipes
from tin_lib.data import TinyImageNet, open_data
from tin_lib.recipes import Recipe
from tin_lib.runner.commands.options import parse_fields
from tin_lib.train import Trainer, fit
from tin_lib.train.distributed import join

WARM_UP = 5  # updates


def warm_up(recipe: Recipe, data: TinyImageNet, device: str) -> None:
    """A few updates of a network that is discarded."""
    Trainer(recipe, data, join(device)).epoch(1, lambda done, total, loss: None, WARM_UP)


def seconds_to(history: pd.DataFrame, accuracy: float) -> tuple[float | None, int | None]:
    """Seconds of training up to the first epoch that reaches ``accuracy``, and its number."""
    reached = history[history.val_accuracy >= accuracy]
    if reached.empty:
        return None, None
    epoch = int(reached.epoch.iloc[0])
    return float(history.seconds[history.epoch <= epoch].sum()), epoch


def one_seed(recipe: Recipe, data: TinyImageNet, device: str, accuracy: float) -> dict[str, object]:
    """One fit in a temporary folder."""
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


def spread(values: list[float]) -> str:
    """Mean ± standard deviation of the seeds that reached it."""
    return "{:.3f} ± {:.3f}".format(*mean_sd(values)) if values else "never"


def last_row(rows: list[dict]) -> dict[str, str]:
    """The table's last row: mean ± deviation of every column over the seeds."""
    columns = {name: [r[name] for r in rows if r[name] is not None] for name in rows[0]}
    return {name: spread(values) for name, values in columns.items()} | {"seed": "mean ± sd"}


def arguments() -> argparse.Namespace:
    """The command line."""
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--data", default="sample", help="'sample' or the data set's folder")
    parser.add_argument("--network", default="resnet18")
    parser.add_argument("--recipe", default="fast")
    parser.add_argument("--accuracy", type=float, default=0.535, help="0..1, on val")
    parser.add_argument("--within", type=float, default=60, help="seconds, the mark")
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
    cells = [{name: shown(value) for name, value in row.items()} for row in rows]
    print(table([*cells, last_row(rows)]))
    names = ("network", "recipe", "accuracy", "within", "classes", "per_class")
    told = {name: getattr(args, name) for name in names}
    seeds = [row["seed"] for row in rows]
    finish("time_to_accuracy", ratios(rows, args), device, **told, seed=seeds, rows=rows)


def ratios(rows: list[dict], args: argparse.Namespace) -> dict[str, float]:
    """Share of the seeds that reached it; the mark over their mean seconds; last accuracy over
    ``--accuracy``.
    """
    there = [row["seconds"] for row in rows if row["seconds"] is not None]
    last = statistics.mean(row["last accuracy"] for row in rows)
    found = {"seeds that reached it": len(there) / len(rows)}
    found["last accuracy / accuracy"] = last / args.accuracy
    if there:
        found["within / mean seconds"] = args.within / statistics.mean(there)
    return found


if __name__ == "__main__":
    main()
