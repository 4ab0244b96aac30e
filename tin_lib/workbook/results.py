"""``results.csv``: every network and ensemble of a run beside the paper's figures."""

from pathlib import Path
from typing import Any

import pandas as pd

from tin_lib import runs

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
)
# Accuracies in 0..1 of the paper's Table 1 and Table 2: (train, val, test).
PAPER: dict[str, tuple[float | None, float | None, float | None]] = {
    "convnet9": (0.988, 0.455, 0.423),
    "vgg_like": (0.488, 0.288, 0.237),
    "vgg16": (0.760, 0.535, 0.494),
    "majority_vote": (None, None, 0.492),
}


def collect_results(run: str | Path) -> pd.DataFrame:
    """One row for each trained network, then one for each ensemble; columns COLUMNS.

    Accuracies are in 0..1; what is not known is missing (NaN or None). Networks come from
    ``networks/NAME/summary.json``, ensembles from ``ensemble/summary.json`` (a list of rows, or
    rows by name) or ``ensemble/summary.csv``.
    """
    run = Path(run)
    rows = [network_row(path.parent) for path in summaries(run)]
    rows += [ensemble_row(row) for row in ensembles(run / "ensemble")]
    return pd.DataFrame(rows).reindex(columns=list(COLUMNS))


def summaries(run: Path) -> list[Path]:
    """Summaries of the finished fits in the paper's order; others follow by name."""
    found = run.glob("networks/*/summary.json")
    order = {name: rank for rank, name in enumerate(runs.ORDER)}
    return sorted(found, key=lambda p: (order.get(p.parent.name, len(order)), p.parent.name))


def network_row(folder: Path) -> dict[str, Any]:
    """One fit's row, named by its folder."""
    summary = runs.read_json(folder / "summary.json")
    paper = paper_figures(folder.name, summary.get("network", ""))
    return summary | {"name": folder.name, "kind": "network"} | paper


def ensemble_row(row: dict[str, Any]) -> dict[str, Any]:
    """One ensemble's row."""
    return row | {"kind": "ensemble"} | paper_figures(row["name"])


def ensembles(folder: Path) -> list[dict[str, Any]]:
    """The rows that the ensemble notebook left, each with its ``name``."""
    if (folder / "summary.json").is_file():
        content = runs.read_json(folder / "summary.json")
        if isinstance(content, dict):
            return [{"name": name, **row} for name, row in content.items()]
        return content
    if (folder / "summary.csv").is_file():
        table = runs.read_table(folder / "summary.csv")
        return [{str(k): v for k, v in row.items()} for row in table.to_dict("records")]
    return []


def paper_figures(*names: str) -> dict[str, float | None]:
    """The paper's accuracies for the first of the names that it has."""
    known = [PAPER[n] for n in (name.lower().replace(" ", "_") for name in names) if n in PAPER]
    train, val, test = known[0] if known else (None, None, None)
    return {"paper_train": train, "paper_val": val, "paper_test": test}
