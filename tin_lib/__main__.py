"""The command line: ``tin`` or ``python -m tin_lib``."""

import argparse
import io
import os
import sys
from collections.abc import Sequence

from tin_lib.runner.commands import (
    data,
    features,
    lr_find,
    prune,
    publish,
    results,
    run,
    training,
)
from tin_lib.runner.commands.options import Parser

VERBS = (
    data.add_download,
    data.add_sample,
    data.add_pack,
    features.add_features,
    features.add_probe,
    training.add_train,
    training.add_sweep,
    lr_find.add_lr_find,
    results.add_submit,
    prune.add_prune,
    publish.add_publish,
    publish.add_import,
    results.add_vote,
    run.add_run,
    results.add_browse,
)


def build_parser() -> argparse.ArgumentParser:
    """The parser of ``tin`` with all its verbs."""
    parser = Parser(
        prog="tin",
        description="The Tiny ImageNet workbook: data, training, predictions, and the whole study.",
    )
    verbs = parser.add_subparsers(dest="verb", required=True, metavar="VERB")
    for add in VERBS:
        add(verbs)
    return parser


def main(arguments: Sequence[str] | None = None) -> int:
    """Run one verb; exit status 0, 1 after failed work, 2 for bad input, 130 when interrupted."""
    replace_closed_streams()
    escape_unprintable()
    args = build_parser().parse_args(arguments)
    try:
        check_working_directory()
        status = args.call(args) or 0
        sys.stdout.flush()  # what cannot be printed is found here, not when Python ends
        return status
    except BrokenPipeError as error:
        return broken_pipe(error)
    except (ValueError, OSError) as error:
        print(f"tin: {error}", file=sys.stderr)
        return 2
    except ArithmeticError as error:
        print(f"tin: {error}", file=sys.stderr)
        return 1
    except KeyboardInterrupt as error:
        advice = str(error) or "interrupted; run the same command again to resume"
        print(f"tin: {advice}", file=sys.stderr)
        return 130


def replace_closed_streams() -> None:
    """Open the null device for standard streams that are closed (``>&-``): otherwise files of the
    work would get their numbers, and what libraries print."""
    for name, mode in (("stdin", "r"), ("stdout", "w"), ("stderr", "w")):
        if getattr(sys, name) is None:
            setattr(sys, name, open(os.devnull, mode, encoding="utf-8"))  # noqa: SIM115


def check_working_directory() -> None:
    """OSError if the working directory was deleted: the libraries' own errors do not say so."""
    try:
        os.getcwd()
    except FileNotFoundError:
        raise OSError("the working directory does not exist any more; cd to another") from None


def broken_pipe(error: OSError) -> int:
    """End silently like other programs if nobody reads standard output any more (``| head -1``),
    else name the error of the pipe that was written to."""
    try:
        print(flush=True)
    except BrokenPipeError:
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return 141  # as of a program that SIGPIPE ends
    print(f"tin: {error}", file=sys.stderr)
    return 2


def escape_unprintable() -> None:
    """Print characters that the terminal's encoding lacks as escapes instead of failing."""
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, io.TextIOWrapper):
            stream.reconfigure(errors="backslashreplace")


if __name__ == "__main__":
    sys.exit(main())
