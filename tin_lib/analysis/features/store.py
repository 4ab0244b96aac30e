"""Features on disk: one array a split, and a header that says what they are.

A folder of features is::

    features.json      network, weights, input, precision, data, and for each split how many rows
                       are done, with the SHA-256 of each chunk of them as it was written
    {train,val}.npy    float16 or float32 (N, D), rows in the split's order
    head.safetensors   weight (K, D) and bias (K,) of the network's own output layer, if linear

Rows are written by ordinary calls, which raise an error on a full disk; writing to a memory map
would end the process by a bus error. They are on the disk before the header counts them.
"""

import hashlib
import os
import shutil
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any, BinaryIO

import numpy as np
from safetensors.numpy import load, save

from tin_lib import files
from tin_lib.data import TinyImageNet
from tin_lib.writing import naming

FORMAT = 1  # raise it when the meaning of a field or of the rows changes
HEADER = "features.json"
KINDS = {"network": str, "weights": dict, "dimensions": int, "splits": dict, "class_ids": list}
AGAIN = "run the same tin features command again, which repairs it"
ANEW = "remove the folder and run tin features again"
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
        """Features of a split, float16 or float32 (N, D), read into memory: a file that is cut
        while it is mapped would end the process.

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
        rows = np.empty((state["rows"], self.header["dimensions"]), self.header["dtype"])
        for start, chunk in self.chunks(split):
            rows[start : start + len(chunk)] = chunk
        return rows

    def chunks(self, split: str) -> Iterator[tuple[int, np.ndarray]]:
        """The written rows of a split, chunk by chunk (B, D), each with the number of its first;
        ValueError at the first chunk that is not as it was written."""
        path, state = self.folder / f"{split}.npy", self.header["splits"][split]
        width, dtype = self.header["dimensions"], np.dtype(self.header["dtype"])
        known = [tuple(chunk) for chunk in state.get("chunks", [])]
        first = known[0][0] if known else state["done"]  # older versions recorded no digests
        try:
            with open(path, "rb") as file:
                self.skip_header(file, split)
                for start, stop, digest in [(0, first, "")] * bool(first) + known:
                    content = file.read((stop - start) * width * dtype.itemsize)
                    if digest not in ("", hashlib.sha256(content).hexdigest()):
                        raise ValueError(f"rows {start} to {stop - 1} were changed")
                    yield start, np.frombuffer(content, dtype).reshape(stop - start, width)
        except (OSError, ValueError, EOFError) as error:
            raise damaged(path, str(error)) from None

    def skip_header(self, file: BinaryIO, split: str) -> None:
        """Read the header of a split's file; ValueError unless it is as it was written."""
        shape = self.header["splits"][split]["rows"], self.header["dimensions"]
        if np.lib.format.read_magic(file) != (1, 0):
            raise ValueError("another format")
        found, fortran, dtype = np.lib.format.read_array_header_1_0(file)
        if found != shape or fortran or dtype != self.header["dtype"]:
            raise ValueError(f"{dtype} {found}")

    def head(self) -> tuple[np.ndarray, np.ndarray] | None:
        """Weight float32 (K, D) and bias (K,) of the network's own output layer; None without."""
        path, recorded = self.folder / "head.safetensors", self.header.get("head")
        if not recorded and not path.is_file():
            return None
        try:
            content = path.read_bytes()
            if recorded not in (None, hashlib.sha256(content).hexdigest()):
                raise ValueError("it was changed")
            state = load(content)
            return state["weight"], state["bias"]
        except Exception as error:  # safetensors' own kinds
            raise damaged(path, str(error) or type(error).__name__) from None

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


def damaged(path: Path, reason: str, again: str = AGAIN) -> ValueError:
    """The error for a file that is missing, cut short or another one."""
    short = " ".join(reason.split())[:150]
    return ValueError(f"{path} is damaged or was truncated ({short}); {again}")


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
        raise damaged(path, "fields are missing", ANEW)
    if header.pop("header_digest", files.json_digest(header)) != files.json_digest(header):
        raise damaged(path, "it was changed", ANEW)
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
        features = open_features(folder)
        refuse_others(features, header)
    else:
        folder.mkdir(parents=True, exist_ok=True)
        features = Features(folder, header | {"splits": {}})
    if head is not None:
        content = save({"weight": head[0], "bias": head[1]})
        features.header["head"] = hashlib.sha256(content).hexdigest()
        path = folder / "head.safetensors"
        if not path.is_file() or path.read_bytes() != content:
            files.atomic_write(path, content)
    write_header(features)
    return features


def write_header(features: Features) -> None:
    """Write the header with its own digest."""
    content = features.header | {"header_digest": files.json_digest(features.header)}
    files.write_json(features.folder / HEADER, content)


def refuse_others(found: Features, header: dict[str, Any]) -> None:
    """Raise ValueError, naming the first difference, unless the folder holds what is asked for."""
    for key, wanted in header.items():
        other = found.header.get(key)
        if other != wanted and key != "request":  # the data may have been moved
            short = isinstance(wanted, str | int | float) and key != "fingerprint"
            what = f"{key}={other!r}, not {wanted!r}" if short else f"other {NAMES.get(key, key)}"
            raise ValueError(f"{found.folder} holds features with {what}; choose another folder")


def add_split(features: Features, split: str, rows: int) -> None:
    """Make room for the features of a split, unless there is; OSError if there is no space.

    Of a damaged file the rows before the damage are kept: the others are to be computed again.
    """
    states = features.header["splits"]
    if split in states and states[split]["rows"] == rows and keep_intact(features, split):
        return
    shape = (rows, features.header["dimensions"])
    path, dtype = features.folder / f"{split}.npy", np.dtype(features.header["dtype"])
    path.unlink(missing_ok=True)
    needed, free = rows * shape[1] * dtype.itemsize, shutil.disk_usage(features.folder).free
    if needed > free:
        raise OSError(
            f"{path} needs {needed / 1e6:,.1f} MB of space, but only {free / 1e6:,.1f} MB are "
            "free; free some space or choose another folder"
        )
    with naming(path):
        np.lib.format.open_memmap(path, "w+", dtype, shape).flush()  # sparse: takes no space yet
    states[split] = {"rows": rows, "done": 0, "seconds": 0.0, "chunks": []}
    write_header(features)


def keep_intact(features: Features, split: str) -> bool:
    """Count only a split's rows before the first damaged chunk; whether its file can be used."""
    state, kept = features.header["splits"][split], 0
    try:
        for start, chunk in features.chunks(split):
            kept = start + len(chunk)
    except ValueError:
        chunks = [chunk for chunk in state.get("chunks", []) if chunk[1] <= kept]
        state |= {"done": kept, "chunks": chunks}
        write_header(features)
        return kept > 0  # else perhaps its own header is damaged
    return True


def write_rows(features: Features, split: str, values: np.ndarray, seconds: float) -> None:
    """Append rows (B, D) to a split; the header counts them once they are on the disk."""
    state, path = features.header["splits"][split], features.folder / f"{split}.npy"
    content = np.ascontiguousarray(values, features.header["dtype"]).tobytes()
    start, stop = state["done"], state["done"] + len(values)
    with naming(path), open(path, "r+b") as file:
        features.skip_header(file, split)
        file.seek(start * len(content) // len(values), os.SEEK_CUR)
        file.write(content)
        file.flush()
        os.fsync(file.fileno())
    digest = hashlib.sha256(content).hexdigest()
    state.setdefault("chunks", []).append([start, stop, digest])
    state |= {"done": stop, "seconds": round(state["seconds"] + seconds, 3)}
    write_header(features)
