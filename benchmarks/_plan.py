"""The full study's recipes: how fast each runs here, and for how many epochs there is time."""

from __future__ import annotations

import argparse
import socket
import time
import traceback
from pathlib import Path
from typing import Any

import torch
import train_step

from tin_lib import augment, networks, recipes
from tin_lib.data import TinyImageNet
from tin_lib.recipes import Recipe

# Shares of the whole time, in the order of the items: the main accuracies first. What a fit does
# not need is given to the others.
SHARES = {
    "speed": 0.08,
    "fast/resnet18": 0.06,
    "modern/vgg16": 0.11,
    "modern/convnet9": 0.07,
    "modern/vgg_like": 0.05,
    "modern/alexnet": 0.04,
    "best/resnet18": 0.26,
    "paper/convnet9": 0.05,
    "paper/vgg_like": 0.05,
    "paper/vgg16": 0.05,
    "paper/alexnet": 0.03,
    "time_to_accuracy": 0.12,  # two more fits of fast
}
USED = 0.95  # of the time; the rest is for votes, tables and archives
FITS = [name for name in SHARES if "/" in name]
STEPPED = [name for name in FITS if name.split("/")[0] in ("modern", "best")]  # each network once
TRAINING = 0.8  # of a fit's time; the rest is compiling, evaluating, predicting, saving
STEPS = {"cuda": 50, "cpu": 2}  # updates to time for the images/s of fit alone
PATIENCE = 20  # seconds to wait for the server of the ImageNet weights
RANDOM = "from random weights (He): ImageNet's are not to be had here"


def recipe_of(name: str, args: argparse.Namespace, images: int) -> Recipe:
    """A fit's recipe as published, except for compilation, and the width and batch of a rehearsal.

    The paper's are compiled too: at 128 images a GPU would mostly wait for kernels to be launched.
    """
    recipe = recipes.get(*name.split("/"))
    batch = max(2, min(recipe.batch_size, images))
    mode = "" if args.eager else recipe.compile or "default"
    return recipe.replace(width=recipe.width * args.width, batch_size=batch, compile=mode)


def speeds(args: argparse.Namespace, data: TinyImageNet, device: str) -> dict[str, Any]:
    """Images/s of every recipe; of STEPPED also the bare step's, while there is time.

    Compiling takes most of the time: fit's is needed later as well and then comes from the
    compiler's cache, the bare step's is not. What has no time here is left to the item ``steps``.
    """
    images = {name: len(split) for name, split in data.splits.items()}
    about = {"fingerprint": data.fingerprint, "images": images}
    found: dict[str, Any] = {"data": about, "images_per_second": {}, "steps": {}, "seconds": {}}
    for name in FITS:
        began = time.perf_counter()
        try:
            measure(name, found, args, data, device)
        except Exception:  # of any kind: the other recipes are still measured
            traceback.print_exc()
        found["seconds"][name] = round(time.perf_counter() - began, 1)
    if not found["images_per_second"]:
        raise RuntimeError("no recipe could be timed; the errors are above")
    return found


def measure(
    name: str, found: dict[str, Any], args: argparse.Namespace, data: TinyImageNet, device: str
) -> None:
    """Add one recipe's speed to ``found``."""
    if name in STEPPED and room(found, SHARES["speed"] * args.minutes * 60):
        found["steps"][name] = steps_of(name, args, data, device)
        found["images_per_second"][name] = found["steps"][name]["fit"]
    else:
        recipe = recipe_of(name, args, len(data.train))
        found["images_per_second"][name] = fit_speed(recipe, data, device)


def room(found: dict[str, Any], limit: float) -> bool:
    """Whether another measurement, if as long as the longest so far, ends within ``limit`` s."""
    taken = found["seconds"].values()
    return sum(taken) + max(taken, default=0.0) < limit


def steps_of(
    name: str, args: argparse.Namespace, data: TinyImageNet, device: str
) -> dict[str, Any]:
    """``train_step``'s row of one recipe, in few rounds."""
    recipe = recipe_of(name, args, len(data.train))
    cuda = device == "cuda"  # on a CPU it is a rehearsal
    settings = argparse.Namespace(seconds=0.5 * cuda, rounds=3 if cuda else 1, plain=())
    rates = train_step.measure(recipe, data, device, settings)
    return train_step.row(recipe, device, rates, train_step.flops(recipe, data.num_classes))


def fit_speed(recipe: Recipe, data: TinyImageNet, device: str) -> float:
    """Images/s of fit alone."""
    work = train_step.fit_work(recipe.replace(weights=None), data, device, STEPS[device])
    work()
    images, seconds = work()
    torch._dynamo.reset()  # the number of networks compiled in one process is limited
    return images / seconds


def plan(
    args: argparse.Namespace, speed: dict[str, float], data: TinyImageNet, seconds: float
) -> dict[str, dict[str, Any]]:
    """Recipe and note of every fit: all of them, and time_to_accuracy, end within ``seconds``."""
    count = len(data.train)
    starts = {name: with_weights(recipe_of(name, args, count), args.imagenet) for name in FITS}
    wanted, epoch = {}, {}  # epochs, and seconds of one including a fit's other work
    for name, (recipe, _) in starts.items():
        wanted[name] = max(1, round(recipe.epochs * args.epochs_scale))
        items = augment.Augmenter(recipe.augment, count).items()
        epoch[name] = items / speed.get(name, min(speed.values())) / TRAINING
    needs = {name: wanted[name] * epoch[name] for name in FITS}
    needs["time_to_accuracy"] = 2 * needs["fast/resnet18"]
    given = allot(needs, seconds * USED)
    fitting = {name: int(given[name] / epoch[name] + 1e-6) for name in FITS}
    return {name: entry(*starts[name], min(wanted[name], fitting[name])) for name in FITS}


def allot(needs: dict[str, float], seconds: float) -> dict[str, float]:
    """Seconds for each of ``needs``: what it needs, or its share of the rest if that is less."""
    given: dict[str, float] = {}
    left = dict(needs)
    while left:
        unit = max(0.0, seconds - sum(given.values())) / sum(SHARES[name] for name in left)
        content = [name for name in left if left[name] <= unit * SHARES[name]]
        if not content:
            return given | {name: unit * SHARES[name] for name in left}
        given |= {name: left.pop(name) for name in content}
    return given


def entry(recipe: Recipe, started: str, epochs: int) -> dict[str, Any]:
    """A fit in the plan: its recipe with ``epochs`` epochs (at least 1), and what was changed."""
    epochs = max(1, epochs)
    cut = f"{epochs} epochs instead of {recipe.epochs}" if epochs != recipe.epochs else ""
    note = "; ".join(filter(None, (started, cut)))
    return {"note": note, "recipe": recipe.replace(epochs=epochs).to_dict()}


def with_weights(recipe: Recipe, folder: Path | None) -> tuple[Recipe, str]:
    """The recipe with starting weights that are available, and a note if that changed them."""
    if recipe.weights != "imagenet":
        return recipe, ""
    if folder:
        recipe = recipe.replace(weights=str(folder / f"{recipe.network}.pth"))
    try:
        socket.setdefaulttimeout(PATIENCE)
        with torch.random.fork_rng():
            networks.create(recipe.network, 2, recipe.width, weights=recipe.weights)
        return recipe, "from ImageNet weights"
    except (ValueError, FileNotFoundError) as error:
        print(error, flush=True)
        # He's initial weights: from Glorot's the signal dies in a deep stack without batchnorm.
        options = recipe.network_options | {"init": "he"}
        recipe = recipe.replace(weights=None, network_options=options)
        return recipe, RANDOM
    finally:
        socket.setdefaulttimeout(None)
