"""``tin train``, ``tin sweep``."""

import argparse
import json
from pathlib import Path
from typing import Any

from tin_lib.runner.commands import options


def add_train(verbs: Any) -> None:
    """``tin train NETWORK``"""
    p = verbs.add_parser(
        "train",
        help="train one network by a recipe",
        description="Train one network. Rerun the same command to resume an interrupted fit. "
        "Under torchrun every process computes its share of each batch.",
    )
    options.add_recipe(p, "the recipe")
    p.add_argument("--out", type=Path, required=True, help="the fit's folder")
    p.add_argument(
        "--profile-steps",
        type=int,
        metavar="N",
        help="profile N updates: OUT/profile.txt, OUT/trace.json (default: train)",
    )
    options.add_data(p)
    p.set_defaults(call=train)


def train(args: argparse.Namespace) -> None:
    """Train, or profile."""
    from tin_lib.runner import profile
    from tin_lib.runner.jobs import fits
    from tin_lib.train import distributed, fit

    recipe, data = options.chosen_recipe(args), options.open_data(args)
    fits.check({recipe.network: recipe}, data.num_classes)  # what is refused leaves no folder
    if args.profile_steps is not None:
        text = profile.profile(recipe, data, args.out, args.profile_steps, args.device)
    else:
        figures = fit(recipe, data, args.out, device=args.device).summary
        text = json.dumps({k: v for k, v in figures.items() if not isinstance(v, dict)})
    writes = distributed.join(args.device).writes
    distributed.leave()
    if writes:
        print(text)


def add_sweep(verbs: Any) -> None:
    """``tin sweep NETWORK``"""
    p = verbs.add_parser(
        "sweep",
        help="train one network with every combination of some fields' values",
        description="Train NETWORK once for each combination of the grid, in parallel, and write "
        "OUT/sweep.csv. Rerun the same command to resume. With --holdout 0.1 the best fit is "
        "chosen on a held-out part of train, and validation accuracy is only reported.",
    )
    options.add_recipe(p, "all of the fits")
    p.add_argument("--out", type=Path, required=True, help="the sweep's folder")
    p.add_argument(
        "--grid",
        action="append",
        required=True,
        metavar="FIELD=VALUE,VALUE",
        help="values of a recipe's field, e.g. lr=0.01,0.1; once for each field",
    )
    p.add_argument("--jobs", type=int, default=1, help="number of fits to train in parallel")
    p.add_argument(
        "--cluster",
        metavar="ADDRESS",
        help="train on the dask cluster at ADDRESS (default: this machine)",
    )
    p.add_argument("--threads", type=int, help="CPU threads of each fit (default: cores / jobs)")
    options.add_data(p)
    p.set_defaults(call=sweep)


def sweep(args: argparse.Namespace) -> int:
    """Train all combinations; 1 if one failed."""
    from tin_lib.runner.jobs.executor import open_executor
    from tin_lib.runner.jobs.resources import threads_each
    from tin_lib.runner.jobs.sweep import parse_grid
    from tin_lib.runner.jobs.sweep import sweep as train_all

    recipe = options.chosen_recipe(args)
    grid, data = parse_grid(args.grid), options.open_data(args)
    how = {"device": args.device, "threads": threads_each(args.threads, args.jobs, args.cluster)}
    with open_executor(args.jobs, args.cluster) as executor:
        table = train_all(recipe, grid, data, args.out, executor, **how, report=print_row)
    print(table.drop(columns=["fit", "error"]).dropna(axis=1, how="all").to_string(index=False))
    print(args.out / "sweep.csv")
    return int((table.error != "").any())


def print_row(done: int, total: int, row: dict[str, Any]) -> None:
    """Print one finished fit of a sweep."""
    result = row["error"] or f"val {row['val_accuracy']:.3f} in {row['seconds']:,.0f} s"
    print(f"[{done}/{total}] {row['fit']}: {result}", flush=True)
