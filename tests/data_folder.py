"""A tiny data set in the official folder layout, for the tests of ``tin_lib.data``."""

from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from tin_lib.data import packed as packed_module

CLASSES = ("n00000001", "n00000002", "n00000003")
TRAIN, VAL, TEST = 12, 2, 4  # training and val images a class, test images in all


def write_folder(root: Path, seed: int = 0) -> Path:
    """Write it to ``root`` and return that; val_1.JPEG and test_0.JPEG are grayscale."""
    rng = np.random.default_rng(seed)
    for wnid in CLASSES:
        names = [f"{wnid}_{i}.JPEG" for i in range(TRAIN)]
        write_images(root / "train" / wnid / "images", names, rng)
        rows = [f"{name}\t{i}\t1\t{i + 20}\t40\n" for i, name in enumerate(names)]
        (root / "train" / wnid / f"{wnid}_boxes.txt").write_text("".join(rows))
    names = [f"val_{i}.JPEG" for i in range(VAL * len(CLASSES))]
    write_images(root / "val" / "images", names, rng, gray="val_1.JPEG")
    rows = [f"{name}\t{CLASSES[i % 3]}\t0\t0\t62\t{i}\n" for i, name in enumerate(names)]
    (root / "val" / "val_annotations.txt").write_text("".join(rows))
    names = [f"test_{i}.JPEG" for i in range(TEST)]
    write_images(root / "test" / "images", names, rng, gray="test_0.JPEG")
    (root / "wnids.txt").write_text("\n".join(reversed(CLASSES)) + "\n")
    words = [f"{wnid}\tthing {wnid[-1]}, object\n" for wnid in CLASSES]
    (root / "words.txt").write_text("n99999999\tunused\n" + "".join(words))
    return root


def write_images(
    folder: Path, names: list[str], rng: np.random.Generator, gray: str | None = None
) -> None:
    """Write noisy 64×64 JPEG files."""
    folder.mkdir(parents=True)
    for name in names:
        coarse = Image.fromarray(rng.integers(0, 256, (8, 8, 3), dtype=np.uint8))
        image = coarse.resize((64, 64), Image.Resampling.BICUBIC)
        image.convert("L" if name == gray else "RGB").save(folder / name, "JPEG", quality=85)


def pil_pixels(path: Path) -> np.ndarray:
    """An image as PIL reads it: uint8 (3, 64, 64)."""
    with Image.open(path) as image:
        return np.asarray(image.convert("RGB")).transpose(2, 0, 1)


def builds(monkeypatch: pytest.MonkeyPatch) -> list[Path]:
    """Record every time that something is really packed."""
    calls: list[Path] = []
    build = packed_module._build

    def counted(root: Path, *rest: object) -> None:
        calls.append(root)
        build(root, *rest)

    monkeypatch.setattr(packed_module, "_build", counted)
    return calls
