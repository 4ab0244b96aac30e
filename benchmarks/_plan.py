"""The full study's recipes: how fast each runs here, and for how many epochs there is time."""

from __future__ import annotations

import argparse
import socket
from pathlib import Path
from typing import Any

import torch
import train_step

from tin_lib import augment, networks, recipes
from tin_lib.data import TinyImageNet
from tin_lib.recipes import Recipe

# Share of the whole time; what is left over is for opening the data, votes and tables. In the order
# of the items: the accuracies asked for first.
SHARES = {
    "speed": 0.10,
    "fast/resnet18": 0.05,
    "modern/vgg16": 0.14,
    "modern/convnet9": 0.06,
    "modern/vgg_like": 0.06,
    "modern/alexnet": 0.06,
    "best/resnet18": 0.30,
    "paper/convnet9": 0.05,
    "paper/vgg_like": 0.06,
    "paper/vgg16": 0.07,
    "paper/alexnet": 0.03,
}
TRAINING = 0.8  # of a fit's time; the rest is compiling, evaluating, predicting, saving
STEPS = 10  # updates to time where there is nothing to compile
PATIENCE = 20  # seconds to wait for the server of the ImageNet weights


def recipe_of(name: str, args: argparse.Namespace) -> Recipe:
    """A fit's recipe as published, but for the width and compiling of a rehearsal."""
    kind, network = name.split("/")
    recipe = recipes.get(kind, network, width=args.width)
    return recipe.replace(compile="") if args.eager else recipe


def speeds(args: argparse.Namespace, data: TinyImageNet, device: str) -> dict[str, Any]:
    """Images/s of every recipe; for those with compilation also of the bare step, in detail."""
    images = {name: len(split) for name, split in data.splits.items()}
    about = {"fingerprint": data.fingerprint, "images": images}
    found: dict[str, Any] = {"data": about, "images_per_second": {}, "steps": {}}
    cuda = device == "cuda"  # elsewhere it is a rehearsal
    settings = argparse.Namespace(seconds=float(cuda), rounds=3 if cuda else 1, plain=())
    for name in SHARES:
        kind = name.split("/")[0]
        if kind in ("modern", "best"):
            recipe = recipe_of(name, args)
            rates = train_step.measure(recipe, data, device, settings)
            work = train_step.flops(train_step.make_network(recipe, data.num_classes))
            found["steps"][name] = train_step.row(recipe, device, rates, work)
            found["images_per_second"][name] = rates["fit"].median
        elif kind == "paper":
            found["images_per_second"][name] = eager_speed(recipe_of(name, args), data, device)
    found["images_per_second"]["fast/resnet18"] = found["images_per_second"]["best/resnet18"]
    return found


def eager_speed(recipe: Recipe, data: TinyImageNet, device: str) -> float:
    """Images/s of a recipe that compiles nothing."""
    steps = STEPS if device == "cuda" else 2
    work = train_step.fit_work(recipe.replace(weights=None), data, device, steps)
    work()
    images, seconds = work()
    return images / seconds


def plan(
    args: argparse.Namespace, speed: dict[str, float], data: TinyImageNet
) -> dict[str, dict[str, Any]]:
    """Recipe and note of every fit."""
    made: dict[str, dict[str, Any]] = {}
    for name in SHARES:
        if "/" in name:
            recipe, started = with_weights(recipe_of(name, args), args.imagenet)
            seconds = SHARES[name] * TRAINING * args.minutes * 60
            recipe, cut = within(recipe, args.epochs_scale, seconds * speed[name], len(data.train))
            note = "; ".join(filter(None, (started, cut)))
            made[name] = {"note": note, "recipe": recipe.to_dict()}
    return made


def within(recipe: Recipe, scale: float, images: float, n: int) -> tuple[Recipe, str]:
    """The recipe with scaled epochs, of no more than ``images`` in all; and what was changed."""
    items = augment.Augmenter(recipe.augment, n).items()
    wanted = max(1, round(recipe.epochs * scale))
    epochs = max(1, min(wanted, int(images / items)))
    note = f"{epochs} epochs instead of {recipe.epochs}" if epochs != recipe.epochs else ""
    return recipe.replace(epochs=epochs), note


def with_weights(recipe: Recipe, folder: Path | None) -> tuple[Recipe, str]:
    """The recipe with starting weights that are to be had, and a note where it had to change."""
    if recipe.weights != "imagenet":
        return recipe, ""
    if folder:
        recipe = recipe.replace(weights=str(folder / f"{recipe.network}.pth"))
    try:
        socket.setdefaulttimeout(PATIENCE)
        with torch.random.fork_rng():
            network = networks.create(recipe.network, 2, recipe.width, weights=recipe.weights)
        return recipe, f"starts from {network.origin}"
    except (ValueError, FileNotFoundError) as error:
        # He's initial weights: from Glorot's the signal dies in a deep stack without batchnorm.
        options = recipe.network_options | {"init": "he"}
        recipe = recipe.replace(weights=None, network_options=options)
        return recipe, f"from random weights (He), since {error}"
    finally:
        socket.setdefaulttimeout(None)
