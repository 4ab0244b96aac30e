"""What can be carried home from a machine that may be gone at any moment, in files of some MB.

``results.tar.gz`` holds all small files: 5 MB for 200 classes. The scores of two voting fits each
are in a ``scores-N.tar.gz`` of 13 MB. Unpacked into an empty folder they are a study that can go
on: what is done counts as done without its weights.
"""

from __future__ import annotations

import tarfile
from collections.abc import Iterable
from pathlib import Path

import numpy as np
from _outcome import VOTES

from tin_lib import files

# Whose scores are worth carrying, two by two.
VOTERS = [f"{group}/networks/{name}" for group, (names, _) in VOTES.items() for name in names]
PAIRS = [VOTERS[k : k + 2] for k in range(0, len(VOTERS), 2)]
LEFT_OUT = {  # too large
    *("weights.safetensors", "best.safetensors", "checkpoint.pt", "plotly.min.js"),
    *("predictions_train.csv", "logits_val.npy", "logits_test.npy"),
}


def round_scores(fit: Path) -> None:
    """Keep a fit's scores as float16, at once: votes are then the same before and after a journey.

    Less each image's largest, which no softmax notices: so what counts most is rounded least.
    """
    for path in fit.glob("logits_*.npy"):
        scores = np.load(path)
        if scores.dtype != np.float16:
            below = scores - scores.max(axis=1, keepdims=True)
            files.write_array(path, below.astype(np.float16))


def pack(out: Path) -> None:
    """Write the archives anew that are out of date."""
    archive(out, "results.tar.gz", small_files(out), level=6)
    for number, pair in enumerate(PAIRS, start=1):
        path = out / f"scores-{number}.tar.gz"
        fits = [out / name for name in pair if (out / name / "summary.json").is_file()]
        logits = [file for fit in fits for file in sorted(fit.glob("logits_*.npy"))]
        if newer(logits, path):
            archive(out, path.name, logits, level=1)  # more saves nothing


def small_files(out: Path) -> list[Path]:
    """All that is neither large nor hidden, nor an archive."""
    return [
        path
        for path in sorted(out.rglob("*"))
        if path.is_file()
        and path.name not in LEFT_OUT
        and not path.name.endswith(".tar.gz")
        and not any(part.startswith(".") for part in path.relative_to(out).parts)
    ]


def newer(sources: Iterable[Path], archive: Path) -> bool:
    """Whether one of the files has changed since the archive was written."""
    packed = archive.stat().st_mtime if archive.is_file() else 0.0
    return any(file.stat().st_mtime > packed for file in sources)


def archive(out: Path, name: str, members: list[Path], level: int) -> None:
    """Put files into one archive, under their paths in ``out``."""
    with (
        files.atomic_path(out / name) as temporary,
        tarfile.open(temporary, "w:gz", compresslevel=level) as packed,
    ):
        for path in members:
            packed.add(path, str(path.relative_to(out)))
