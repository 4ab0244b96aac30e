"""The command line: ``tin`` or ``python -m tin_lib``."""

import argparse
import io
import os
import signal
import sys
import traceback
from collections.abc import Sequence
from typing import NoReturn

from tin_lib import __version__
from tin_lib.lab.process import end_process
from tin_lib.runner.commands import (
    completion,
    data,
    features,
    look,
    lr_find,
    prune,
    publish,
    results,
    run,
    training,
    verify,
)
from tin_lib.runner.commands.options import Parser
from tin_lib.runner.commands.signals import stop_signals

DEBUG = "show the traceback of an error"
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
    look.add_status,
    look.add_report,
    look.add_predict,
    results.add_browse,
    verify.add_verify,
    verify.add_reproduce,
    completion.add_completion,
)


def build_parser() -> argparse.ArgumentParser:
    """The parser of ``tin`` with all its verbs."""
    parser = Parser(
        prog="tin",
        description="The Tiny ImageNet workbook: data, training, predictions, and the whole study.",
    )
    parser.add_argument("--version", action="version", version=f"tin {__version__}")
    parser.set_defaults(root=parser)  # for the verb that prints what shells complete
    verbs = parser.add_subparsers(dest="verb", required=True, metavar="VERB")
    verbs.type = str  # whether its arguments are empty, each verb's own parser says
    for add in VERBS:
        add(verbs)
    for each in (parser, *verbs.choices.values()):  # `tin --debug VERB` and `tin VERB --debug`
        each.add_argument(
            "--debug", action="store_true", default=argparse.SUPPRESS, help=DEBUG.capitalize()
        )
    return parser


def main(arguments: Sequence[str] | None = None) -> int:
    """Run one verb; exit status 0, 1 after failed work, 2 for bad input, 130 when interrupted, 143
    when ended by SIGTERM (129 by SIGHUP)."""
    replace_closed_streams()
    escape_unprintable()
    args = build_parser().parse_args(arguments)
    with stop_signals() as received:
        try:
            check_working_directory()
            status = args.call(args) or 0
            sys.stdout.flush()  # what cannot be printed is found here, not when Python ends
            return status
        except KeyboardInterrupt as error:
            return interrupted(received, str(error))
        except BrokenPipeError as error:
            return broken_pipe(error)
        except Exception as error:
            if "debug" in args:
                traceback.print_exc()
            if received:  # such as the loss of child processes that got the same signal
                return interrupted(received)
            message, status = explain(error)
            print(f"tin: {message}", file=sys.stderr)
            return status


def interrupted(received: Sequence[int], advice: str = "") -> int:
    """Say how to go on after a signal; its exit status."""
    print(f"tin: {advice or 'interrupted; run the same command again to resume'}", file=sys.stderr)
    return 128 + (received[0] if received else signal.SIGINT)


def explain(error: Exception) -> tuple[str, int]:
    """One line for an error, and the exit status: 2 for bad input, 1 for anything else."""
    text = "; ".join(line.strip() for line in str(error).splitlines() if line.strip())
    if isinstance(error, FileExistsError | NotADirectoryError) and os.path.isfile(error.filename):
        return f"{error.filename} is a file, not a folder; choose another path", 2
    if isinstance(error, ValueError | OSError) and text:
        return text, 2
    if isinstance(error, ArithmeticError) and type(error).__module__ != "builtins":
        return text, 1  # such as Diverged
    return f"{type(error).__name__}: {text} (--debug: {DEBUG})", 1


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


def program() -> NoReturn:
    """The installed command: ``main``, and the end of the process."""
    end_process(main())


if __name__ == "__main__":
    program()
