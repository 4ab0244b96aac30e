"""Augmented training images per second: this library, its peers, and the limit.

    python benchmarks/input_pipeline.py [--data sample|DIR] [--device cpu|cuda] [--batches 100]

All make float32 batches, normalised, in which an image has none of the paper's five techniques
(probability 3/8) or one of them (1/8 each):
  limit        gathers packed images and normalises them, nothing else
  ours         tin_lib.augment.render of a plan of the paper's expansion
  kornia       AugmentationSequential(same_on_batch=False) on the same packed images; each
               technique drawn independently with probability 1/8, a bilinear crop, clipped colours
  torchvision  ImageFolder + DataLoader (2 workers): JPEG decoding and v2 transforms of one image
               at a time, a bicubic crop; what the workers prefetched before the clock starts is
               counted in their favour
Ours without a peer, against ours of the paper's plan: "crops" is mirror and resized crop, "shifts"
mirror and shift by whole pixels (also at fewer pixels), "jittered crops" what the modern recipes
do, "modern" all of it and erasing.
--batches is the number of ours per round; the slower contenders make fewer.
"""

from __future__ import annotations

import argparse
import itertools
import time
from collections.abc import Callable

from _common import Work, by_turns, finish, table, timed  # isort: split

import kornia.augmentation as kornia
import numpy as np
import torch
from torch import Tensor
from torch.utils.data import DataLoader, Subset
from torchvision.datasets import ImageFolder
from torchvision.transforms import v2

from tin_lib import augment
from tin_lib.data import TinyImageNet, open_data
from tin_lib.recipes.modern import CROPS

BATCH = 128
WORKERS = 2
MODERN = {  # plans that have no peer
    "crops": augment.AugmentSpec("modern", resized_crop_scale=(0.35, 1.0)),
    "shifts": augment.AugmentSpec("modern", shift=6),
    "jittered crops": CROPS,
    "modern": augment.AugmentSpec(
        "modern", shift=4, resized_crop_scale=(0.3, 1.0), jitter=0.3, erase=0.25
    ),
}


class Resident:
    """Some of the training images on the device, and the normalisation's constants."""

    def __init__(self, data: TinyImageNet, count: int, device: str, channels_last: bool) -> None:
        layout = torch.channels_last if channels_last else torch.contiguous_format
        images = torch.from_numpy(np.array(data.train.images[:count]))
        self.images = images.to(device, memory_format=layout)
        self.mean = torch.as_tensor(data.mean, dtype=torch.float32, device=device)
        self.std = torch.as_tensor(data.std, dtype=torch.float32, device=device)
        self.device = device

    def ours(self, spec: augment.AugmentSpec, size: int = 64) -> Callable[[slice], Tensor]:
        """Renders batches of the first epoch's plan."""
        plan = augment.Augmenter(spec, len(self.images)).epoch(0).to(self.device)
        constants = self.mean, self.std
        return lambda rows: augment.render(self.images, plan[rows], *constants, size=size)

    def limit(self) -> Callable[[slice], Tensor]:
        """Gathers and normalises."""
        order = torch.randperm(len(self.images)).to(self.device)

        def batch(rows: slice) -> Tensor:
            return augment.normalise(self.images[order[rows]], self.mean, self.std)

        return batch

    def kornia(self) -> Callable[[slice], Tensor]:
        """Gathers, scales to 0..1 for kornia, augments each image independently, normalises."""
        order = torch.randperm(len(self.images)).to(self.device)
        pipeline = kornia_pipeline(self.mean / 255, self.std / 255)
        return lambda rows: pipeline(self.images[order[rows]].float() / 255)

    def work(self, batch: Callable[[slice], Tensor], batches: int) -> Work:
        """``batches`` batches, from the first image again after the last."""
        per_epoch = len(self.images) // BATCH
        starts = itertools.cycle(range(0, per_epoch * BATCH, BATCH))

        def run() -> int:
            for start in itertools.islice(starts, batches):
                batch(slice(start, start + BATCH))
            return batches * BATCH

        return timed(run, self.device)


def kornia_pipeline(mean: Tensor, std: Tensor) -> kornia.AugmentationSequential:
    p, area = 1 / 8, (55 / 64) ** 2
    crop = kornia.RandomResizedCrop((64, 64), scale=(area, area), ratio=(1.0, 1.0), p=p)
    return kornia.AugmentationSequential(
        kornia.RandomHorizontalFlip(p=p),
        kornia.RandomVerticalFlip(p=p),
        crop,
        kornia.RandomContrast((0.8, 1.2), p=p),
        kornia.RandomRGBShift(5 / 255, 5 / 255, 5 / 255, p=p),
        kornia.Normalize(mean, std),
        data_keys=["input"],
        same_on_batch=False,
    )


def contrast(image: Tensor) -> Tensor:
    return image * torch.empty(1).uniform_(0.8, 1.2)


def tint(image: Tensor) -> Tensor:
    return image + torch.empty(3, 1, 1).uniform_(-5, 5)


def torchvision_transform(data: TinyImageNet) -> v2.Transform:
    crop = v2.Resize(64, v2.InterpolationMode.BICUBIC, antialias=False)
    techniques = [
        v2.Identity(),
        v2.RandomHorizontalFlip(1),
        v2.RandomVerticalFlip(1),
        v2.Compose([v2.RandomCrop(55), crop]),
        v2.Lambda(contrast),
        v2.Lambda(tint),
    ]
    return v2.Compose(
        [
            v2.ToImage(),
            v2.ToDtype(torch.float32),
            v2.RandomChoice(techniques, p=[3 / 8] + [1 / 8] * 5),
            v2.Normalize(data.mean.tolist(), data.std.tolist()),
        ]
    )


def torchvision_work(data: TinyImageNet, batches: int) -> Work:
    """One pass of a DataLoader over random training files; its start-up is not timed."""
    folder = ImageFolder(str(data.root / "train"), torchvision_transform(data))
    warm = WORKERS * 2  # batches, also the loader's prefetch
    wanted = (warm + batches) * BATCH
    rows = torch.randint(len(folder), (wanted,), generator=torch.Generator().manual_seed(0))
    loader = DataLoader(Subset(folder, rows.tolist()), BATCH, num_workers=WORKERS)

    def run() -> tuple[int, float]:
        feed = iter(loader)
        for _ in range(warm):
            next(feed)
        start = time.perf_counter()
        images = sum(len(batch) for batch, _ in feed)
        return images, time.perf_counter() - start

    return run


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--data", default="sample", help="'sample' or the data set's folder")
    parser.add_argument("--device", default="cpu")
    parser.add_argument("--images", type=int, default=20_000, help="number held in memory")
    parser.add_argument("--rounds", type=int, default=7)
    parser.add_argument("--batches", type=int, default=100, help="of ours in a round")
    parser.add_argument("--channels-last", action="store_true", help="batches in that layout")
    args = parser.parse_args()
    data = open_data(args.data)
    resident = Resident(data, args.images, args.device, args.channels_last)
    # As training does, free a large tensor: glibc then no longer returns a batch's memory at once.
    torch.zeros(8_000_000)
    count, part = args.batches, lambda share: max(1, round(share * args.batches))
    rates = by_turns(
        {
            "limit": resident.work(resident.limit(), count),
            "ours": resident.work(resident.ours(augment.AugmentSpec("paper_copies")), count),
            **{
                f"ours, {name}": resident.work(resident.ours(spec), part(0.5))
                for name, spec in MODERN.items()
            },
            **{
                f"ours, shifts at {size}": resident.work(
                    resident.ours(MODERN["shifts"], size), part(0.5)
                )
                for size in (48, 32)
            },
            "kornia": resident.work(resident.kornia(), part(0.1)),
            "torchvision": torchvision_work(data, part(0.24)),
        },
        args.rounds,
    )
    ours = rates["ours"].median
    rows = [
        {
            "pipeline": name,
            "images/s": f"{rate.median:,.0f}",
            "best": f"{rate.best:,.0f}",
            "±": f"{rate.spread:.0%}",
            "ours is": f"{ours / rate.median:.2f} x",
        }
        for name, rate in rates.items()
    ]
    print(table(rows))
    ratios = {f"ours/{name}": ours / rates[name].median for name in rates if "ours" not in name}
    ratios |= {f"{name}/paper": rates[f"ours, {name}"].median / ours for name in MODERN}
    about = {"data": data.root.name, "batch": BATCH, "seed": 0}
    finish("input_pipeline", ratios, args.device, **about, rows=rows)


if __name__ == "__main__":
    main()
