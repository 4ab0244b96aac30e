"""A small data set in memory, made without files."""

import dataclasses
from pathlib import Path

import numpy as np

from tin_lib.data import Split, TinyImageNet


def make_tiny(classes: int = 4, per_class: int = 24, seed: int = 0) -> TinyImageNet:
    """A data set in memory whose classes differ in the colour of a square: flips do no harm."""
    rng = np.random.default_rng(seed)
    ids = tuple(f"n{i:08}" for i in range(classes))

    def split(name: str, count: int) -> Split:
        labels = np.repeat(np.arange(classes), count)
        images = rng.integers(0, 120, (len(labels), 3, 64, 64), dtype=np.uint8)
        for image, label in zip(images, labels, strict=True):
            image[[label % 3, (label % 3 + label // 3) % 3], 16:48, 16:48] += 100
        files = np.array([f"{name}_{i}.JPEG" for i in range(len(labels))])
        boxes = np.tile(np.array([8, 8, 40, 40], np.int16), (len(labels), 1))
        gray = np.zeros(len(labels), bool)
        return Split(name, images, labels.astype(np.int64), files, boxes, gray)

    train = split("train", per_class)
    pixels = train.images.astype(np.float64)
    test = split("test", 4)
    return TinyImageNet(
        root=Path("tiny"),
        class_ids=ids,
        class_names=tuple(f"colour {i}" for i in range(classes)),
        fingerprint=f"{classes}-{per_class}-{seed}".ljust(64, "0"),
        mean=pixels.mean((0, 2, 3)),
        std=pixels.std((0, 2, 3)),
        train=train,
        heldout=split("heldout", 4),
        val=split("val", 8),
        test=dataclasses.replace(test, labels=np.full(len(test), -1)),
    )
