"""The run directory: reading a fit's folder (of several fits: ``tin_lib.analysis.runs``).

A fit's folder, written by ``train.fit``::

    recipe.json   meta.json          the recipe, and what the fit was made from
    history.jsonl                    one JSON object per epoch
    checkpoint.pt                    from which an interrupted fit resumes
    weights.safetensors              the trained network
    predictions_{train,heldout,val,test}.csv  logits_{val,test}.npy  summary.json

A workbook run is a folder with ``networks/<name>/`` (fits) and a folder for each notebook's output.
"""

import contextlib
import json
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import torch

from tin_lib import files, networks

PREDICTED = ("file", "label", "predicted", "probability", "top5")  # columns of predictions


def locate(path: str | Path) -> Path:
    """A run's folder: relative to the working directory, or to its parent among the notebooks."""
    here = Path.cwd()
    base = here.parent if (here / "workbook.yaml").is_file() else here
    return base / Path(path).expanduser()


@dataclass(frozen=True, eq=False)
class Fit:
    """A finished fit's folder, read lazily."""

    path: Path

    @property
    def name(self) -> str:
        """Folder name, e.g. ``vgg16``."""
        return self.path.name

    @cached_property
    def meta(self) -> dict[str, Any]:
        """What the fit was made from: network, classes, data, versions, device, precision."""
        return files.read_object(self.path / "meta.json")

    @cached_property
    def recipe(self) -> dict[str, Any]:
        """The recipe's fields."""
        return files.read_object(self.path / "recipe.json")

    @cached_property
    def summary(self) -> dict[str, Any]:
        """Final figures: accuracies in 0..1, parameters, epochs, seconds, images/s, device…"""
        return files.read_object(self.path / "summary.json")

    @property
    def class_ids(self) -> tuple[str, ...]:
        """Sorted class ids: the class order of logits."""
        return tuple(self.meta["class_ids"])

    @property
    def class_names(self) -> tuple[str, ...]:
        """Class names, in the order of ``class_ids``."""
        return tuple(self.meta["class_names"])

    @property
    def mean(self) -> torch.Tensor:
        """Per-channel mean of the training images, float32 (3,), 0..255 units."""
        return torch.tensor(self.meta["mean"], dtype=torch.float32)

    @property
    def std(self) -> torch.Tensor:
        """Per-channel standard deviation of the training images, float32 (3,), 0..255 units."""
        return torch.tensor(self.meta["std"], dtype=torch.float32)

    @cached_property
    def digest(self) -> str:
        """Twelve hex digits of the weights file: another training gives others."""
        return self._digest("weights.safetensors")[:12]

    @cached_property
    def _digests(self) -> dict[tuple[str, int, int], str]:
        return {}

    def _digest(self, name: str) -> str:
        """SHA-256 of a file, computed once for each of its sizes and times of change."""
        state = (self.path / name).stat()
        key = name, state.st_size, state.st_mtime_ns
        if key not in self._digests:
            self._digests[key] = files.file_digest(self.path / name)
        return self._digests[key]

    def check_digest(self, name: str) -> None:
        """Raise ValueError unless the file is as the training wrote and recorded it."""
        ended = (self.path / "summary.json").is_file()
        recorded = ((self.summary.get("files") or {}) if ended else {}).get(name)
        if recorded and recorded != self._digest(name):
            problem = f"{self.path / name} is damaged or was changed after the training"
            raise ValueError(f"{problem}; train again; `tin verify {self.path}` shows the rest")

    def history(self) -> pd.DataFrame:
        """One row an epoch: losses, accuracies (0..1), learning rate, size (pixels), seconds, rate.

        A line cut short by a crash is left out. Raises FileNotFoundError or ValueError, naming the
        file, if it is missing or holds no epoch.
        """
        path, rows = self.path / "history.jsonl", []
        if not path.is_file():
            raise FileNotFoundError(f"{path} does not exist; train again")
        for line in path.read_text(encoding="utf-8", errors="replace").splitlines():
            with contextlib.suppress(json.JSONDecodeError):
                rows.append(json.loads(line))
        if not rows:
            raise ValueError(f"{path} holds no epoch: it was truncated or changed; train again")
        self.check_digest(path.name)
        return pd.DataFrame(rows)

    def predictions(self, split: str) -> pd.DataFrame:
        """Columns file, label, predicted, top5 (class ids, text) and probability of a split.

        Raises FileNotFoundError or ValueError, naming the file, if it is absent or cut short.
        """
        path, images = self.path / f"predictions_{split}.csv", self.meta.get("images", {})
        if images and split not in images:
            raise FileNotFoundError(f"{self.path}: the fit's data have no {split} images")
        table = files.read_table(path, dtype={"probability": float})
        wrong = [f"has no column {name}" for name in PREDICTED if name not in table]
        if len(table) != images.get(split, len(table)):
            wrong.append(f"has {len(table)} rows")
        if not path.read_bytes().endswith(b"\n"):
            wrong.append("ends within a line")
        if wrong:
            raise ValueError(f"{path} {wrong[0]}: it was truncated or changed; train again")
        self.check_digest(path.name)
        return table

    def codes(self, column: pd.Series) -> np.ndarray:
        """Class ids of a predictions column as class numbers, int64 (N,); -1 for an empty label."""
        return pd.Index(self.class_ids).get_indexer(pd.Index(column)).astype(np.int64)

    def logits(self, split: str) -> np.ndarray:
        """Scores before softmax, float32 (N, classes), rows in the split's order.

        Read into memory: a file that is cut while it is mapped would end the process.
        """
        path = self.path / f"logits_{split}.npy"
        try:
            with open(path, "rb") as file:
                scores = np.lib.format.read_array(file)  # neither a pickle nor a zip
        except FileNotFoundError:
            raise FileNotFoundError(f"{path} does not exist; train again") from None
        except (ValueError, EOFError) as error:
            raise ValueError(f"{path} was truncated or changed ({error}); train again") from None
        self.check_digest(path.name)
        return scores

    def network(self) -> networks.Network:
        """The trained network on the CPU, in evaluation mode."""
        network = networks.load(self.path / "weights.safetensors")
        self.check_digest("weights.safetensors")
        return network


def open_fit(path: str | Path) -> Fit:
    """Open a finished fit; FileNotFoundError says what to run if the folder holds none."""
    path = Path(path)
    if not (path / "summary.json").is_file():
        state = "has not finished" if (path / "recipe.json").is_file() else "is not there"
        raise FileNotFoundError(
            f"{path}: the fit {state}; run its notebook, or `tin train` with --out {path}"
        )
    return Fit(path)
