"""What people would start today: torchvision's resnet18 in a plain PyTorch loop, for some minutes.

The network is unmodified and starts from random weights. The recipe is that of torchvision's
references (SGD, learning rate 0.1, momentum 0.9, weight decay 1e-4, random resized crops, mirror
images, cross-entropy), scaled as people do it for this data set: crops of 64 pixels, batches of 128
(the references have 8 GPUs with 32 each), and a cosine over the minutes instead of steps over 90
epochs. Images come from an ImageFolder through a DataLoader with a worker a core, and are computed
in float32, torch's default, in NCHW. The loss is read after every update, as the references do.

The seconds are those of fetching batches and updating the network; evaluation is apart. Batches
that the workers prepare meanwhile (two a worker) count in the loop's favour, as do idle OpenMP
threads that sleep, which ``_common`` arranges: threads that spin would take the workers' cores.
"""

from __future__ import annotations

import math
import time
from collections.abc import Callable, Generator
from pathlib import Path
from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor
from torch.utils.data import DataLoader, Dataset
from torchvision import transforms
from torchvision.datasets import ImageFolder
from torchvision.datasets.folder import default_loader
from torchvision.models import resnet18

from tin_lib.process import usable_cores

BATCH, LR, MOMENTUM, WEIGHT_DECAY = 128, 0.1, 0.9, 1e-4
SIZE = 64  # pixels
NORMALISE = transforms.Normalize((0.485, 0.456, 0.406), (0.229, 0.224, 0.225))  # of the references
ANNOTATIONS = "val/val_annotations.txt"
EVERY = 60.0  # seconds of training between two evaluations
Report = Callable[[dict[str, Any]], None]


class ValImages(Dataset):
    """Tiny ImageNet's val images, float32 (3,64,64), with the class numbers of an ImageFolder.

    Their classes are in val_annotations.txt: they do not lie in class folders.
    """

    def __init__(self, root: Path, numbers: dict[str, int]) -> None:
        lines = (root / ANNOTATIONS).read_text().splitlines()
        pairs = [line.split("\t")[:2] for line in lines]
        self.samples = [(root / "val/images" / name, numbers[wnid]) for name, wnid in pairs]
        self.transform = transforms.Compose([transforms.ToTensor(), NORMALISE])

    def __len__(self) -> int:
        return len(self.samples)

    def __getitem__(self, index: int) -> tuple[Tensor, int]:
        path, label = self.samples[index]
        return self.transform(default_loader(str(path))), label


def train_images(root: Path) -> ImageFolder:
    """The training images with the references' augmentation, float32 (3,64,64)."""
    changes = [transforms.RandomResizedCrop(SIZE), transforms.RandomHorizontalFlip()]
    return ImageFolder(
        str(root / "train"), transforms.Compose([*changes, transforms.ToTensor(), NORMALISE])
    )


class PlainLoop:
    """Network, optimizer and loaders; the seconds and images of training so far."""

    def __init__(self, root: Path, device: str) -> None:
        train, workers = train_images(root), len(usable_cores())
        val = ValImages(root, train.class_to_idx)
        options: dict[str, Any] = {"num_workers": workers, "pin_memory": device.startswith("cuda")}
        self.loader = DataLoader(train, BATCH, shuffle=True, **options)
        self.val = DataLoader(val, BATCH, **options)
        self.device, self.workers, self.epoch_images = device, workers, len(train)
        self.network = resnet18(num_classes=len(train.classes)).to(device)
        self.optimizer = torch.optim.SGD(
            self.network.parameters(), LR, momentum=MOMENTUM, weight_decay=WEIGHT_DECAY
        )
        self.seconds, self.images = 0.0, 0
        self.losses: list[float] = []  # since the last evaluation

    def train(self, budget: float, report: Report) -> list[dict[str, Any]]:
        """Train for ``budget`` seconds; a row of history every minute, and at the end."""
        history: list[dict[str, Any]] = []
        feed = self.batches()
        while self.seconds < budget:
            started = time.perf_counter()
            lr = LR * (1 + math.cos(math.pi * self.seconds / budget)) / 2
            images, labels = next(feed)
            self.update(images, labels, lr)
            self.seconds += time.perf_counter() - started
            if self.seconds >= min(budget, EVERY * (len(history) + 1)):
                history.append(self.row(lr) | self.evaluate())
                report(history[-1])
        feed.close()  # ends the workers
        return history

    def batches(self) -> Generator[list[Tensor], None, None]:
        """Epoch after epoch."""
        while True:
            yield from self.loader

    def update(self, images: Tensor, labels: Tensor, lr: float) -> None:
        """One update."""
        for group in self.optimizer.param_groups:
            group["lr"] = lr
        images, labels = (part.to(self.device, non_blocking=True) for part in (images, labels))
        loss = F.cross_entropy(self.network(images), labels)
        self.optimizer.zero_grad()
        loss.backward()
        self.optimizer.step()
        self.losses.append(loss.item())
        self.images += len(images)

    def row(self, lr: float) -> dict[str, Any]:
        """What is known of training up to here; the loss is the mean since the last row."""
        loss = sum(self.losses) / len(self.losses)
        self.losses.clear()
        return {
            "minutes": self.seconds / 60,
            "epoch": self.images / self.epoch_images,
            "lr": lr,
            "images_per_second": self.images / self.seconds,
            "train_loss": loss,
        }

    @torch.inference_mode()
    def evaluate(self) -> dict[str, float]:
        """Top-1 and top-5 accuracy (0..1) on all val images."""
        self.network.eval()
        found = torch.zeros(2)
        for images, labels in self.val:
            scores = self.network(images.to(self.device)).cpu()
            right = scores.topk(min(5, scores.shape[1])).indices == labels[:, None]
            found += torch.stack([right[:, 0].sum(), right.sum()])
        self.network.train()
        top1, top5 = (found / len(self.val.dataset)).tolist()  # type: ignore[arg-type]
        return {"val_accuracy": top1, "val_top5": top5}


def run(
    root: Path, minutes: float, device: str, seed: int, report: Report
) -> tuple[dict[str, Any], list[dict[str, Any]]]:
    """Train for ``minutes``; returns the figures and the history, and passes its rows to report.

    The seed is that of weights, order and augmentation; since the learning rate follows the clock,
    two runs are still not equal.
    """
    with torch.random.fork_rng([device] if device.startswith("cuda") else []):
        torch.manual_seed(seed)
        loop = PlainLoop(root, device)
        history = loop.train(minutes * 60, report)
    last = history[-1]
    figures = {
        "network": "torchvision resnet18",
        "seed": seed,
        "budget_minutes": minutes,
        "minutes": last["minutes"],
        "val_accuracy": last["val_accuracy"],
        "val_top5": last["val_top5"],
        "images_per_second": last["images_per_second"],
        "images_seen": loop.images,
        "epochs": last["epoch"],
        "batch_size": BATCH,
        "precision": "float32",
        "workers": loop.workers,
    }
    return figures, history
