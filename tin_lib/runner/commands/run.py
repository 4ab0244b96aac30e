"""``tin run``. Imports only what building the parser needs."""

import argparse
import sys
from pathlib import Path
from typing import Any


def add_run(verbs: Any) -> None:
    """``tin run``"""
    p = verbs.add_parser(
        "run",
        help="run the whole workbook and build its report",
        description="Run the notebooks in the order of their dependencies, skip those that are up "
        "to date, and write RUN/results.csv and RUN/report/index.html. If a notebook fails, those "
        "that do not need it still run; run the same command again to resume.",
    )
    add_arguments(p.add_argument)
    p.set_defaults(call=run)


def add_arguments(add: Any) -> None:
    """Declare the options of ``tin run``."""
    add("--data", default="sample", help="'sample' or a folder of images")
    add("--run", type=Path, help="the run's folder (default: runs/DATA-PROFILE, or runs/sample)")
    add(
        "--profile",
        default="sample",
        help="set of parameters: sample, laptop, paper or modern; pretrained: a published network "
        "instead of training",
    )
    add(
        "-p",
        "--parameter",
        action="append",
        default=[],
        metavar="NN.NAME=VALUE",
        help="set a notebook's parameter, e.g. 02.epochs=3; all.NAME for every notebook with it",
    )
    add("--jobs", type=int, default=1, help="number of notebooks to run in parallel")
    add(
        "--cluster",
        metavar="ADDRESS",
        help="address of a dask cluster's scheduler to run on (default: this machine)",
    )
    add("--threads", type=int, help="CPU threads of each notebook (default: cores / jobs)")
    add(
        "--only",
        action="append",
        default=[],
        metavar="NN",
        help="run only this notebook; its inputs must exist",
    )
    add(
        "--group",
        action="append",
        default=[],
        help="run this group's notebooks and those they need (default: study, notebooks 01 to 09)",
    )
    add("--dry-run", action="store_true", help="print what would run, and why; change nothing")
    add("--force", action="store_true", help="also run notebooks that are up to date")
    add(
        "--workbook",
        type=Path,
        metavar="FILE",
        help="another workbook.yaml, or its folder (default: the repository's)",
    )


def run(args: argparse.Namespace) -> int:
    """Run the workbook as asked; 0 if every notebook succeeded, 1 if one failed.

    Raises ValueError, FileNotFoundError or KeyboardInterrupt for ``tin`` to report.
    """
    from tin_lib.runner.study import preview, run_workbook
    from tin_lib.runner.workbook import options as how
    from tin_lib.runner.workbook.parameters import parse_assignments

    options = how.Options(
        parameters=parse_assignments(args.parameter),
        jobs=args.jobs,
        cluster=args.cluster,
        threads=args.threads,
        only=args.only,
        groups=args.group,
        force=args.force,
        workbook=args.workbook,
        fingerprint=how.packed_fingerprint if args.dry_run else how.data_fingerprint,
    )
    if args.dry_run:
        return show(*preview(args.data, args.run, args.profile, options))
    result = run_workbook(args.data, args.run, args.profile, options)
    failed = [outcome.name for outcome in result.outcomes if outcome.status == how.FAILED]
    if failed:
        names = ", ".join(failed)
        print(f"tin: failed: {names}; run the same command again to resume", file=sys.stderr)
    print(result.report)
    return 0 if result.ok else 1


def show(run: Path, steps: Any) -> int:
    """Print what would run; 0."""
    width = max((len(step.name) for step in steps), default=0)
    for step in steps:
        print(f"{step.name:<{width}}  {step}")
    would = sum(bool(step.reason) for step in steps)
    print(f"{would} of {len(steps)} notebooks would run in {run}; nothing was changed")
    return 0
