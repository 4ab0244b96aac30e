"""``tin submit``, ``tin vote``, ``tin browse``."""

import argparse
import sys
from pathlib import Path
from typing import Any

from tin_lib.runner.commands.options import MOVED, add_folder


def add_submit(verbs: Any) -> None:
    """``tin submit FIT``"""
    p = verbs.add_parser("submit", help="write a fit's test predictions in the challenge's format")
    add_folder(p, "FIT", "a fit's folder, e.g. runs/x/networks/vgg16")
    p.add_argument("-o", "--out", type=Path, required=True, help="the file to write")
    p.set_defaults(call=submit)


def submit(args: argparse.Namespace) -> None:
    """Write ``test_N.JPEG wnid`` lines."""
    from tin_lib import runs
    from tin_lib.analysis import submission

    table = runs.open_fit(args.folder).predictions("test")
    submission.write_submission(args.out, list(table.file), list(table.predicted))
    report(f"{args.out}: {len(table):,} lines", args.out)


def report(text: str, out: Path) -> None:
    """Print what was written; not on standard output where that may be what was written into."""
    apart = out.is_file() and not str(out.absolute()).startswith(("/dev/", "/proc/"))
    print(text, file=sys.stdout if apart else sys.stderr)


def add_vote(verbs: Any) -> None:
    """``tin vote FILE FILE …``"""
    p = verbs.add_parser(
        "vote", help="majority vote over prediction files in the challenge's format"
    )
    p.add_argument("files", type=Path, nargs="+", metavar="FILE")
    p.add_argument("--fallback", type=Path, required=True, help="the file that decides ties")
    p.add_argument("-o", "--out", type=Path, required=True, help="the file to write")
    p.set_defaults(call=vote)


def vote(args: argparse.Namespace) -> None:
    """Vote and write."""
    from tin_lib.analysis import submission

    submission.vote_files(args.files, args.fallback, args.out)
    report(str(args.out), args.out)


def add_browse(verbs: Any) -> None:
    """``tin browse RUN``"""
    p = verbs.add_parser(
        "browse",
        help="browse a run's saliency maps, filters or errors in a web page",
        description="Serve a browser of a run on 127.0.0.1 behind a token, until Ctrl-C.",
    )
    add_folder(p, "RUN", "a run's folder, e.g. runs/sample")
    kinds = ("saliency", "filters", "confusion")
    p.add_argument("--show", choices=kinds, default="saliency", help="what (default: saliency)")
    p.add_argument("--data", type=Path, help=MOVED)
    p.add_argument("--port", type=int, help="port to listen on (default: a free one)")
    p.add_argument("--no-open", action="store_true", help="print the address, open no web browser")
    p.add_argument("--dark", action="store_true", help="dark theme")
    p.set_defaults(call=browse)


def browse(args: argparse.Namespace) -> None:
    """Serve the browser."""
    from tin_lib.lab.widgets.serve import serve

    serve(args.folder, args.data, args.port, not args.no_open, args.dark, args.show)
