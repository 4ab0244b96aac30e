"""The full study: everything for results/ in one command that can be cut off and run again.

    python benchmarks/full_scale.py DATA OUT [--minutes 25] [--only speed fast modern/vgg16 ...]
        [--imagenet FOLDER] [--commit ID] [--device auto]
    rehearsal: [--classes 10 --per-class 50 --width 0.125 --epochs-scale 0.01 --eager]

Run again with the same arguments it goes on: finished items are skipped, a fit goes on from its
last checkpoint. Items, in order (``--only`` takes them by the start of their names):

  speed           images/s of every recipe; of the compiled ones, while its share of the minutes
                  lasts, also of the bare step, and the device's matrix-product rate; from it
                  follow the epochs that fit into the minutes
  fast, modern/*, best, paper/*   the fits
  time_to_accuracy   fast from two more seeds: seconds to the paper's best accuracy, 0.535
  steps           the bare steps that speed had no time for
  ensembles       votes over the paper's three networks, and over modern/vgg16, convnet9 and best
  tables          results.csv, histories.csv, time_to_accuracy.json
  figures         curves of every fit, where plotly is there

The last three are quick, and done again after every other item with what is there by then. An item
that would start after the minutes are over is skipped; the next run takes it up. The plan is made
once: in later runs --minutes is only that limit. At the end come one table and a line of JSON.

In OUT: manifest.json says how everything was made; plan.json holds the recipes as they are run.
results.tar.gz (small files) and scores-1 to scores-3.tar.gz (scores of val and test as float16),
each below 16 MiB and up to date after every item, hold all that is needed to go on: unpack them in
an empty folder, on another machine if need be, and run the command with it. Weights and predictions
of training images stay behind. Paper recipes start from ImageNet weights where these are to be had
(torch.hub's cache, the network, or FOLDER with vgg16.pth and alexnet.pth), else from random ones,
which the plan notes.
"""

from __future__ import annotations

import argparse
import sys
from pathlib import Path

from _common import finish  # isort: split

import _archive
import _marks
import _study

from tin_lib.files import only_one

AGAIN = "the same command goes on"


def arguments() -> argparse.Namespace:
    """The command line."""
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("data", help="'sample' or the data set's folder")
    parser.add_argument("out", type=Path)
    parser.add_argument("--minutes", type=float, default=25, help="to plan for, and the limit")
    parser.add_argument("--only", nargs="+", default=[""], metavar="ITEM")
    parser.add_argument("--imagenet", type=Path, help="folder with vgg16.pth and alexnet.pth")
    parser.add_argument("--commit", help="what git rev-parse says where the code came from")
    parser.add_argument("--device", default="auto")
    parser.add_argument("--classes", type=int)
    parser.add_argument("--per-class", type=int)
    parser.add_argument("--width", type=float, default=1.0, help="times each recipe's own")
    parser.add_argument("--epochs-scale", type=float, default=1.0)
    parser.add_argument("--eager", action="store_true", help="without torch.compile")
    return parser.parse_args()


def main() -> int:
    """Do what is left to do; 1 when something failed."""
    args = arguments()
    try:
        with only_one(args.out / ".lock", f"the study {args.out}"):
            study = _study.Study(args)
            for name, call in _study.items().items():
                if any(name.startswith(start) for start in args.only):
                    study.do(name, call)
            _archive.pack(study.out)  # the last word of the manifest
    except ValueError as error:
        sys.exit(f"full_scale: {error}")
    report(study)
    return 1 if study.left("failed") else 0


def report(study: _study.Study) -> None:
    """What is left, the table, and the line of JSON."""
    for state in ("failed", "skipped"):
        if names := study.left(state):
            print(f"{state}: {', '.join(names)} (see manifest.json; {AGAIN})")
    print(_marks.shown(study.out))
    about = {"data": Path(study.args.data).name, **study.settings, "seed": 0}
    sessions = len(study.manifest["sessions"])
    ratios = _marks.ratios(study.out, study.seconds())
    device = study.device.type
    finish("full_scale", ratios, device, commit=study.commit, **about, sessions=sessions)


if __name__ == "__main__":
    sys.exit(main())
