"""``tin status``, ``tin report``, ``tin predict``."""

import argparse
from pathlib import Path
from typing import Any

from tin_lib.runner.commands.options import add_folder

RUN = "a run's folder, e.g. runs/sample"


def add_status(verbs: Any) -> None:
    """``tin status RUN``"""
    p = verbs.add_parser(
        "status",
        help="show the state of a run, and what to run next",
        description="Print each notebook's state, each network's epochs, and what to run next. "
        "Opens no data and changes nothing.",
    )
    add_folder(p, "RUN", RUN)
    add_workbook(p)
    p.set_defaults(call=status)


def add_workbook(parser: argparse.ArgumentParser) -> None:
    """Declare the option for another workbook."""
    parser.add_argument(
        "--workbook", type=Path, metavar="FILE", help="its workbook.yaml (default: as recorded)"
    )


def status(args: argparse.Namespace) -> None:
    """Print the state."""
    from tin_lib.runner.status import status as lines_of

    for line in lines_of(args.folder, args.workbook):
        print(line)


def add_report(verbs: Any) -> None:
    """``tin report RUN``"""
    p = verbs.add_parser(
        "report",
        help="write a run's report again, without running a notebook",
        description="Write RUN/results.csv and RUN/report/index.html from what is in RUN, finished "
        "or not, and print the report's path.",
    )
    add_folder(p, "RUN", RUN)
    add_workbook(p)
    p.set_defaults(call=report)


def report(args: argparse.Namespace) -> None:
    """Write the report."""
    from tin_lib.runner import study

    run = args.folder.resolve()
    print(study.write_report(run, study.recorded_workbook(run, args.workbook)))


def add_predict(verbs: Any) -> None:
    """``tin predict FIT PICTURE…``"""
    p = verbs.add_parser(
        "predict",
        help="name the five most probable classes of pictures of your own",
        description="Print the five most probable classes of each picture, by a trained network, "
        "with their probabilities. Pictures of another size are resized to 64×64 "
        "pixels, and a line says so.",
    )
    add_folder(p, "FIT", "a fit's folder, e.g. runs/x/networks/vgg16")
    p.add_argument("pictures", type=Path, nargs="+", metavar="PICTURE", help="files of images")
    p.set_defaults(call=predict)


def predict(args: argparse.Namespace) -> None:
    """Read the pictures and print the classes."""
    from tin_lib.analysis import pictures, runs

    found = [pictures.read(path) for path in args.pictures]  # first: the network takes longer
    fit = runs.open_fit(args.folder)
    for picture, best in zip(found, pictures.classify(fit, found)):
        print(f"{picture.path}: {picture.about}")
        for row in best.itertuples():
            print(f"  {row.probability:6.1%}  {row.name}")
