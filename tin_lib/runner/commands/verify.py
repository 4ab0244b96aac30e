"""``tin verify``, ``tin reproduce``."""

import argparse
from pathlib import Path
from typing import Any

from tin_lib.runner.commands.options import MOVED, add_folder, device

RUN = "a run's folder, e.g. runs/sample, or one fit's"


def add_verify(verbs: Any) -> None:
    """``tin verify RUN``"""
    p = verbs.add_parser(
        "verify",
        help="check that a run's files and results are unchanged and can be computed again",
        description="Compute digests, accuracies, predictions (from the weights and the data), "
        "votes and the report's figures again, and print one line for each: OK, DIFFERS (by how "
        "much), MISSING, not recorded, not checked or unknown. Exit status 1 if anything differs "
        "or is missing. Nothing is changed.",
    )
    add_folder(p, "RUN", RUN)
    p.add_argument("--data", help=MOVED)
    p.add_argument(
        "--quick", action="store_true", help="do not open the data, and do not predict again"
    )
    p.set_defaults(call=verify)


def verify(args: argparse.Namespace) -> int:
    """Print the checks as they are made; 1 if something differs or is missing."""
    from tin_lib.runner.verification.run import verify as checks_of

    return print_checks(checks_of(args.folder, args.data, args.quick), args.folder)


def print_checks(checks: Any, folder: Path) -> int:
    """Print one line a check, and the outcome; 1 if something differs or is missing."""
    made = 0
    wrong = []
    for check in checks:
        print(check, flush=True)
        made += 1
        wrong += [check] if check.wrong else []
    if not wrong:
        print(f"{folder}: {made} checks, nothing differs")
        return 0
    print(f"{folder}: {len(wrong)} of {made} checks show a difference:")
    for check in wrong:
        print(check)
    return 1


def add_reproduce(verbs: Any) -> None:
    """``tin reproduce RUN``"""
    p = verbs.add_parser(
        "reproduce",
        help="train a run's networks again elsewhere and compare",
        description="Train every fit of RUN again in --out, by its recorded recipe, data, seed, "
        "precision, number of threads and processes, count the votes, and say what differs and by "
        "how much. On the same CPU with the same versions nothing differs. Rerun to resume. "
        "Exit status 1 if anything differs.",
    )
    add_folder(p, "RUN", RUN)
    p.add_argument("--out", type=Path, required=True, help="a new folder, outside RUN")
    p.add_argument("--data", help=MOVED)
    p.add_argument("--device", type=device, help="auto, cpu or cuda (default: as recorded)")
    p.set_defaults(call=reproduce)


def reproduce(args: argparse.Namespace) -> int:
    """Train again and print the differences; 1 if there are any."""
    from tin_lib.runner.verification.reproduction import reproduce as checks_of

    return print_checks(checks_of(args.folder, args.out, args.data, args.device), args.out)
