"""``results.csv``: every network and ensemble of a run, with the paper's figures."""

from pathlib import Path
from typing import Any

import pandas as pd

from tin_lib import catalog, files
from tin_lib.analysis import paper, statistics
from tin_lib.runner.workbook import same_data, state

COLUMNS = (
    "name",
    "kind",
    "train_accuracy",
    "val_accuracy",
    "val_low",
    "val_high",
    "val_top5",
    "paper_train",
    "paper_val",
    "paper_test",
    "parameters",
    "epochs",
    "seconds",
    "images_per_second",
    "device",
    "precision",
    "network",
    "data",
)
SUMMARIES = "networks/*/summary.json"
# The ensemble notebook's names of columns, and the names here.
ENSEMBLE = {"accuracy": "val_accuracy", "low": "val_low", "high": "val_high", "top5": "val_top5"}


def collect_results(run: str | Path) -> pd.DataFrame:
    """One row for each trained network, then one for each ensemble; columns COLUMNS.

    Accuracies are in 0..1, ``val_low`` and ``val_high`` the ends of Wilson's 95 % interval; unknown
    values are missing (NaN or None). Networks come from
    ``networks/NAME/summary.json``, ensembles from ``ensemble/summary.csv``, unless their step has
    failed or a network has been trained since.
    """
    run = Path(run)
    rows = [network_row(path.parent) for path in summaries(run)]
    if not outdated(run):
        rows += [ensemble_row(row) for row in ensembles(run / "ensemble")]
    return pd.DataFrame(rows).reindex(columns=list(COLUMNS))


def outdated(run: Path) -> bool:
    """Whether the ensemble notebook's table does not belong to the run's networks.

    It does not if its step did not finish, or if a network has been trained since. A table without
    a record, or newer than its record, was written outside ``tin run`` and counts as current.
    """
    table = run / "ensemble" / "summary.csv"
    now = state.files_digest(run, [SUMMARIES])
    for path in (run / "steps").glob("*ensemble.json"):
        by_hand = table.is_file() and table.stat().st_mtime > path.stat().st_mtime
        record = state.read(run, path.stem)
        if not by_hand and (record.get("status") != state.OK or record.get("read", now) != now):
            return True
    return False


def summaries(run: Path) -> list[Path]:
    """Summaries of the finished fits in the paper's order; others follow by name."""
    found = {path.parent.name: path for path in run.glob(SUMMARIES)}
    return [found[name] for name in catalog.ordered(found)]


def network_row(folder: Path) -> dict[str, Any]:
    """One fit's row, named by its folder."""
    summary = files.read_object(folder / "summary.json")
    for name in COLUMNS:
        if not isinstance(summary.get(name), str | int | float | None):
            raise ValueError(f"{folder / 'summary.json'}: {name} is no number or text; train again")
    data = data_text(folder / "meta.json")
    paper = paper_figures(folder.name, summary.get("network", ""))
    ends = interval(folder / "meta.json", summary.get("val_accuracy"))
    return summary | {"name": folder.name, "kind": "network", "data": data} | ends | paper


def interval(meta: Path, accuracy: Any) -> dict[str, float]:
    """The 95 % interval of a fit's validation accuracy; empty if the images were not counted."""
    counts = files.read_object(meta).get("images") if meta.is_file() else None
    images = counts.get("val") if isinstance(counts, dict) else None
    if not images or accuracy is None:
        return {}
    low, high = statistics.wilson(accuracy * images, images)
    return {"val_low": float(low), "val_high": float(high)}


def data_text(meta: Path) -> str | None:
    """What a fit was trained on, in a few words; None without the file."""
    try:
        return same_data.describe(files.read_object(meta)) if meta.is_file() else None
    except (TypeError, AttributeError, KeyError) as error:
        raise ValueError(f"{meta} is damaged ({error}); train again") from None


def ensemble_row(row: dict[str, Any]) -> dict[str, Any]:
    """One ensemble's row."""
    row = {ENSEMBLE.get(name, name): value for name, value in row.items()}
    return row | {"kind": "ensemble"} | paper_figures(row["name"])


def ensembles(folder: Path) -> list[dict[str, Any]]:
    """The ensembles in the notebook's table, each with its ``name``; without single networks."""
    if not (folder / "summary.csv").is_file():
        return []
    numeric = ("accuracy", "low", "high", "top5", "ties", "train_accuracy")
    numbers = dict.fromkeys(numeric, float)
    rows = files.read_table(folder / "summary.csv", dtype=numbers).to_dict("records")
    return [{str(k): v for k, v in row.items()} for row in rows if row.get("kind") != "network"]


def paper_figures(*names: str) -> dict[str, float | None]:
    """The paper's accuracies for the first of the names that the paper has."""
    spellings = [spelling for name in names for spelling in (name, name.replace("_", " "))]
    found = next((paper.RESULTS[s] for s in spellings if s in paper.RESULTS), {})
    return {f"paper_{split}": found.get(split) for split in ("train", "val", "test")}
