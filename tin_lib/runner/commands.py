"""The verbs of the command line. Each ``add_…`` declares one and names the function it calls."""

import argparse
import json
import signal
from pathlib import Path
from typing import Any

from tin_lib.progress import percent_bar


def _add_data(parser: argparse.ArgumentParser) -> None:
    """The options that say which data, the same for every verb that reads some."""
    parser.add_argument("--data", default="sample", help="'sample' or the folder tiny-imagenet-200")
    parser.add_argument("--classes", type=int, help="take this many classes, evenly spread")
    parser.add_argument("--per-class", type=int, help="take this many training images a class")
    parser.add_argument(
        "--holdout",
        type=float,
        default=0.0,
        help="share of train held out for choosing (default 0)",
    )


def _open_data(args: argparse.Namespace) -> Any:
    from tin_lib.data import open_data

    return open_data(
        args.data, classes=args.classes, per_class=args.per_class, holdout=args.holdout
    )


def add_download(verbs: Any) -> None:
    """``tin download DIR``"""
    p = verbs.add_parser(
        "download",
        help="fetch and unpack the official zip",
        description="Fetch the official zip (resuming after a cut), check it, unpack it into DIR.",
    )
    p.add_argument("folder", type=Path, metavar="DIR")
    p.add_argument("--source", help="another address, or a local zip file")
    p.add_argument("--md5", help="expected md5 of the zip, if it is not the official one")
    p.add_argument("--size", type=int, help="expected size in bytes, if it is not the official one")
    p.set_defaults(call=download)


def download(args: argparse.Namespace) -> None:
    """Fetch, check and unpack."""
    from tin_lib import data

    given = {k: getattr(args, k) for k in ("source", "md5", "size") if getattr(args, k) is not None}
    print(data.download(args.folder, progress=percent_bar("download"), **given))


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
    p = verbs.add_parser("pack", help="read the official folders once into packed arrays")
    p.add_argument("folder", type=Path, metavar="DATA", help="the folder tiny-imagenet-200")
    p.set_defaults(call=pack)


def pack(args: argparse.Namespace) -> None:
    """Pack and describe."""
    from tin_lib import data

    data.pack(args.folder, progress=percent_bar("pack"))
    opened = data.open_data(args.folder)
    for split in (opened.train, opened.val, opened.test):
        print(f"{split.name}: {len(split):,} images")
    print(f"mean {opened.mean.round(3)}  std {opened.std.round(3)}  ({opened.num_classes} classes)")


def add_train(verbs: Any) -> None:
    """``tin train NETWORK``"""
    p = verbs.add_parser(
        "train",
        help="train one network by a recipe",
        description="Train one network. Run again, it goes on where it was cut off. "
        "Under torchrun every process takes its share of each batch.",
    )
    p.add_argument("network", help="convnet9, vgg_like, vgg16, alexnet or resnet18")
    p.add_argument("--recipe", default="paper", help="paper, quick, laptop, modern, fast or best")
    p.add_argument("--out", type=Path, required=True, help="the fit's folder")
    p.add_argument("--device", default="auto", help="auto, cpu or cuda")
    p.add_argument(
        "--set", action="append", default=[], metavar="FIELD=VALUE", help="change a recipe's field"
    )
    p.add_argument(
        "--profile-steps",
        type=int,
        metavar="N",
        help="profile N updates instead: OUT/profile.txt, OUT/trace.json",
    )
    _add_data(p)
    p.set_defaults(call=train)


def train(args: argparse.Namespace) -> None:
    """Train, or profile."""
    from tin_lib import recipes
    from tin_lib.train import distributed, fit, profile

    recipe = recipes.get(args.recipe, args.network).replace(**parse_fields(args.set))
    data = _open_data(args)
    with distributed.losses_explained(args.out):
        if args.profile_steps is not None:
            said = profile.profile(recipe, data, args.out, args.profile_steps, args.device)
        else:
            said = json.dumps(fit(recipe, data, args.out, device=args.device).summary)
        writes = distributed.join(args.device).writes
        distributed.leave()
    if writes:
        print(said)


def parse_fields(pairs: list[str]) -> dict[str, Any]:
    """``field=value`` pairs; values as ``sweep.parse_value`` reads them."""
    from tin_lib.runner.jobs.sweep import parse_value

    fields = {}
    for pair in pairs:
        name, equals, value = pair.partition("=")
        if not equals:
            raise ValueError(f"--set {pair}: write FIELD=VALUE")
        fields[name] = parse_value(value)
    return fields


def add_sweep(verbs: Any) -> None:
    """``tin sweep NETWORK``"""
    p = verbs.add_parser(
        "sweep",
        help="train one network with every combination of some fields' values",
        description="Train NETWORK once for each combination of the grid, side by side, and write "
        "OUT/sweep.csv. Run again, it goes on where it was cut off. With --holdout 0.1 the best is "
        "told by a held-out part of train; validation is what is reported.",
    )
    p.add_argument("network", help="convnet9, vgg_like, vgg16, alexnet or resnet18")
    p.add_argument("--recipe", default="paper", help="paper, quick, laptop, modern, fast or best")
    p.add_argument("--out", type=Path, required=True, help="the sweep's folder")
    p.add_argument(
        "--grid",
        action="append",
        required=True,
        metavar="FIELD=VALUE,VALUE",
        help="values of a recipe's field, e.g. lr=0.01,0.1; once for each field",
    )
    p.add_argument(
        "--set", action="append", default=[], metavar="FIELD=VALUE", help="a field of all of them"
    )
    p.add_argument("--device", default="auto", help="auto, cpu or cuda")
    p.add_argument("--jobs", type=int, default=1, help="fits side by side (default 1)")
    p.add_argument("--cluster", metavar="ADDRESS", help="train on the dask cluster there")
    p.add_argument("--threads", type=int, help="CPU threads a fit (default: the cores shared out)")
    _add_data(p)
    p.set_defaults(call=sweep)


def sweep(args: argparse.Namespace) -> int:
    """Train all combinations; 1 when one failed."""
    from tin_lib import recipes
    from tin_lib.runner.jobs.executor import open_executor
    from tin_lib.runner.jobs.resources import threads_each
    from tin_lib.runner.jobs.sweep import parse_grid
    from tin_lib.runner.jobs.sweep import sweep as train_all
    from tin_lib.runner.run_command import interrupt

    recipe = recipes.get(args.recipe, args.network).replace(**parse_fields(args.set))
    grid, data = parse_grid(args.grid), _open_data(args)
    threads = threads_each(args.threads, args.jobs, args.cluster)
    signal.signal(signal.SIGTERM, interrupt)  # a batch system's stop ends the fits as Ctrl-C does

    def tell(done: int, total: int, row: dict[str, Any]) -> None:
        came_to = row["error"] or f"val {row['val_accuracy']:.3f} in {row['seconds']:,.0f} s"
        print(f"[{done}/{total}] {row['fit']}: {came_to}", flush=True)

    with open_executor(args.jobs, args.cluster) as executor:
        table = train_all(
            recipe, grid, data, args.out, executor, device=args.device, threads=threads, tell=tell
        )
    print(table.drop(columns=["fit", "error"]).dropna(axis=1, how="all").to_string(index=False))
    print(args.out / "sweep.csv")
    return int((table.error != "").any())


def add_submit(verbs: Any) -> None:
    """``tin submit FIT``"""
    p = verbs.add_parser("submit", help="write a fit's test predictions in the challenge's format")
    p.add_argument(
        "fit", type=Path, metavar="FIT", help="a fit's folder, e.g. runs/x/networks/vgg16"
    )
    p.add_argument("-o", "--out", type=Path, required=True, help="the file to write")
    p.set_defaults(call=submit)


def submit(args: argparse.Namespace) -> None:
    """Write ``test_N.JPEG wnid`` lines."""
    from tin_lib import runs
    from tin_lib.analysis import submission

    table = runs.open_fit(args.fit).predictions("test")
    submission.write_submission(args.out, list(table.file), list(table.predicted))
    print(f"{args.out}: {len(table):,} lines")


def add_vote(verbs: Any) -> None:
    """``tin vote FILE FILE …``"""
    p = verbs.add_parser(
        "vote", help="majority vote over prediction files in the challenge's format"
    )
    p.add_argument("files", type=Path, nargs="+", metavar="FILE")
    p.add_argument("--fallback", type=Path, required=True, help="the file that decides ties")
    p.add_argument("-o", "--out", type=Path, required=True)
    p.set_defaults(call=vote)


def vote(args: argparse.Namespace) -> None:
    """Vote and write."""
    from tin_lib.analysis import submission

    submission.vote_files(args.files, args.fallback, args.out)
    print(args.out)


def add_run(verbs: Any) -> None:
    """``tin run``"""
    p = verbs.add_parser("run", help="run the whole workbook and build its report")
    from tin_lib.runner import run_command

    run_command.add_run_arguments(p)
    p.set_defaults(call=run_command.run_command)


def add_browse(verbs: Any) -> None:
    """``tin browse RUN``"""
    p = verbs.add_parser(
        "browse",
        help="look at a run's saliency maps in a web page",
        description="Serve the saliency browser on 127.0.0.1 behind a token, until Ctrl-C.",
    )
    p.add_argument("folder", type=Path, metavar="RUN", help="a run's folder, e.g. runs/sample")
    p.add_argument("--data", type=Path, help="where the data lie now, if they have moved")
    p.add_argument("--port", type=int, help="port to listen on (default: a free one)")
    p.add_argument("--no-open", action="store_true", help="print the address, open no web browser")
    p.add_argument("--dark", action="store_true", help="dark page")
    p.set_defaults(call=browse)


def browse(args: argparse.Namespace) -> None:
    """Serve the browser."""
    from tin_lib.lab.widgets.saliency.serve import serve

    serve(args.folder, args.data, args.port, not args.no_open, args.dark)


VERBS = (
    add_download,
    add_sample,
    add_pack,
    add_train,
    add_sweep,
    add_submit,
    add_vote,
    add_run,
    add_browse,
)
