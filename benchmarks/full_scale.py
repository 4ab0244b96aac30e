"""The full study: everything for results/ in one command that can be interrupted and resumed.

    python benchmarks/full_scale.py DATA OUT [--minutes 25] [--only speed fast modern/vgg16 ...]
        [--imagenet FOLDER] [--commit ID] [--device auto]
    rehearsal: [--classes 10 --per-class 50 --width 0.125 --epochs-scale 0.01 --eager]

Run again with the same arguments it resumes: finished items are skipped, a fit resumes from its
last checkpoint. Items, in order (``--only`` selects them by the start of their names):

  speed           images/s of every recipe, and the device's matrix-product rate; for the compiled
                  recipes also images/s of the bare step, as far as this item's share of the
                  minutes allows; the number of epochs of each fit is derived from it
  fast, modern/*, best, paper/*   the fits
  time_to_accuracy   fast with two more seeds: seconds to the paper's best accuracy, 0.535
  steps           the bare steps that speed had no time for
  ensembles       votes over the paper's three networks, and over modern/vgg16, convnet9 and best
  tables          results.csv, histories.csv, time_to_accuracy.json
  figures         curves of every fit, if plotly is installed

The last three are quick, and are repeated after every other item with the fits finished by then.
An item that would start after the minutes are over is skipped; the next run does it. The plan is
made once: in later runs --minutes is only that limit. The output ends with a table and a line of
JSON.

In OUT: manifest.json records how everything was made; plan.json holds the recipes as they are run.
results.tar.gz (small files) and scores-1 to scores-3.tar.gz (scores of val and test as float16),
each below 16 MiB and updated after every item, hold all that is needed to resume: unpack them in
an empty folder, also on another machine, and pass it as OUT. Weights and predictions of training
images are not in the archives. Paper recipes start from ImageNet weights if these are available
(torch.hub's cache, a download, or FOLDER with vgg16.pth and alexnet.pth), else from random ones,
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

AGAIN = "run the same command to resume"


def arguments() -> argparse.Namespace:
    """The command line."""
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("data", help="'sample' or the data set's folder")
    parser.add_argument("out", type=Path)
    parser.add_argument("--minutes", type=float, default=25, help="to plan for, and the limit")
    parser.add_argument("--only", nargs="+", default=[""], metavar="ITEM")
    parser.add_argument("--imagenet", type=Path, help="folder with vgg16.pth and alexnet.pth")
    parser.add_argument("--commit", help="the code's commit, if OUT is written outside a checkout")
    parser.add_argument("--device", default="auto")
    parser.add_argument("--classes", type=int)
    parser.add_argument("--per-class", type=int)
    parser.add_argument("--width", type=float, default=1.0, help="factor on each recipe's width")
    parser.add_argument("--epochs-scale", type=float, default=1.0)
    parser.add_argument("--eager", action="store_true", help="without torch.compile")
    return parser.parse_args()


def main() -> int:
    """Do the remaining items; 1 if an item failed."""
    args = arguments()
    try:
        with only_one(args.out / ".lock", f"the study {args.out}"):
            study = _study.Study(args)
            for name, call in _study.items().items():
                if any(name.startswith(start) for start in args.only):
                    study.do(name, call)
            _archive.pack(study.out)  # with the final manifest
    except ValueError as error:
        sys.exit(f"full_scale: {error}")
    report(study)
    return 1 if study.left("failed") else 0


def report(study: _study.Study) -> None:
    """Print the failed and skipped items, the table, and the line of JSON."""
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
