"""Training images per second: fit's loop, the bare step, a plain PyTorch loop; the device's rate.

    python benchmarks/train_step.py [--data sample|DIR] [--device auto|cpu|cuda] [--networks ...]
        [--recipe paper|modern|hour] [--size 64] [--precision auto|float32|bf16] [--width 1]
        [--batch N] [--seconds 5] [--rounds 5] [--plain vgg_like ...|all] [--eager]

Alternately, for each network:
  fit    train.Trainer.epoch: draws the epoch's plan, gathers, augments and normalises every batch
         from uint8 images on the device, adds the recipe's penalties, updates the EMA if
         the recipe has one, sums up losses
  bare   the limit: forward, cross-entropy, backward, optimizer step on one resident float batch;
         same network, memory format, precision, optimizer, compilation and handling of freed
         memory as fit, nothing else
  plain  a loop as in tutorials: ImageFolder + DataLoader (2 workers) with flips and normalisation,
         NCHW, the same optimizer; without the other techniques and penalties, in its favour. On a
         CPU it computes in float32 unless --precision is given; see the column "plain in"
--recipe hour trains speednet with Muon and batches of 512; --size is its images' height and width,
which it raises from 32 over 48 to 64 pixels. Otherwise a batch has 128 images.
An epoch of fit is made as long as the measurement, so that its plan and its end count in
proportion. A ratio is the median over the rounds of the ratio within each round.

The share is bare's and fit's arithmetic (6 × multiply-adds an image: forward, and backward twice
that) against the rate of one large matrix product in the same precision. Marks, on 2
CPU cores: fit/bare at least 0.95 for every network, fit/plain at least 1.3 for vgg_like.
"""

from __future__ import annotations

import argparse
import dataclasses
import gc
import itertools
import statistics
import time
from typing import Any

from _common import Rate, Work, by_turns, finish, table, timed, wait  # isort: split

import numpy as np
import torch
from _bare import WARM, Bare, as_in_fit
from torch.utils.data import ConcatDataset, DataLoader, Dataset
from torchvision.datasets import ImageFolder
from torchvision.transforms import v2

from tin_lib import augment, networks, recipes
from tin_lib.analysis.layer_table import layer_table
from tin_lib.data import TinyImageNet, open_data
from tin_lib.networks.base import SIZE
from tin_lib.recipes import Recipe
from tin_lib.train import Trainer
from tin_lib.train.device import precision
from tin_lib.train.distributed import join
from tin_lib.train.optim import size_at
from tin_lib.train.step import make_network

NETWORKS = ("convnet9", "vgg_like", "vgg16", "alexnet")
WORKERS = 2
SIDES = {"cpu": 2048, "cuda": 8192}  # of the matrix product


def fit_work(recipe: Recipe, data: TinyImageNet, device: str, steps: int) -> Work:
    """Epochs of ``steps`` updates by the loop that ``fit`` runs."""
    trainer = Trainer(recipe, cut(data, recipe, steps), join(device))
    numbers = itertools.cycle(range(1, recipe.epochs + 1))

    def run(steps: int = steps) -> int:
        trainer.epoch(next(numbers), lambda done, total, loss: None, steps)
        return steps * recipe.batch_size

    return as_in_fit(run, lambda: run(WARM), device)


def cut(data: TinyImageNet, recipe: Recipe, steps: int) -> TinyImageNet:
    """Data whose epoch has ``steps`` batches: images of all classes, repeated if too few."""
    wanted, count = steps * recipe.batch_size, 1
    while augment.Augmenter(recipe.augment, count).items() < wanted:
        count += 1
    rows = np.linspace(0, len(data.train) - 1, count).astype(int)
    few = data.val.select(np.arange(2))
    return dataclasses.replace(data, train=data.train.select(rows), heldout=None, val=few)


def as_plain(recipe: Recipe, device: str) -> Recipe:
    """The recipe in a plain loop: NCHW, and on a CPU float32, torch's default."""
    kept = device != "cpu" or recipe.precision != "auto"
    numbers = recipe.precision if kept else "float32"
    return recipe.replace(channels_last=False, precision=numbers)


def plain_work(recipe: Recipe, data: TinyImageNet, device: str, steps: int) -> Work:
    """A plain loop; its workers' start is not timed, prefetched batches count in its favour."""
    loop = Bare(as_plain(recipe, device), data.num_classes, device)
    transforms = v2.Compose(
        [
            v2.ToImage(),
            v2.RandomHorizontalFlip(),
            v2.ToDtype(torch.float32),
            v2.Normalize(data.mean.tolist(), data.std.tolist()),
        ]
    )
    folder = ImageFolder(str(data.root / "train"), transforms)
    copies = (steps + 1) * recipe.batch_size // len(folder) + 1  # enough for one epoch of them
    images: Dataset = ConcatDataset([folder] * copies)
    loader = DataLoader(images, recipe.batch_size, shuffle=True, num_workers=WORKERS)

    def run() -> tuple[int, float]:
        feed = iter(loader)
        loop.step(*(part.to(device) for part in next(feed)))
        wait(device)
        start = time.perf_counter()
        for pixels, labels in itertools.islice(feed, steps):
            loop.step(pixels.to(device), labels.to(device))
        wait(device)
        return steps * recipe.batch_size, time.perf_counter() - start

    return run


def product_work(recipe: Recipe, device: str) -> Work:
    """Matrix products; units are floating-point operations."""
    side = SIDES[device]
    kind = torch.bfloat16 if precision(recipe, torch.device(device)) == "bf16" else torch.float32
    a, b = (torch.randn(side, side, device=device).to(kind) for _ in range(2))
    repeats = 3 if device == "cpu" else 50

    def run() -> int:
        for _ in range(repeats):
            a @ b
        return repeats * 2 * side**3

    return timed(run, device)


def flops(recipe: Recipe, num_classes: int) -> int:
    """Floating-point operations to train on one image of the size that training begins with:
    forward, and backward twice that. Dense layers count as if they shrank as feature maps do.
    """
    whole = layer_table(make_network(recipe, num_classes)).multiply_adds.sum()
    return 6 * int(whole) * size_at(recipe, 0.0) ** 2 // SIZE**2


def measure(
    recipe: Recipe, data: TinyImageNet, device: str, args: argparse.Namespace
) -> dict[str, Rate]:
    """Rates of all contenders for one network."""
    bare = Bare(recipe, data.num_classes, device)
    steps = bare.steps_within(args.seconds)
    contenders = {"fit": fit_work(recipe, data, device, steps), "bare": bare.work(steps)}
    if {recipe.network, "all"} & set(args.plain):
        contenders["plain"] = plain_work(recipe, data, device, steps)
    rates = by_turns(contenders | {"product": product_work(recipe, device)}, args.rounds)
    del bare, contenders
    gc.collect()
    torch._dynamo.reset()  # each network has its own compiled code, and there is a limit
    return rates


def ratio(one: Rate, other: Rate) -> float:
    """Median over the rounds of their ratio."""
    return statistics.median(a / b for a, b in zip(one.samples, other.samples, strict=True))


def row(recipe: Recipe, device: str, rates: dict[str, Rate], work: int) -> dict[str, Any]:
    """A line of the table; numbers, so that the line of JSON can have them too."""
    scaled = {part: Rate([s * work for s in rates[part].samples]) for part in ("fit", "bare")}
    where, plain = torch.device(device), as_plain(recipe, device)
    return {
        "network": recipe.network,
        "precision": precision(recipe, where),
        "plain in": precision(plain, where) if "plain" in rates else None,
        **{
            part: rates[part].median if part in rates else None for part in ("fit", "bare", "plain")
        },
        "fit/bare": ratio(rates["fit"], rates["bare"]),
        "fit/plain": ratio(rates["fit"], rates["plain"]) if "plain" in rates else None,
        "TFLOP/s": work * rates["fit"].median / 1e12,
        "product TFLOP/s": rates["product"].median / 1e12,
        "fit share": ratio(scaled["fit"], rates["product"]),
        "bare share": ratio(scaled["bare"], rates["product"]),
        "spread": max(rate.spread for rate in rates.values()),
    }


def recipe_of(network: str, args: argparse.Namespace) -> Recipe:
    """The named recipe, from random weights, as the arguments change it."""
    recipe = recipes.get("best" if network == "resnet18" else args.recipe, network)
    sizes = () if args.size == SIZE else ((0.999, args.size), (1.0, SIZE))
    return recipe.replace(
        width=recipe.width * args.width,
        weights=None,
        batch_size=args.batch or (recipe.batch_size if args.recipe == "hour" else 128),
        seconds=0.0,
        sizes=sizes,
        precision=args.precision,
        compile="" if args.eager else recipe.compile,
    )


def arguments() -> argparse.Namespace:
    """The command line."""
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--data", default="sample", help="'sample' or the data set's folder")
    parser.add_argument("--device", default="auto")
    parser.add_argument("--networks", nargs="+", choices=networks.names())
    parser.add_argument("--recipe", default="paper", choices=("paper", "modern", "hour"))
    parser.add_argument(
        "--size", type=int, default=SIZE, help="height and width of the images, 8..64"
    )
    parser.add_argument("--precision", default="auto", choices=("auto", "float32", "bf16"))
    parser.add_argument("--width", type=float, default=1.0, help="factor on the recipe's width")
    parser.add_argument("--batch", type=int, help="default: 128, or the recipe hour's 512")
    parser.add_argument("--seconds", type=float, default=5.0, help="of one measurement, about")
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--plain", nargs="*", default=("vgg_like",), help="networks, or all")
    parser.add_argument("--eager", action="store_true", help="without the recipe's torch.compile")
    args = parser.parse_args()
    args.networks = args.networks or (("speednet",) if args.recipe == "hour" else NETWORKS)
    if not 8 <= args.size <= SIZE:
        parser.error(f"--size {args.size}: must lie between 8 and {SIZE}")
    if args.size != SIZE and {*args.networks, "all"} & set(args.plain):
        parser.error(f"--plain: its images have {SIZE} x {SIZE} pixels; leave out --size")
    return args


def main() -> None:
    """Measure, print the table and the line of JSON."""
    args = arguments()
    device = join(args.device).device.type
    data = open_data(args.data)
    rows = []
    for network in args.networks:
        recipe = recipe_of(network, args)
        rates = measure(recipe, data, device, args)
        rows.append(row(recipe, device, rates, flops(recipe, data.num_classes)))
        print(f"{network}: fit/bare {rows[-1]['fit/bare']:.3f}", flush=True)
    print(table(rows))
    keys = ("fit/bare", "fit/plain", "fit share", "bare share")
    ratios = {f"{r['network']} {k}": r[k] for r in rows for k in keys if r[k] is not None}
    about = {"data": data.root.name, "recipe": args.recipe, "width": args.width, "seed": 0}
    about |= {"size": args.size, "batch": recipe.batch_size}
    finish("train_step", ratios, device, **about, rows=rows)


if __name__ == "__main__":
    main()
