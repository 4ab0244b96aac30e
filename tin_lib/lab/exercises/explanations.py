"""Notebooks 07 and 08."""

import inspect
from typing import Any

import numpy as np
from torch import Tensor

from tin_lib.analysis import filters, saliency
from tin_lib.lab.exercises.marking import mark
from tin_lib.networks import Network
from tin_lib.networks.base import SIZE


def uniform_map(answer: Any) -> str:
    """Share of a uniform map within the box, less the box's share of the area."""
    look = (
        "Suppose that the box covers a quarter of the image. Which share of a uniform map is "
        "inside it? Subtract the box's share of the area."
    )
    return mark(answer, 0.0, look)


def occluded_positions(answer: Any) -> str:
    """Positions of occlusion's patch on an image."""
    options = inspect.signature(saliency.METHODS["occlusion"]).parameters
    patch, stride = options["patch"].default, options["stride"].default
    look = (
        f"Along one side the patch can start at pixel 0, {stride}, {2 * stride} and so on, up to "
        f"{SIZE} − {patch}. Count these, and square the number."
    )
    return mark(answer, ((SIZE - patch) // stride + 1) ** 2, look)


def brightest_row(answer: Any, network: Network, inputs: Tensor) -> str:
    """Row of the brightest pixel of the first image's absolute gradient."""
    found = saliency.absolute(saliency.explain(network, inputs[:1]))[0]
    look = (
        "`saliency.absolute(saliency.explain(chosen, inputs))[0]` is the map, 64×64. `argmax()` "
        "counts its pixels row by row from 0, so 64 of them are one row."
    )
    return mark(answer, int(found.argmax()) // found.shape[-1], look)


def striped_kernel(answer: Any) -> str:
    """Roughness of the kernel with a row of 1 and a row of -1."""
    right = float(filters.roughness(np.array([[[[1, 1], [-1, -1]]]]))[0])
    look = (
        "There are four pairs of neighbours: two horizontal pairs, which differ by 0, and two "
        "vertical pairs, which differ by 2. Divide the mean square difference by 2 × 1."
    )
    return mark(answer, right, look, within=0.001)


def active_filters(answer: Any, survey: filters.Survey) -> str:
    """Share, 0..1, of the filters that respond to less than half of the images."""
    look = "`survey.active` has the share of images for each filter: compare it with 0.5."
    return mark(answer, float((survey.active < 0.5).mean()), look, within=0.001)


def seeds_agree(answer: Any, seeds: int) -> str:
    """Probability that chance alone makes the same of two networks the rougher for all seeds."""
    look = (
        "The first network is rougher for every seed with probability one half to the power of "
        "the number of seeds; the same holds for the second network. Add both."
    )
    return mark(answer, 2 * 0.5**seeds, look, within=0.001)
