"""``tin download``, ``tin sample``, ``tin pack``."""

import argparse
import os
import sys
from pathlib import Path
from typing import Any

from tin_lib.runner.commands.options import add_folder
from tin_lib.runner.percent import percent_bar


def add_download(verbs: Any) -> None:
    """``tin download DIR``"""
    p = verbs.add_parser(
        "download",
        help="download and unpack the official zip",
        description="Download the official zip (resuming a partial one), check and unpack it.",
    )
    p.add_argument("folder", type=Path, metavar="DIR")
    p.add_argument(
        "--source",
        help="another address, or a local file: a zip or tar archive (default: the official zip's)",
    )
    p.add_argument("--md5", help="expected md5; none: no check (default: the official zip's)")
    p.add_argument("--size", type=int, help="expected bytes (default: the official zip's)")
    p.set_defaults(call=download)


def download(args: argparse.Namespace) -> None:
    """Download, check and unpack."""
    from tin_lib.data.layout import OFFICIAL
    from tin_lib.runner.download import download

    given: dict[str, Any] = {} if args.source is None else {"source": args.source}
    if args.md5 is not None:  # another archive, of whatever size
        given |= {"md5": None if args.md5.lower() == "none" else args.md5, "size": args.size}
    elif args.size is not None:
        given["size"] = args.size
    before = (Path(os.path.expanduser(args.folder)) / OFFICIAL).exists()
    print(folder := download(args.folder, progress=percent_bar("download"), **given))
    if before:
        print(f"{folder} already exists; to unpack it again, move it away", file=sys.stderr)


def add_sample(verbs: Any) -> None:
    """``tin sample DIR``"""
    p = verbs.add_parser("sample", help="write the built-in synthetic sample into DIR")
    p.add_argument("folder", type=Path, metavar="DIR")
    p.set_defaults(call=sample)


def sample(args: argparse.Namespace) -> None:
    """Write the sample."""
    from tin_lib import sample as built_in

    print(built_in.write(args.folder))


def add_pack(verbs: Any) -> None:
    """``tin pack DATA``"""
    p = verbs.add_parser("pack", help="read the image files once into packed arrays")
    add_folder(p, "DATA", "the folder tiny-imagenet-200, or class folders of images")
    p.set_defaults(call=pack)


def pack(args: argparse.Namespace) -> None:
    """Pack and describe."""
    from tin_lib import data

    data.pack(args.folder, progress=percent_bar("pack"))
    opened = data.open_data(args.folder)
    for split in (opened.train, opened.val, opened.test):
        print(f"{split.name}: {len(split):,} images")
    print(f"mean {opened.mean.round(3)}  std {opened.std.round(3)}  ({opened.num_classes} classes)")
