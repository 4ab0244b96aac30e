"""The verb ``tin run``. Imports only what building the parser needs."""

import argparse
import signal
import sys
from pathlib import Path
from typing import Any


def add_run_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the options of ``tin run``."""
    parser.description = (
        "Run the notebooks in the order that they need, skip what is up to date, and write "
        "RUN/results.csv and RUN/report/index.html. A failing notebook lets those that do not "
        "need it finish; the same command goes on from there."
    )
    add = parser.add_argument
    add("--data", default="sample", help="'sample' or the folder tiny-imagenet-200")
    add("--run", type=Path, help="the run's folder (default runs/PROFILE)")
    add("--profile", default="sample", help="set of parameters: sample, laptop, paper or modern")
    add(
        "-p",
        "--parameter",
        action="append",
        default=[],
        metavar="NN.NAME=VALUE",
        help="set a notebook's parameter, e.g. 02.epochs=3; all.NAME for every notebook with it",
    )
    add("--jobs", type=int, default=1, help="notebooks side by side on this machine (default 1)")
    add("--cluster", metavar="ADDRESS", help="run on the dask cluster whose scheduler is there")
    add("--threads", type=int, help="CPU threads a notebook (default: the cores shared out)")
    add("--only", action="append", default=[], metavar="NN", help="run this notebook alone")
    add("--force", action="store_true", help="run also what is up to date")
    add("--notebooks", type=Path, metavar="DIR", help="folder of workbook.yaml")


def run_command(args: argparse.Namespace) -> int:
    """Run the workbook as asked; 0 when every notebook is fine, 1 when one failed.

    Raises ValueError, FileNotFoundError or KeyboardInterrupt for ``tin`` to report.
    """
    from tin_lib.runner.workbook.options import FAILED, Options
    from tin_lib.runner.workbook.parameters import parse_assignments
    from tin_lib.runner.workbook.run import run_workbook

    options = Options(
        parameters=parse_assignments(args.parameter),
        jobs=args.jobs,
        cluster=args.cluster,
        threads=args.threads,
        only=args.only,
        force=args.force,
        notebooks=args.notebooks,
    )
    signal.signal(signal.SIGTERM, interrupt)  # a batch system's stop ends the steps as Ctrl-C does
    run = args.run or Path("runs") / args.profile
    result = run_workbook(args.data, run, args.profile, options)
    failed = [outcome.name for outcome in result.outcomes if outcome.status == FAILED]
    if failed:
        print(f"tin: failed: {', '.join(failed)}; the same command goes on", file=sys.stderr)
    print(result.report)
    return 0 if result.ok else 1


def interrupt(number: int, frame: Any) -> None:
    """Treat a signal as Ctrl-C."""
    raise KeyboardInterrupt
