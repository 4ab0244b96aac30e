"""The command line: ``tin`` or ``python -m tin_lib``."""

import argparse
import sys
from collections.abc import Sequence

from tin_lib.runner import commands


def build_parser() -> argparse.ArgumentParser:
    """The parser of ``tin`` with all its verbs."""
    parser = argparse.ArgumentParser(
        prog="tin",
        description="The Tiny ImageNet workbook: data, training, predictions, and the whole study.",
    )
    verbs = parser.add_subparsers(dest="verb", required=True, metavar="VERB")
    for add in commands.VERBS:
        add(verbs)
    return parser


def main(arguments: Sequence[str] | None = None) -> int:
    """Run one verb; exit status 0, 1 after failed work, 2 for bad input, 130 when interrupted."""
    args = build_parser().parse_args(arguments)
    try:
        return args.call(args) or 0
    except (ValueError, OSError) as error:
        print(f"tin: {error}", file=sys.stderr)
        return 2
    except ArithmeticError as error:
        print(f"tin: {error}", file=sys.stderr)
        return 1
    except KeyboardInterrupt:
        print("tin: interrupted; the same command goes on from what is finished", file=sys.stderr)
        return 130


if __name__ == "__main__":
    sys.exit(main())
