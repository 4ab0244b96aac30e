"""Draws the plans: the paper's expansion, its fresh variant, and the modern augmentations."""

import math
from dataclasses import replace
from functools import cached_property

import numpy as np
import torch
from torch import Tensor

from tin_lib.augment import geometry
from tin_lib.augment.geometry import SIDE
from tin_lib.augment.plan import TECHNIQUES, AugmentSpec, EpochPlan, Technique, unchanged

ERASED_AREA = (0.02, 1 / 3)  # share of the image, and the sides' ratio: Zhong et al. 2017
ERASED_RATIO = 3.3
CROP_RATIO = 4 / 3


class Augmenter:
    """Plans the epochs over ``n`` images, from a seed; ``labels``: int64 (n,) for class_shares."""

    def __init__(
        self, spec: AugmentSpec, n: int, seed: int = 0, labels: np.ndarray | None = None
    ) -> None:
        if not (1 <= n < 2**53 and seed >= 0) or n % 1 or seed % 1:
            raise ValueError(f"needs whole numbers, n >= 1 and a seed >= 0, not n={n}, seed={seed}")
        self.spec, self.n, self.seed = spec, n, seed
        shares = spec.class_shares
        if shares and (labels is None or set(labels.tolist()) != set(range(len(shares)))):
            raise ValueError(f"class_shares has {len(shares)} numbers: give one for each class")
        self._groups = (shares, np.array(labels)) if shares else ()
        self._used = torch.tensor([True] + [name in spec.techniques for name in TECHNIQUES])

    def items(self, epoch: int = 0) -> int:
        """Images shown in an epoch."""
        return len(self._copies) if self.spec.mode == "paper_copies" else self.n

    def epoch(self, epoch: int) -> EpochPlan:
        """The plan of an epoch (counted from 0), shuffled; the same at every call."""
        generator = generator_for(self.seed, 1 + epoch)
        order = torch.randperm(self.items(epoch), generator=generator)
        if self.spec.mode == "paper_copies":
            return self._copies[order]
        if self.spec.mode == "paper_fresh":
            shares = self._used * torch.tensor([1.0] + [self.spec.fraction] * len(TECHNIQUES))
            technique = torch.multinomial(shares, self.n, replacement=True, generator=generator)
            return paper_plan(order, technique, self.spec, generator)
        if self.spec.mode == "modern":
            return modern_plan(order, self.spec, generator)
        return unchanged(order)

    @cached_property
    def _copies(self) -> EpochPlan:
        """All items of the expansion, unshuffled: real copies, so the same in every epoch."""
        image, technique = expansion_plan(self.n, self.spec.fraction, self.seed, *self._groups)
        plan = paper_plan(image, technique, self.spec, generator_for(self.seed, 0, 1))
        return plan[self._used[technique]]  # the same copies, whatever else is used


def expansion_plan(
    n: int,
    fraction: float = 1 / 3,
    seed: int = 0,
    shares: tuple[float, ...] = (1.0,),
    labels: np.ndarray | None = None,
) -> tuple[Tensor, Tensor]:
    """The paper's expanded training set: image and technique, int64 (items,) each.

    First the n originals, then for each technique ``floor(fraction * n)`` copies of different
    images. 100,000 images give 266,665 items with 1/3 (what the author's logs show) and 250,000
    with 0.30 (what the paper's "30 %" gives; the paper's own count is 265,000). ``shares`` divides
    the copies among the classes of ``labels`` (n,), by largest remainder; then an image is copied
    again by a technique once all of its class are.
    """
    generator = generator_for(seed, 0, 0)
    copies = math.floor(fraction * n + 1e-6)  # the product may be 28.999999999999996
    exact = copies * np.array(shares) / sum(shares)
    numbers = exact.astype(int)
    numbers[np.argsort(numbers - exact, kind="stable")[: copies - numbers.sum()]] += 1
    groups = torch.from_numpy(np.zeros(n, int) if labels is None else labels)
    images = [torch.arange(n), *(_copied(numbers, groups, generator) for _ in TECHNIQUES)]
    counts = torch.tensor([len(part) for part in images])
    return torch.cat(images), torch.repeat_interleave(counts)


def _copied(numbers: np.ndarray, labels: Tensor, generator: torch.Generator) -> Tensor:
    """Images at random, so many of each class; each image of a class as often as the others."""
    order = torch.randperm(len(labels), generator=generator)
    classes = order[labels[order].argsort(stable=True)].split(labels.bincount().tolist())
    parts = zip(classes, numbers.tolist(), strict=True)
    return torch.cat([images.repeat(1 + k // len(images))[:k] for images, k in parts])


def generator_for(*stream: int) -> torch.Generator:
    """A CPU generator for a seed and the numbers after it; different streams are independent."""
    state = np.random.SeedSequence(stream).generate_state(1, np.uint64)
    return torch.Generator().manual_seed(int(state[0]))


def uniform(n: int, bounds: tuple[float, float], generator: torch.Generator) -> Tensor:
    """Numbers (n,), float32, uniform between the bounds."""
    return torch.empty(n).uniform_(*bounds, generator=generator)


def draw_offsets(
    n: int, generator: torch.Generator, size: int = 55, resize: str = "spline"
) -> tuple[Tensor, Tensor]:
    """``top`` and ``left`` of n crops, int64 (n,) each, uniform over all `crop_offsets`."""
    if n < 0:
        raise ValueError(f"n={n}: must be 0 or more")
    top, left = torch.randint(geometry.crop_offsets(size, resize), (2, n), generator=generator)
    return top, left


def paper_plan(
    image: Tensor, technique: Tensor, spec: AugmentSpec, generator: torch.Generator
) -> EpochPlan:
    """Draws the parameters of each item's technique."""
    n = len(image)
    top, left = draw_offsets(n, generator, spec.crop_size, spec.resize)
    factor = uniform(n, spec.contrast, generator)
    colour = uniform(3 * n, spec.tint, generator).view(n, 3)
    gain = torch.where(technique == Technique.CONTRAST, factor, 1.0)[:, None]
    bias = torch.where((technique == Technique.TINT)[:, None], colour, 0.0)
    rows = _operator(technique, Technique.UPSIDE_DOWN, top)
    columns = _operator(technique, Technique.MIRROR, left)
    operators = geometry.operators(spec.crop_size, spec.resize)
    return EpochPlan(image, technique, gain, bias, rows, columns, operators)


def modern_plan(image: Tensor, spec: AugmentSpec, generator: torch.Generator) -> EpochPlan:
    """Draws the modern augmentations that the spec asks for, each image on its own."""
    n, plan = len(image), unchanged(image)
    if spec.mirror or spec.shift or spec.resized_crop_scale:
        plan = replace(plan, boxes=_draw_boxes(n, spec, generator))
    if spec.jitter:
        bounds = (1 - spec.jitter, 1 + spec.jitter)
        brightness, contrast, saturation = (uniform(n, bounds, generator) for _ in range(3))
        bias = (127.5 * (1 - contrast))[:, None].repeat(1, 3)  # contrast turns about middle gray
        gain = (brightness * contrast)[:, None]
        plan = replace(plan, gain=gain, bias=bias, saturation=saturation)
    if spec.erase:
        plan = replace(plan, erased=_draw_erased(n, spec.erase, generator))
    return plan


def _operator(technique: Tensor, flip: Technique, offset: Tensor) -> Tensor:
    operator = torch.full_like(technique, geometry.IDENTITY)
    operator[technique == flip] = geometry.REVERSED
    return torch.where(technique == Technique.CROP, geometry.FIRST_CROP + offset, operator)


def _draw_boxes(n: int, spec: AugmentSpec, generator: torch.Generator) -> Tensor:
    """The part of each image to show: top, left, height, width (n, 4); width < 0 mirrors."""
    area = uniform(n, spec.resized_crop_scale or (1.0, 1.0), generator)
    ratio = CROP_RATIO if spec.resized_crop_scale else 1.0
    height, width = _sides(area, ratio, generator)
    top, left = (torch.rand(n, generator=generator) * (SIDE - side) for side in (height, width))
    moves = torch.randint(-spec.shift, spec.shift + 1, (2, n), generator=generator)
    top, left = top + moves[0], left + moves[1]
    if spec.mirror:
        mirrored = torch.rand(n, generator=generator) < 0.5
        left, width = torch.where(mirrored, left + width, left), width.where(~mirrored, -width)
    return torch.stack([top, left, height, width], dim=1)


def _draw_erased(n: int, probability: float, generator: torch.Generator) -> Tensor:
    """y0, y1, x0, x1 (n, 4) of the rectangle to erase; empty where there is none."""
    area = uniform(n, ERASED_AREA, generator)
    height, width = (side.round() for side in _sides(area, ERASED_RATIO, generator))
    starts = (torch.rand(n, generator=generator) * (SIDE - side) for side in (height, width))
    top, left = (start.round() for start in starts)
    chosen = torch.rand(n, generator=generator) < probability
    box = torch.stack([top, top + height, left, left + width], dim=1).long()
    return torch.where(chosen[:, None], box, 0)


def _sides(area: Tensor, ratio: float, generator: torch.Generator) -> tuple[Tensor, Tensor]:
    """Height and width in pixels of boxes with these shares of the area; log-uniform ratio."""
    log_ratio = uniform(len(area), (-math.log(ratio), math.log(ratio)), generator)
    side, stretch = SIDE * area.sqrt(), (log_ratio / 2).exp()
    return (side * stretch).clamp(max=SIDE), (side / stretch).clamp(max=SIDE)
