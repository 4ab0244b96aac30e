"""What speedrun.py shows: the picture, the table, the ratios; all from the tables in --out."""

from __future__ import annotations

from typing import Any

import _curves
import pandas as pd
from _record import Record

from tin_lib import files
from tin_lib.analysis import paper

PAPER = paper.RESULTS["vgg16"]["val"]
LEVELS = {"0.30": 0.3, "0.40": 0.4, "0.50": 0.5, f"{PAPER:g}": PAPER}


def draw(record: Record) -> None:
    """Write speedrun.svg from the tables."""
    found, groups = record.tables(), []
    if len(seeds := found["speedrun"]):
        curves = [points(each) for _, each in found["history"].groupby("seed")]
        low, high, most = seeds.val_accuracy.min(), seeds.val_accuracy.max(), seeds.minutes.max()
        many = f"{len(seeds)} seeds, " if len(seeds) > 1 else ""
        reached = f"{low:.3f} to {high:.3f}" if low < high else f"{low:.3f}"
        words = f"this project: {record.settings['recipe']['network']}, {many}{reached}"
        words += f" after {most:.3g} minutes"
        groups.append(_curves.Group(words, _curves.BLUE, curves))
    if len(plain := found["plain"]):
        last = plain.iloc[-1]
        words = "plain loop: torchvision's resnet18, DataLoader over ImageFolder, "
        words += f"{last.val_accuracy:.3f} after {last.minutes:.3g} minutes"
        own = [points(found["plain_history"])]
        groups.append(_curves.Group(words, _curves.ORANGE, own, dots=True))
    machines = dict.fromkeys(
        description(row) for name in ("speedrun", "plain") for _, row in found[name].iterrows()
    )
    title = "Tiny ImageNet from random weights: validation accuracy against training time"
    words = f"the paper's best network: VGG-16 with ImageNet's weights, {PAPER:g}"
    reference = _curves.Reference(PAPER, f"paper {PAPER:g}", words)
    picture = _curves.svg(title, "; ".join(machines), groups, reference)
    files.atomic_write(record.out / "speedrun.svg", picture)


def points(history: pd.DataFrame) -> list[tuple[float, float]]:
    """A curve's minutes and accuracies."""
    return list(zip(history.minutes, history.val_accuracy, strict=True))


def description(row: pd.Series) -> str:
    """The device of a row, for a person."""
    if "CPU" not in str(row.device):
        return str(row.device)
    amx = {"True": "with AMX", "False": "without AMX"}.get(str(row.amx), "with and without AMX")
    return f"{row.cpu}, {row.threads} threads, {amx}"


def ours(seeds: pd.DataFrame, history: pd.DataFrame, early: float) -> list[dict[str, Any]]:
    """The table's rows of the seeds, and their mean ± standard deviation."""
    rows: list[dict[str, Any]] = []
    for seed in seeds.to_dict("records"):
        own = history[(history.seed == seed["seed"]) & (history.minutes <= early)]
        at = None if own.empty else own.val_accuracy.iloc[-1]
        rows.append(line(f"seed {seed['seed']}", seed, f"at {early:g} min", at))
    if len(rows) > 1:
        numbers = pd.DataFrame(rows).drop(columns="run").astype(float)
        rows.append({"run": "mean ± sd"} | {str(k): spread(v) for k, v in numbers.items()})
    return rows


def spread(values: pd.Series) -> str | None:
    """Mean ± standard deviation; None unless all seeds have a value: it would be too good."""
    return None if values.isna().any() else f"{values.mean():.4g} ± {values.std():.2g}"


def loops(plain: pd.DataFrame, early: float) -> list[dict[str, Any]]:
    """The table's row of the plain loop."""
    rows = plain.to_dict("records")
    return [line("plain loop", row, f"at {early:g} min", row["val_accuracy"]) for row in rows]


def line(run: str, row: dict[Any, Any], early: str, accuracy: float | None) -> dict[str, Any]:
    """A row of the table; None for what was not reached."""
    levels = {f"to {name}": row.get(f"minutes_to_{name}", float("nan")) for name in LEVELS}
    return {
        "run": run,
        "minutes": row["minutes"],
        **{name: None if pd.isna(value) else value for name, value in levels.items()},
        early: None if accuracy is None else f"{accuracy:.4f}",
        "val": f"{row['val_accuracy']:.4f}",
        "top-5": f"{row['val_top5']:.4f}",
        "images/s": row["images_per_second"],
    }


def ratios(seeds: pd.DataFrame, plain: pd.DataFrame) -> dict[str, float]:
    """Means over the seeds against the paper's best network and the plain loop."""
    if seeds.empty:
        return {"plain val accuracy / paper": plain.val_accuracy.iloc[-1] / PAPER}
    accuracy, rate = seeds.val_accuracy.mean(), seeds.images_per_second.mean()
    found = {"val accuracy / paper": accuracy / PAPER}
    found["seeds above the paper"] = float((seeds.val_accuracy > PAPER).mean())
    if len(plain):
        found["val accuracy / plain"] = accuracy / max(plain.val_accuracy.iloc[-1], 1e-9)
        found["images/s / plain"] = rate / plain.images_per_second.iloc[-1]
    return found
