"""The command line: ``tin`` or ``python -m tin_lib``."""

import argparse
import io
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
    verify,
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
    verify.add_verify,
    verify.add_reproduce,
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
    escape_unprintable()
    args = build_parser().parse_args(arguments)
    try:
        return args.call(args) or 0
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


def escape_unprintable() -> None:
    """Print characters that the terminal's encoding lacks as escapes instead of failing."""
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, io.TextIOWrapper):
            stream.reconfigure(errors="backslashreplace")


if __name__ == "__main__":
    sys.exit(main())
