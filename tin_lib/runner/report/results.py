"""``results.csv``: every network and ensemble of a run beside the paper's figures."""

from pathlib import Path
from typing import Any

import pandas as pd

from tin_lib import catalog, files, runs
from tin_lib.runner.workbook import state

COLUMNS = (
    "name",
    "kind",
    "train_accuracy",
    "val_accuracy",
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
)
SUMMARIES = "networks/*/summary.json"
# What the ensemble notebook calls the columns, and what they are called here.
ENSEMBLE = {"accuracy": "val_accuracy", "top5": "val_top5"}


def collect_results(run: str | Path) -> pd.DataFrame:
    """One row for each trained network, then one for each ensemble; columns COLUMNS.

    Accuracies are in 0..1; what is not known is missing (NaN or None). Networks come from
    ``networks/NAME/summary.json``, ensembles from ``ensemble/summary.csv``, unless their step has
    failed or a network has been trained since.
    """
    run = Path(run)
    rows = [network_row(path.parent) for path in summaries(run)]
    if not outdated(run):
        rows += [ensemble_row(row) for row in ensembles(run / "ensemble")]
    return pd.DataFrame(rows).reindex(columns=list(COLUMNS))


def outdated(run: Path) -> bool:
    """Whether what the ensemble notebook left is not of these networks.

    Its step did not finish, or another network has been trained since. Without a stamp, or with an
    older one, the notebook was run by hand.
    """
    table = run / "ensemble" / "summary.csv"
    now = state.files_digest(run, [SUMMARIES])
    for path in (run / "steps").glob("*ensemble.json"):
        by_hand = table.is_file() and table.stat().st_mtime > path.stat().st_mtime
        stamp = state.read(run, path.stem)
        if not by_hand and (stamp.get("status") != state.OK or stamp.get("read", now) != now):
            return True
    return False


def summaries(run: Path) -> list[Path]:
    """Summaries of the finished fits in the paper's order; others follow by name."""
    found = run.glob(SUMMARIES)
    order = {name: rank for rank, name in enumerate(runs.ORDER)}
    return sorted(found, key=lambda p: (order.get(p.parent.name, len(order)), p.parent.name))


def network_row(folder: Path) -> dict[str, Any]:
    """One fit's row, named by its folder."""
    summary = files.read_object(folder / "summary.json")
    paper = paper_figures(folder.name, summary.get("network", ""))
    return summary | {"name": folder.name, "kind": "network"} | paper


def ensemble_row(row: dict[str, Any]) -> dict[str, Any]:
    """One ensemble's row."""
    row = {ENSEMBLE.get(name, name): value for name, value in row.items()}
    return row | {"kind": "ensemble"} | paper_figures(row["name"])


def ensembles(folder: Path) -> list[dict[str, Any]]:
    """The ensembles that the notebook left, each with its ``name``; without single networks."""
    if not (folder / "summary.csv").is_file():
        return []
    rows = files.read_table(folder / "summary.csv").to_dict("records")
    return [{str(k): v for k, v in row.items()} for row in rows if row.get("kind") != "network"]


def paper_figures(*names: str) -> dict[str, float | None]:
    """The paper's accuracies for the first of the names that it has."""
    spellings = [spelling for name in names for spelling in (name, name.replace("_", " "))]
    found = next((catalog.RESULTS[s] for s in spellings if s in catalog.RESULTS), {})
    return {f"paper_{split}": found.get(split) for split in ("train", "val", "test")}
