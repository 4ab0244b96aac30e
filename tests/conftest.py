"""Fixtures that several test modules share."""

import dataclasses
import os
import signal
from pathlib import Path

import numpy as np
import pytest

from tin_lib import runs
from tin_lib.data import Split, TinyImageNet


def pytest_configure() -> None:
    """Ctrl-C counts, for the processes that tests start too, where whoever started the tests has
    it ignored (``nohup``, ``&``), which is inherited."""
    signal.signal(signal.SIGINT, signal.default_int_handler)


@pytest.fixture(scope="session")
def tin_data() -> Path:
    """Folder of the real data set, from the environment variable TIN_DATA; else skips."""
    folder = os.environ.get("TIN_DATA")
    if not folder:
        pytest.skip(
            "TIN_DATA is not set: it names the folder of the real data set (tiny-imagenet-200)"
        )
    return Path(folder)


@pytest.fixture(scope="module")
def run(tmp_path_factory: pytest.TempPathFactory) -> runs.Run:
    """A run of two narrow networks, trained for one epoch on a part of the sample."""
    from small_run import make_run

    return make_run(tmp_path_factory.mktemp("run"))


@pytest.fixture(scope="module")
def data(run: runs.Run) -> TinyImageNet:
    """The data of ``run``."""
    return run.data()


@pytest.fixture(scope="session")
def tiny() -> TinyImageNet:
    """Four classes of 24 noisy, coloured images each: learnt in seconds."""
    return make_tiny()


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
