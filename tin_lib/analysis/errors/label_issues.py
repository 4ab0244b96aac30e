"""Possible label issues: a list for a person to review, not a correction."""

from collections.abc import Mapping
from typing import TYPE_CHECKING

import numpy as np
import pandas as pd

COLUMNS = ["split", "file", "label", "suggested", "confidence", "reason"]

if TYPE_CHECKING:
    from tin_lib.data import TinyImageNet


def disagreements(
    tables: Mapping[str, pd.DataFrame], split: str = "val", confidence: float = 0.9
) -> pd.DataFrame:
    """Images for which all networks confidently predict the same label, other than the given one.

    Parameters
    ----------
    tables: predictions of the same images by network, from ``ensemble.predictions``.
    split: name of their split.
    confidence: smallest probability (0..1) that every network must give.

    Returns
    -------
    Columns split, file, label, suggested (wnids), confidence (the smallest of the networks'),
    reason; the most confident first.
    """
    if not tables or not 0 <= confidence <= 1:
        raise ValueError("give at least one predictions table, and a confidence between 0 and 1")
    first = next(iter(tables.values()))
    least = np.min([table.probability for table in tables.values()], axis=0)
    chosen = (first.predicted != first.label).to_numpy(bool) & (least >= confidence)
    for table in tables.values():
        chosen &= (table.predicted == first.predicted).to_numpy(bool)
    found = first[chosen]
    found = found.assign(split=split, suggested=found.predicted, confidence=least[chosen])
    found = found.assign(reason=f"all {len(tables)} networks give another label")
    return found.sort_values("confidence", ascending=False, kind="stable", ignore_index=True)[
        COLUMNS
    ]


def duplicates(files: pd.DataFrame) -> pd.DataFrame:
    """Byte-identical images with conflicting labels.

    ``files``: columns group (one number per set of identical files), split, file, label (wnid,
    empty if unknown), such as ``identical`` of ``analysis.audit``. Returns the columns of
    ``disagreements`` for each file of a group with conflicting labels: suggested holds the other
    labels, separated by blanks; confidence is NaN.
    """
    known = files[files.label != ""]
    labels = known.groupby("group").label.agg(lambda given: sorted(set(given)))
    conflicts = labels[labels.map(len) > 1]
    found = known[known.group.isin(conflicts.index)].sort_values(["group", "split", "file"])
    others = [
        " ".join(label for label in conflicts[group] if label != own)
        for group, own in zip(found.group, found.label)
    ]
    found = found.assign(suggested=others, confidence=float("nan"))
    return found.assign(reason="an identical file has another label")[COLUMNS].reset_index(
        drop=True
    )


def label_issues(
    tables: Mapping[str, pd.DataFrame], files: pd.DataFrame | None = None, confidence: float = 0.9
) -> pd.DataFrame:
    """``disagreements`` on val followed by ``duplicates``, in one table."""
    parts = [disagreements(tables, "val", confidence)]
    if files is not None:
        parts.append(duplicates(files))
    return pd.concat([part for part in parts if len(part)] or parts[:1], ignore_index=True)


def issue_images(table: pd.DataFrame, data: "TinyImageNet") -> list[np.ndarray]:
    """The images of a ``label_issues`` table, uint8 (3, 64, 64) each, in its order."""
    chosen = []
    for row in table.itertuples():
        split = data.split(str(row.split))
        chosen.append(split.images[int(np.flatnonzero(split.files == row.file)[0])])
    return chosen
