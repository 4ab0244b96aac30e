"""The report's tables as HTML."""

import html
from typing import Any

import pandas as pd

from tin_lib import catalog

HEADINGS = {
    "name": "Network",
    "train_accuracy": "Train",
    "val_accuracy": "Val",
    "val_top5": "Val top-5",
    "paper_train": "Paper train",
    "paper_val": "Paper val",
    "paper_test": "Paper test",
    "parameters": "Parameters",
    "epochs": "Epochs",
    "seconds": "Seconds",
    "images_per_second": "Images/s",
    "device": "Device",
    "precision": "Precision",
}
WHOLE = ("parameters", "epochs", "seconds", "images_per_second")


def results_table(results: pd.DataFrame) -> str:
    """Results beside the paper's; accuracies as shares of 1 with three digits."""
    if results.empty:
        return "<p>No network has been trained yet.</p>"
    rows = [[number(name, row[name]) for name in HEADINGS] for _, row in results.iterrows()]
    note = (
        "<p class='note'>Accuracies are shares of the images, 1 being all right. The paper's "
        "figures are for 200 classes and full-width networks; this run may have less.</p>"
    )
    return table(list(HEADINGS.values()), rows) + note


def number(column: str, value: Any) -> str:
    """One value as text; empty where it is missing."""
    if value is None or pd.isna(value):
        return ""
    if isinstance(value, str):
        return catalog.title(value) if column == "name" else value
    return f"{value:,.0f}" if column in WHOLE else f"{value:.3f}"


def steps_table(every: dict[str, dict[str, Any]]) -> str:
    """State, time and moment of each step."""
    rows = []
    for name, stamp in every.items():
        seconds = f"{stamp['seconds']:,.1f}" if "seconds" in stamp else ""
        rows.append([name, stamp.get("status", "not run yet"), seconds, stamp.get("written", "")])
    return table(["Notebook", "State", "Seconds", "When"], rows)


def table(headings: list[str], rows: list[list[str]]) -> str:
    """A table that scrolls sideways where the window is narrow."""
    top = "".join(f'<th scope="col">{html.escape(text)}</th>' for text in headings)
    lines = "".join(table_row(row) for row in rows)
    inner = f"<table><thead><tr>{top}</tr></thead><tbody>{lines}</tbody></table>"
    return f'<div class="scroll" tabindex="0">{inner}</div>'


def table_row(row: list[str]) -> str:
    """One row; its first cell is the row's heading."""
    cells = "".join(f"<td>{html.escape(text)}</td>" for text in row[1:])
    return f'<tr><th scope="row">{html.escape(row[0])}</th>{cells}</tr>'


def definitions(facts: dict[str, str]) -> str:
    """Names and values as a description list."""
    items = "".join(f"<dt>{html.escape(k)}</dt><dd>{html.escape(v)}</dd>" for k, v in facts.items())
    return f"<dl>{items}</dl>"
