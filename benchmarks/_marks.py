"""The full study compared with the marks: one table, and the ratios of the last line."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pandas as pd
from _common import table
from _outcome import TARGET
from _plan import RANDOM

from tin_lib import files
from tin_lib.analysis import paper

# Validation accuracies to reach; for the paper's recipes, the paper's own.
ACCURACY = {
    **{f"paper/{name}": row["val"] for name, row in paper.RESULTS.items() if "val" in row},
    "modern/vgg16": 0.60,
    "modern/convnet9": 0.60,
    "modern/vgg_like": 0.45,
    "modern/alexnet": 0.46,
    "best/resnet18": 0.70,
    "modern/majority vote": 0.73,
    "modern/soft vote": 0.73,
}
SECONDS = 60  # of training to TARGET
MINUTES = 25  # of all items together


def results(out: Path) -> pd.DataFrame:
    """Rows of results.csv, named recipe/network, with their marks; empty before the first fit."""
    if not (out / "results.csv").is_file():
        return pd.DataFrame(columns=["name", "val_accuracy", "seconds", "paper_val", "mark"])
    numbers = dict.fromkeys(("val_accuracy", "seconds", "paper_val"), float)
    rows = files.read_table(out / "results.csv", dtype=numbers)
    rows["name"] = rows.recipe + "/" + rows["name"]
    # The paper's VGG-16 started from ImageNet weights: a mark only for fits that do too.
    elsewhere = (rows["name"] == "paper/vgg16") & rows.note.str.startswith(RANDOM)
    return rows.assign(mark=rows["name"].map(ACCURACY).mask(elsewhere))


def time_to_target(out: Path) -> dict[str, Any]:
    """The entry of fast's seeds in time_to_accuracy.json."""
    path = out / "time_to_accuracy.json"
    return files.read_json(path)["fast"] if path.is_file() else {"mean": None}


def steps(out: Path) -> dict[str, dict[str, Any]]:
    """The rows of ``fit`` and bare step, by recipe."""
    path = out / "speed.json"
    return files.read_json(path)["steps"] if path.is_file() else {}


def shown(out: Path) -> str:
    """The table; "" before the first fit."""
    lines = [
        {
            "name": row["name"],
            "val accuracy": text(row["val_accuracy"]),
            "seconds": text(row["seconds"], 1),
            "paper's val": text(row["paper_val"]),
            "mark": text(row["mark"]),
        }
        for row in results(out).to_dict("records")
    ]
    fast = time_to_target(out)
    if fast["mean"] is not None:
        name = f"fast, {fast['reached']} of {fast['seeds']} seeds, mean ± sd"
        seconds = f"{fast['mean']:.1f} ± {fast['sd']:.1f}"
        line = {"name": name, "val accuracy": text(TARGET), "seconds": seconds}
        lines.append(line | {"paper's val": text(TARGET), "mark": f"{SECONDS} s"})
    return table(lines) if lines else ""


def text(value: float | None, digits: int = 3) -> str:
    """A number, "–" for none."""
    return "–" if pd.isna(value) else f"{value:.{digits}f}"


def ratios(out: Path, seconds: float) -> dict[str, float]:
    """Each measurement divided by its mark, times included. ``seconds``: of all items."""
    marked = results(out).dropna(subset=["mark", "val_accuracy"]).set_index("name")
    over = marked.val_accuracy / marked.mark
    found = {f"{name} / mark": float(value) for name, value in over.items()}
    mean = time_to_target(out)["mean"]
    if mean is not None:
        found[f"seconds to {TARGET} / {SECONDS}"] = mean / SECONDS
    for name, row in steps(out).items():
        found[f"{name} fit/bare"] = row["fit/bare"]
        found[f"{name} share of the matrix product"] = row["fit share"]
    return found | {f"minutes / {MINUTES}": seconds / 60 / MINUTES}
