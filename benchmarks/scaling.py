"""Time and memory against the number of images, the batch size and the number of processes.

    python benchmarks/scaling.py [--data sample|DIR] [--device auto|cpu|cuda]
        [--images 1000 10000 100000] [--batches 32 128 512] [--processes 1 2]
        [--network vgg_like] [--width 0.25] [--seconds 5]

One table; "–" where a column does not apply.
images     seconds to open the data, to copy the training images to the device and to draw the plan
           of one epoch by the paper's expansion; data sets with fewer images are repeated
batches    images/s of training by fit's loop
processes  images/s of training under torch's launcher, the batch of 128 divided among them; on a
           CPU the cores are divided too
Every measurement is a separate process; memory is its peak, in MiB, minus that after its
imports (on a GPU: the device's peak, too); pages of the packed file that were read count as memory.
Ratios: time and memory of the most images per image, against the fewest; images/s of the largest
batch and of most processes against the first.
"""

from __future__ import annotations

import argparse
import json
import os
import resource
import subprocess
import sys
import time
from collections.abc import Callable
from dataclasses import replace
from typing import Any

from _common import finish, table, wait  # isort: split

import numpy as np
import torch

from tin_lib import augment, recipes
from tin_lib.data import Split, TinyImageNet, open_data
from tin_lib.data.types import to_device
from tin_lib.recipes import Recipe
from tin_lib.train import Trainer, distributed

COLUMNS = ("images", "batch", "processes", "open s", "copy s", "plan s", "images/s")
MEMORY = ("memory MiB", "device MiB")
COPIES = augment.AugmentSpec("paper_copies")


def repeated(split: Split, count: int) -> Split:
    """``count`` images of the split, repeated if it has fewer; the split itself if it fits."""
    return split if count == len(split) else split.select(np.arange(count) % len(split))


def images(args: argparse.Namespace, count: int) -> dict[str, Any]:
    """Open, copy, plan."""
    device = distributed.join(args.device).device
    data, opened = clock(lambda: open_data(args.data), device)
    split = repeated(data.train, count)
    _, copied = clock(lambda: to_device(split, device, channels_last=True), device)
    _, planned = clock(lambda: augment.Augmenter(COPIES, count).epoch(0).to(device), device)
    return {"images": count, "open s": opened, "copy s": copied, "plan s": planned}


def clock(work: Callable[[], Any], device: torch.device) -> tuple[Any, float]:
    """The result of ``work``, and its seconds."""
    wait(device.type)
    start = time.perf_counter()
    result = work()
    wait(device.type)
    return result, time.perf_counter() - start


def training(args: argparse.Namespace, batch: int) -> dict[str, Any]:
    """Images/s of some updates, on all processes together."""
    recipe = recipes.get("paper", args.network, width=args.width, batch_size=batch)
    world = distributed.join(args.device)
    trainer = Trainer(recipe, small(open_data(args.data), recipe), world)
    epoch = lambda steps: trainer.epoch(1, lambda done, total, loss: None, steps)
    epoch(2)  # warm-up
    steps = agreed(max(2, int(args.seconds * epoch(2)["images_per_second"] / batch)), world)
    rate = epoch(steps)["images_per_second"]
    distributed.leave()
    return {"batch": batch, "processes": world.size, "images/s": rate} if world.writes else {}


def agreed(steps: int, world: distributed.World) -> int:
    """The mean over the processes: all have to do the same number of updates."""
    total = torch.tensor(float(steps), device=world.device)
    return int(distributed.add_up(total, world).item() / world.size)


def small(data: TinyImageNet, recipe: Recipe) -> TinyImageNet:
    """Enough images for a few dozen updates."""
    train = repeated(data.train, min(len(data.train), 40 * recipe.batch_size))
    return replace(data, train=train, val=data.val.select(np.arange(2)), heldout=None)


def peak() -> float:
    """Most memory that this process has held, MiB."""
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024


def worker(args: argparse.Namespace) -> None:
    """One measurement, printed as a line of JSON by the process that writes."""
    before = peak()
    row = images(args, args.number) if args.worker == "images" else training(args, args.number)
    if row:
        row["memory MiB"] = peak() - before
        if torch.cuda.is_available():
            row["device MiB"] = torch.cuda.max_memory_allocated() / 2**20
        print("\n" + json.dumps(row), flush=True)


def measure(what: str, number: int, processes: int = 1) -> dict[str, Any]:
    """One measurement in separate processes."""
    threads = max(1, (os.cpu_count() or 1) // processes)
    launcher = ["-m", "torch.distributed.run", "--standalone", "--nproc-per-node", str(processes)]
    start = launcher if processes > 1 else []
    command = [sys.executable, *start, *sys.argv, "--worker", what, "--number", str(number)]
    environment = os.environ | {"OMP_NUM_THREADS": str(threads)}
    done = subprocess.run(command, check=True, stdout=subprocess.PIPE, text=True, env=environment)
    row = json.loads(done.stdout.strip().splitlines()[-1])
    print(row, file=sys.stderr, flush=True)
    return row


def line(what: str, row: dict[str, Any]) -> dict[str, Any]:
    """A measurement as a line of the table."""
    columns = COLUMNS + (MEMORY if torch.cuda.is_available() else MEMORY[:1])
    return {"what": what} | {name: row.get(name) for name in columns}


def ratios(
    by_images: list[dict], by_batch: list[dict], by_processes: list[dict]
) -> dict[str, float]:
    """How the largest compares with the smallest."""
    few, many = by_images[0], by_images[-1]
    times = many["images"] / few["images"]
    found = {f"{k} per image": many[k] / few[k] / times for k in ("copy s", "plan s", "memory MiB")}
    found["open s"] = many["open s"] / few["open s"]
    found["batch"] = by_batch[-1]["images/s"] / by_batch[0]["images/s"]
    found["processes"] = by_processes[-1]["images/s"] / by_processes[0]["images/s"]
    return found


def arguments() -> argparse.Namespace:
    """The command line; ``worker`` and ``number`` are for the processes that this one starts."""
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--data", default="sample", help="'sample' or the data set's folder")
    parser.add_argument("--device", default="auto")
    parser.add_argument("--images", type=int, nargs="+", default=[1_000, 10_000, 100_000])
    parser.add_argument("--batches", type=int, nargs="+", default=[32, 128, 512])
    parser.add_argument("--processes", type=int, nargs="+", default=[1, 2])
    parser.add_argument("--network", default="vgg_like")
    parser.add_argument("--width", type=float, default=0.25)
    parser.add_argument("--seconds", type=float, default=5.0, help="of training, about")
    parser.add_argument("--worker", choices=("images", "training"), help=argparse.SUPPRESS)
    parser.add_argument("--number", type=int, help=argparse.SUPPRESS)
    return parser.parse_args()


def main() -> None:
    """Measure, print the table and the line of JSON."""
    args = arguments()
    if args.worker:
        worker(args)
        return
    measured = {
        "images": [measure("images", count) for count in args.images],
        "batches": [measure("training", batch) for batch in args.batches],
        "processes": [measure("training", 128, count) for count in args.processes],
    }
    print(table([line(what, row) for what, rows in measured.items() for row in rows]))
    device = distributed.join(args.device).device.type
    about = {"network": args.network, "width": args.width, "seed": 0}
    finish("scaling", ratios(*measured.values()), device, **about, rows=measured)


if __name__ == "__main__":
    main()
