"""The full study: everything for results/ in one command that can be cut off and run again.

    python benchmarks/full_scale.py DATA OUT [--minutes 25] [--only speed fast modern/vgg16 ...]
        [--imagenet FOLDER] [--commit ID] [--device auto]
    rehearsal: [--classes 10 --per-class 50 --width 0.125 --epochs-scale 0.01 --eager]

Run again with the same arguments it goes on: finished items are skipped, a fit goes on from its
last epoch. Items, in order (``--only`` takes them by the start of their names):

  speed           the device's matrix-product rate; images/s of every recipe, of fit and of the bare
                  step; from it follow the epochs that fit into each item's share of the minutes
  fast, modern/*, best, paper/*   the fits; time to 0.535 follows from the history of fast
  ensembles       votes over the paper's three networks, and over the modern ones and best
  tables          results.csv, histories.csv, time_to_accuracy.json
  figures         curves of every fit, where plotly is there

In OUT: manifest.json says how everything was made; plan.json holds the recipes as they are run;
results.tar.gz holds all but weights, scores and predictions of training images. Paper recipes start
from ImageNet weights where these are to be had (torch.hub's cache, the network, or FOLDER with
vgg16.pth and alexnet.pth), else from random ones, which the plan notes.
"""

from __future__ import annotations

import argparse
import sys
from pathlib import Path

import _study

WARNING = "some items failed; see manifest.json. Run the same command again to go on"


def arguments() -> argparse.Namespace:
    """The command line."""
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("data", help="'sample' or the data set's folder")
    parser.add_argument("out", type=Path)
    parser.add_argument("--minutes", type=float, default=25, help="for the whole study")
    parser.add_argument("--only", nargs="+", default=[""], metavar="ITEM")
    parser.add_argument("--imagenet", type=Path, help="folder with vgg16.pth and alexnet.pth")
    parser.add_argument("--commit", help="what git rev-parse says where the code came from")
    parser.add_argument("--device", default="auto")
    parser.add_argument("--classes", type=int)
    parser.add_argument("--per-class", type=int)
    parser.add_argument("--width", type=float, default=1.0)
    parser.add_argument("--epochs-scale", type=float, default=1.0)
    parser.add_argument("--eager", action="store_true", help="without torch.compile")
    return parser.parse_args()


def main() -> int:
    """Do what is left to do; 1 when something failed."""
    args = arguments()
    try:
        study = _study.Study(args)
    except ValueError as error:
        sys.exit(f"full_scale: {error}")
    for name, call in _study.items():
        if any(name.startswith(start) for start in args.only):
            study.do(name, call)
    failed = [name for name, item in study.manifest["items"].items() if item["state"] != "done"]
    print(f"{WARNING}: {', '.join(failed)}" if failed else f"all done: {args.out}")
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())
