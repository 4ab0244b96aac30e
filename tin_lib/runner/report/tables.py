"""The report's tables as text cells."""

from pathlib import Path
from typing import Any

import pandas as pd

from tin_lib import catalog
from tin_lib.runner.workbook.parameters import COMMON

HEADINGS = {
    "name": "Network",
    "train_accuracy": "Train",
    "val_accuracy": "Val",
    "interval": "95 % interval",
    "val_top5": "Top-5",
    "paper_train": "Paper train",
    "paper_val": "Paper val",
    "paper_test": "Paper test",
    "parameters": "Parameters",
    "epochs": "Epochs",
    "seconds": "Seconds",
    "images_per_second": "Images/s",
}
INTEGERS = ("parameters", "epochs", "seconds", "images_per_second")
STEP_HEADINGS = ["Notebook", "State", "Seconds", "When", "Data", "Parameters"]


def result_rows(results: pd.DataFrame) -> list[list[str]]:
    """Results and the paper's; accuracies in 0..1 with three digits."""
    return [[cell(name, row) for name in HEADINGS] for _, row in results.iterrows()]


def cell(column: str, row: "pd.Series[Any]") -> str:
    """One value as text; empty if it is missing."""
    if column == "interval":
        return f"{row.val_low:.3f}–{row.val_high:.3f}" if pd.notna(row.val_low) else ""
    value = row[column]
    if value is None or pd.isna(value):
        return ""
    if column == "name":
        return title(value, row.get("network"))
    if isinstance(value, str):
        return value
    if not isinstance(value, int | float):
        return str(value)
    return f"{value:,.0f}" if column in INTEGERS else f"{value:.3f}"


def title(name: str, network: Any) -> str:
    """A row's title: the network's if the fit's folder is named by it, else the folder's."""
    if isinstance(network, str) and catalog.folder_name(network) == name:
        return catalog.title(network)
    return catalog.title(name)


def step_rows(records: dict[str, dict[str, Any]]) -> list[list[str]]:
    """State, time, data and parameters of each step."""
    return [step_row(name, record) for name, record in records.items()]


def step_row(name: str, record: dict[str, Any]) -> list[str]:
    """One step's row."""
    seconds = f"{record['seconds']:,.1f}" if "seconds" in record else ""
    given = record.get("parameters", {}).items()
    parameters = ", ".join(f"{key}={value}" for key, value in given if key not in COMMON)
    state, written = record.get("status", "not run yet"), record.get("written", "")
    return [name, state, seconds, written, Path(record.get("data", "")).name, parameters]
