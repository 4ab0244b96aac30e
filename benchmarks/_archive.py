"""Archives of a few MB with which a study can be resumed on another machine.

``results.tar.gz`` holds all small files: 5 MB for 200 classes. The scores of two voting fits each
are in a ``scores-N.tar.gz`` of 13 MB. Unpacked into an empty folder they are a study that can be
resumed: finished items count as done without their weights.
"""

from __future__ import annotations

import tarfile
from collections.abc import Iterable
from pathlib import Path

import numpy as np
from _outcome import VOTES

from tin_lib import files

# The fits whose scores are archived, two per archive.
VOTERS = [f"{group}/networks/{name}" for group, (names, _) in VOTES.items() for name in names]
PAIRS = [VOTERS[k : k + 2] for k in range(0, len(VOTERS), 2)]
LEFT_OUT = {  # too large
    *("weights.safetensors", "best.safetensors", "checkpoint.pt", "plotly.min.js"),
    *("predictions_train.csv", "logits_val.npy", "logits_test.npy"),
}


def round_scores(fit: Path) -> None:
    """Store a fit's scores as float16 at once: votes are then the same from unpacked archives.

    Each image's largest score is subtracted, which does not change the softmax: the scores that
    matter most are then rounded least.
    """
    summary = files.read_json(fit / "summary.json")
    for path in fit.glob("logits_*.npy"):
        scores = np.load(path)
        if scores.dtype != np.float16:
            below = scores - scores.max(axis=1, keepdims=True)
            summary["files"].pop(path.name, None)  # an interruption leaves no outdated digest
            files.write_json(fit / "summary.json", summary)
            files.write_array(path, below.astype(np.float16))
        if path.name not in summary["files"]:
            summary["files"][path.name] = files.file_digest(path)
            files.write_json(fit / "summary.json", summary)


def pack(out: Path) -> None:
    """Rewrite the archives that are out of date."""
    archive(out, "results.tar.gz", small_files(out), level=6)
    for number, pair in enumerate(PAIRS, start=1):
        path = out / f"scores-{number}.tar.gz"
        fits = [out / name for name in pair if (out / name / "summary.json").is_file()]
        logits = [file for fit in fits for file in sorted(fit.glob("logits_*.npy"))]
        if newer(logits, path):
            archive(out, path.name, logits, level=1)  # higher levels save nothing


def small_files(out: Path) -> list[Path]:
    """All files that are neither large, hidden nor archives."""
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
