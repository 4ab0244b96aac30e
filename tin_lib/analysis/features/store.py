"""Features on disk: one array a split, and a header that says what they are.

A folder of features is::

    features.json      network, weights, input, precision, data, and how many rows are done
    {train,val}.npy    float16 or float32 (N, D), rows in the split's order
    head.safetensors   weight (K, D) and bias (K,) of the network's own output layer, if linear

Rows are written by ordinary calls, which raise an error on a full disk; writing to a memory map
would end the process by a bus error. They are on the disk before the header counts them.
"""

import os
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from safetensors.numpy import load_file, save_file

from tin_lib import files
from tin_lib.data import TinyImageNet

FORMAT = 1  # raise it when the meaning of a field or of the rows changes
HEADER = "features.json"
KINDS = {"network": str, "weights": dict, "dimensions": int, "splits": dict, "class_ids": list}
NAMES = {"fingerprint": "images", "class_ids": "classes"}  # in messages


@dataclass(frozen=True, eq=False)
class Features:
    """A folder of features.

    ``header``: what ``features.json`` holds.
    """

    folder: Path
    header: dict[str, Any]

    @property
    def title(self) -> str:
        """Network and input size, e.g. ``timm:tf_efficientnet_lite0 at 128 px``."""
        return f"{self.header['network']} at {self.header['size']} px"

    def rows(self, split: str) -> np.ndarray:
        """Features of a split, float16 or float32 (N, D), a read-only memory map.

        Raises ValueError for a split that was not asked for, or is not finished or damaged.
        """
        state = self.header["splits"].get(split)
        if state is None:
            known = ", ".join(self.header["splits"])
            raise ValueError(f"{self.folder} holds no features of {split!r}, only of {known}")
        if state["done"] < state["rows"]:
            raise ValueError(
                f"{self.folder}: {state['done']:,} of {state['rows']:,} rows of {split} are done; "
                "run the same command again to continue"
            )
        return self.array(split)

    def array(self, split: str) -> np.ndarray:
        """The split's array as far as it is written; ValueError if the file is damaged."""
        path = self.folder / f"{split}.npy"
        shape = self.header["splits"][split]["rows"], self.header["dimensions"]
        try:
            array = np.lib.format.open_memmap(path, mode="r")  # neither a pickle nor a zip
        except (OSError, ValueError, EOFError) as error:
            raise damaged(path, str(error)) from None
        if array.shape != shape or array.dtype != self.header["dtype"]:
            raise damaged(path, f"{array.dtype} {array.shape}")
        return array

    def head(self) -> tuple[np.ndarray, np.ndarray] | None:
        """Weight float32 (K, D) and bias (K,) of the network's own output layer; None without."""
        path = self.folder / "head.safetensors"
        if not path.is_file():
            return None
        try:
            state = load_file(path)
            return state["weight"], state["bias"]
        except Exception as error:  # safetensors' own kinds
            raise damaged(path, type(error).__name__) from None

    def check(self, data: TinyImageNet) -> None:
        """Raise ValueError unless the features were made from exactly these images."""
        own, what = self.header, f"{self.folder} holds features of "
        if tuple(own["class_ids"]) != data.class_ids:
            counts = f"{len(own['class_ids'])} classes, not of these {data.num_classes}"
            raise ValueError(f"{what}another data set ({counts}, or in another order)")
        if own["fingerprint"] != data.fingerprint:
            raise ValueError(f"{what}another data set: the images differ from those in {data.root}")

    def seconds(self) -> float:
        """Seconds that it took to compute them, over all runs."""
        return float(sum(state["seconds"] for state in self.header["splits"].values()))

    def images_per_second(self) -> float:
        """Images a second, over all splits and runs."""
        done = sum(state["done"] for state in self.header["splits"].values())
        return done / self.seconds() if done else float("nan")


def damaged(path: Path, reason: str) -> ValueError:
    """The error for a file that is missing, cut short or another one."""
    return ValueError(
        f"{path} is damaged or was cut short ({' '.join(reason.split())[:150]}); remove the folder "
        "and run tin features again"
    )


def open_features(folder: str | Path, data: TinyImageNet | None = None) -> Features:
    """Open a folder of features, finished or not, and check that they belong to ``data``.

    Raises FileNotFoundError without one, ValueError for a damaged header or other data.
    """
    folder = Path(folder)
    path = folder / HEADER
    if not path.is_file():
        raise FileNotFoundError(f"{folder} holds no features; run tin features with --out {folder}")
    header = files.read_object(path)
    if header.get("format") != FORMAT:
        raise ValueError(f"{path} has format {header.get('format')}, not {FORMAT}; make them again")
    if not all(isinstance(header.get(key), kind) for key, kind in KINDS.items()):
        raise damaged(path, "fields are missing")
    features = Features(folder, header)
    if data is not None:
        features.check(data)
    return features


def begin(folder: Path, header: dict[str, Any], head: Any) -> Features:
    """Continue a folder of features, or start it.

    ``header`` has no splits; those of a folder that is there stay. ``head``: NumPy weight and bias
    or None. Raises ValueError if the folder holds other features.
    """
    if (folder / HEADER).is_file():
        found = open_features(folder)
        refuse_others(found, header)
        return found
    folder.mkdir(parents=True, exist_ok=True)
    if head is not None:
        with files.atomic_path(folder / "head.safetensors") as temporary:
            save_file({"weight": head[0], "bias": head[1]}, temporary)
    features = Features(folder, header | {"splits": {}})
    files.write_json(folder / HEADER, features.header)
    return features


def refuse_others(found: Features, header: dict[str, Any]) -> None:
    """Raise ValueError, naming the first difference, unless the folder holds what is asked for."""
    for key, wanted in header.items():
        other = found.header.get(key)
        if other != wanted and key != "request":  # the data may have been moved
            short = isinstance(wanted, str | int | float) and key != "fingerprint"
            what = f"{key}={other!r}, not {wanted!r}" if short else f"other {NAMES.get(key, key)}"
            raise ValueError(f"{found.folder} holds features with {what}; choose another folder")


def add_split(features: Features, split: str, rows: int) -> None:
    """Make room for the features of a split, unless there is."""
    states = features.header["splits"]
    if split in states and states[split]["rows"] == rows:
        features.array(split)  # refuses a damaged file
        return
    shape = (rows, features.header["dimensions"])
    path, dtype = features.folder / f"{split}.npy", np.dtype(features.header["dtype"])
    np.lib.format.open_memmap(path, "w+", dtype, shape).flush()  # sparse: takes no space yet
    states[split] = {"rows": rows, "done": 0, "seconds": 0.0}
    files.write_json(features.folder / HEADER, features.header)


def write_rows(features: Features, split: str, values: np.ndarray, seconds: float) -> None:
    """Append rows (B, D) to a split; the header counts them once they are on the disk."""
    state, array = features.header["splits"][split], features.array(split)
    size = array.dtype.itemsize * array.shape[1]
    with open(features.folder / f"{split}.npy", "r+b") as file:
        file.seek(array.offset + state["done"] * size)  # type: ignore[attr-defined]
        file.write(np.ascontiguousarray(values, array.dtype).tobytes())
        file.flush()
        os.fsync(file.fileno())
    state["done"] += len(values)
    state["seconds"] = round(state["seconds"] + seconds, 3)
    files.write_json(features.folder / HEADER, features.header)
