"""``tin lr-find``."""

import argparse
from pathlib import Path
from typing import TYPE_CHECKING, Any

from tin_lib.runner.commands import options

if TYPE_CHECKING:
    import pandas as pd

ROWS = 15  # of the printed table


def add_lr_find(verbs: Any) -> None:
    """``tin lr-find NETWORK``"""
    p = verbs.add_parser(
        "lr-find",
        help="suggest a learning rate by a range test",
        description="Train NETWORK for some updates at learning rates that rise exponentially, "
        "print the loss by rate, and suggest a rate (Smith, 2017). Trains by the recipe's "
        "optimizer, penalties and augmentation; its rate and schedule are not used.",
    )
    options.add_recipe(p, "the recipe")
    p.add_argument("--low", type=float, default=1e-7, help="first rate")
    p.add_argument("--high", type=float, default=10.0, help="last rate")
    p.add_argument("--updates", type=int, default=100, help="number of updates")
    p.add_argument(
        "--out", type=Path, metavar="FILE.csv", help="write the whole curve here (default: nowhere)"
    )
    options.add_data(p)
    p.set_defaults(call=lr_find)


def lr_find(args: argparse.Namespace) -> None:
    """Test and print."""
    from tin_lib import files
    from tin_lib.analysis import lr_range

    lr_range.check(args.low, args.high, args.updates)
    if args.out and args.out.is_dir():
        raise ValueError(f"--out {args.out}: is a folder; name a file")
    recipe, data = options.chosen_recipe(args), options.open_data(args)
    table = lr_range.range_test(recipe, data, args.low, args.high, args.updates, args.device)
    print(table_text(table))
    print(suggestion_text(lr_range.suggest(table)))
    if args.out:
        files.write_table(table, args.out)
        print(args.out)


def table_text(table: "pd.DataFrame") -> str:
    """At most ROWS evenly spaced rows of the curve, and the last."""
    step = -(-len(table) // ROWS)
    kept = table[(table["update"] % step == 0) | (table["update"] == len(table) - 1)]
    lines = [f"{'update':>6}  {'lr':>9}  {'loss':>8}  {'smoothed':>8}"]
    for row in kept.itertuples():
        lines.append(f"{row.update:>6}  {row.lr:>9.2e}  {row.loss:>8.3f}  {row.smoothed:>8.3f}")
    return "\n".join(lines)


def suggestion_text(found: Any) -> str:
    """A ``lr_range.Suggestion`` in words."""
    if found.steepest != found.steepest:  # NaN
        return "no suggestion: the loss did not clearly fall; try more --updates or other bounds"
    return (
        f"suggested lr: {found.steepest:.1e} (the loss falls fastest), "
        f"{found.tenth:.1e} (a tenth of the rate of the smallest loss)"
    )
