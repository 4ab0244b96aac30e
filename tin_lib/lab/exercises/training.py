"""Notebooks 02 to 05."""

import math
from collections.abc import Iterable
from typing import Any

import pandas as pd

from tin_lib import augment, runs
from tin_lib.analysis.layers import weight
from tin_lib.data import TinyImageNet
from tin_lib.lab.exercises.marking import mark
from tin_lib.networks import Network
from tin_lib.recipes import Recipe

FLOAT32 = 4  # bytes


def first_weights(answer: Any, network: Network) -> str:
    """Weights of the first convolution, without biases."""
    look = (
        "Each filter has a weight for each of its 5×5 positions and each of the three channels of "
        "the image. The number of filters is the first number under `output` of conv1."
    )
    return mark(answer, weight(network, "first").numel(), look)


def untrained_loss(answer: Any, images: TinyImageNet) -> str:
    """Cross-entropy of equal probabilities."""
    look = (
        "Each class has the probability 1 / (number of classes). The loss is minus the natural "
        "logarithm of the label's probability."
    )
    return mark(answer, math.log(images.num_classes), look, within=0.02)


def updates_made(answer: Any, fit: runs.Fit, images: TinyImageNet) -> str:
    """Updates of a whole training; counted with or without each epoch's incomplete batch."""
    recipe, epochs = Recipe.from_dict(fit.recipe), fit.summary["epochs"]
    plan = augment.Augmenter(recipe.augment, len(images.train), recipe.seed, images.train.labels)
    items = len(plan.epoch(1))
    look = (
        f"An epoch has {items:,} images here. Divide by the batch size of the recipe and round up: "
        "these are the updates of one epoch. `fit.history()` has one row for each epoch."
    )
    return mark(answer, epochs * math.ceil(items / recipe.batch_size), look, within=epochs)


def dense_share(answer: Any, layers: pd.DataFrame) -> str:
    """Share, 0..1, of a network's parameters that its first dense layer has."""
    look = (
        "Divide the number under `parameters` in the row dense1 by the sum of the column. The "
        "answer is a share between 0 and 1."
    )
    parameters: dict[Any, Any] = layers.parameters.to_dict()
    right = parameters["dense1"] / sum(parameters.values())
    return mark(answer, right, look, within=0.01)


def map_side(answer: Any, layers: pd.DataFrame) -> str:
    """Height of the map that VGG-like's dense layers get."""
    look = (
        "A 3×3 convolution without padding takes 2 from the side of the map; pooling halves it. "
        "Start with 64 and go through conv1, conv2, pooling, conv3, conv4, pooling."
    )
    outputs: dict[Any, Any] = layers.output.to_dict()
    return mark(answer, int(outputs["conv4"].split("×")[-1]) // 2, look)


def lowest_loss(answer: Any, fit: runs.Fit) -> str:
    """The epoch with the lowest validation loss."""
    history = fit.history()
    look = "Find the lowest point of the validation loss in the figure, or use `fit.history()`."
    return mark(answer, float(history.epoch.iloc[history.val_loss.argmin()]), look)


def square_seen(answer: Any) -> str:
    """Side of VGG-16's receptive field after its third convolution."""
    look = (
        "One output of conv 3 sees 3 positions of the pooled map. Each of these covers 2 positions "
        "of conv 2's output, and each convolution before the pooling adds 2 pixels to the side."
    )
    return mark(answer, field([(3, 1), (3, 1), (2, 2), (3, 1)]), look)


def field(layers: Iterable[tuple[int, int]]) -> int:
    """Side in pixels of a receptive field after layers of (kernel, stride)."""
    side, step = 1, 1
    for kernel, stride in layers:
        side, step = side + (kernel - 1) * step, step * stride
    return side


def three_small_for_one_large(answer: Any) -> str:
    """Weights of three 3×3 convolutions over those of one of 7×7."""
    assert field([(3, 1)] * 3) == field([(7, 1)])
    look = (
        "With C channels in and out, one convolution has C × C × (side × side) weights. Three of "
        "3×3 have 3 × 9 × C × C."
    )
    return mark(answer, 3 * 3**2 / 7**2, look, within=0.01)


def last_penalty_share(answer: Any, fit: runs.Fit) -> str:
    """Share, 0..1, of the penalty in the last epoch's training loss and penalty together."""
    look = (
        "Take `penalty` and `train_loss` from the last row of `fit.history()`; divide the penalty "
        "by the sum of both. Without penalties in the recipe the share is 0."
    )
    last = fit.history().iloc[-1]
    right = float(last.penalty / (last.penalty + last.train_loss))
    return mark(answer, right, look, within=0.005)


def adamw_megabytes(answer: Any, full: pd.DataFrame) -> str:
    """Megabytes of weights, gradients, AdamW's two averages and averaged weights in float32."""
    right = float(full.parameters.sum() * FLOAT32 * 5 / 1e6)
    look = (
        "There are five numbers for each weight: the weight, its gradient, two of AdamW, and the "
        "averaged weight. Each takes 4 bytes; a megabyte is a million bytes."
    )
    return mark(answer, right, look, within=0.01 * right)


def author_weights(answer: Any) -> str:
    """Millions of weights of a dense layer of 4096 units on 256 maps of 32×32."""
    right = 256 * 32 * 32 * 4096 / 1e6
    look = "Each of the 4096 units has a weight for each of the 256 × 32 × 32 inputs."
    return mark(answer, right, look, within=0.01 * right)
