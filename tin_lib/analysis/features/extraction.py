"""Computing the features of all images, once: batches, a chunk of rows at a time."""

import hashlib
import json
import time
from collections.abc import Sequence
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch

from tin_lib import files
from tin_lib.analysis.disk_cache import safe_name
from tin_lib.analysis.features import store
from tin_lib.analysis.features.backbone import Backbone
from tin_lib.analysis.whole_numbers import whole
from tin_lib.analysis.work_report import Stopped, WorkReport
from tin_lib.data import Split, TinyImageNet
from tin_lib.train.device import kept_blocks
from tin_lib.train.distributed import choose_device

PRECISIONS = ("auto", "bf16", "float32")
CHUNK = 2048  # images between two writes: at most these are computed again after a crash
BATCH = {"cpu": 32, "cuda": 256}  # on a CPU, maps of more images leave the cache: half the speed


@dataclass(frozen=True)
class Options:
    """How features are computed. Raises ValueError for an unknown or impossible value.

    ``precision``: bf16 autocast, float32, or auto: bf16 where the device has units for it.
    ``dtype``: float16 or float32, of the file. ``batch_size``: images at a time, None: as the
    device likes; the features of another batch size differ by rounding only.
    """

    precision: str = "auto"
    dtype: str = "float16"
    batch_size: int | None = None
    device: str = "auto"

    def __post_init__(self) -> None:
        for name, known in (("precision", PRECISIONS), ("dtype", ("float16", "float32"))):
            if getattr(self, name) not in known:
                value = getattr(self, name)
                raise ValueError(f"{name}={value!r}: choose one of {', '.join(known)}")
        if self.batch_size is not None:
            whole("batch_size", self.batch_size, 1, CHUNK)


def extract(
    backbone: Backbone,
    data: TinyImageNet,
    folder: str | Path,
    splits: Sequence[str] = ("train", "val"),
    options: Options | None = None,
) -> store.Features:
    """The features of all images of the splits, kept in ``folder``.

    Interrupted, the same call continues after the last complete chunk, in the recorded precision;
    on a CPU the features are then the same. What is there already is not computed again. Raises
    ValueError if the folder holds other features, or another process is writing to it; Stopped, a
    KeyboardInterrupt.
    """
    options, folder = options or Options(), Path(folder)
    parts = [data.split(name) for name in splits]
    if not parts:
        raise ValueError(f"splits: name at least one of {', '.join(data.splits)}")
    folder.mkdir(parents=True, exist_ok=True)
    with files.only_one(folder / "lock", f"the extraction to {folder}"):
        features = begin(backbone, data, folder, options)
        for part in parts:
            store.add_split(features, part.name, len(part))
        work = Work(backbone, features, options, choose_device(options.device))
        try:
            work.run(parts)
        except KeyboardInterrupt:
            raise Stopped(work.done(parts), sum(map(len, parts)), "images") from None
    return store.open_features(folder, data)


def keep(
    backbone: Backbone, data: TinyImageNet, root: str | Path, options: Options | None = None
) -> store.Features:
    """``extract`` for train and val, in a folder of ``root`` that is named by what it holds."""
    what = header(backbone, data, Path(root) / "none", options or Options())
    del what["request"]  # the data may be moved
    key = hashlib.sha256(json.dumps(what, sort_keys=True).encode()).hexdigest()[:12]
    name = f"{safe_name(backbone.name.replace(':', '-'))}-{what['size']}-{key}"
    return extract(backbone, data, Path(root) / name, options=options)


def begin(backbone: Backbone, data: TinyImageNet, folder: Path, options: Options) -> store.Features:
    """Start or continue a folder."""
    head = None if backbone.head is None else tuple(part.numpy() for part in backbone.head)
    return store.begin(folder, header(backbone, data, folder, options), head)


def header(
    backbone: Backbone, data: TinyImageNet, folder: Path, options: Options
) -> dict[str, Any]:
    """What the features are made from and how."""
    steps = backbone.preprocessing
    return {
        "format": store.FORMAT,
        "network": backbone.name,
        "weights": {"origin": backbone.origin, "digest": backbone.digest},
        "size": steps.size,
        "interpolation": steps.interpolation,
        "mean": list(steps.mean),
        "std": list(steps.std),
        "dimensions": backbone.dimensions,
        "precision": chosen_precision(folder, options),
        "dtype": options.dtype,
        "fingerprint": data.fingerprint,
        "class_ids": list(data.class_ids),
        "request": data.request,
    }


def chosen_precision(folder: Path, options: Options) -> str:
    """bf16 or float32: as asked for, as recorded in the folder, or as the device is fast."""
    if options.precision != "auto":
        return options.precision
    if (folder / store.HEADER).is_file():
        return str(store.open_features(folder).header.get("precision"))
    return "bf16" if fast_bf16(choose_device(options.device)) else "float32"


def fast_bf16(device: torch.device) -> bool:
    """Whether the device multiplies bf16 faster: tensor cores, AMX or AVX512-BF16."""
    if device.type == "cuda":
        return bool(torch.cuda.is_bf16_supported(including_emulation=False))
    checks = ("_is_amx_tile_supported", "_is_avx512_bf16_supported")  # private: may vanish
    return any(getattr(torch.cpu, name, bool)() for name in checks)


@dataclass(eq=False)
class Work:
    """The extraction in progress."""

    backbone: Backbone
    features: store.Features
    options: Options
    device: torch.device

    def run(self, parts: list[Split]) -> None:
        """Compute what is missing."""
        left = sum(map(len, parts)) - self.done(parts)
        if not left:
            return
        self.backbone.module.to(self.device)
        with ExitStack() as stack:
            report = stack.enter_context(WorkReport(self.features.title, left, "images"))
            stack.callback(self.backbone.module.cpu)
            stack.enter_context(kept_blocks(self.device))
            for part in parts:
                self.split(part, report)

    def done(self, parts: list[Split]) -> int:
        """The number of rows that are written."""
        return sum(self.features.header["splits"][part.name]["done"] for part in parts)

    def split(self, part: Split, report: WorkReport) -> None:
        """Compute a split's missing rows, chunk by chunk."""
        first = self.features.header["splits"][part.name]["done"]
        size = self.options.batch_size or BATCH[self.device.type]
        for start in range(first, len(part), CHUNK):
            begun, values = time.perf_counter(), []
            stop = min(start + CHUNK, len(part))
            for at in range(start, stop, size):
                values.append(self.batch(part.images[at : min(at + size, stop)]))
                report.add(len(values[-1]))
            seconds = time.perf_counter() - begun
            store.write_rows(self.features, part.name, np.concatenate(values), seconds)

    def batch(self, images: np.ndarray) -> np.ndarray:
        """Features (B, D) of a batch in the file's type; ValueError where they overflow."""
        pixels = torch.from_numpy(np.array(images)).to(self.device)
        bf16 = self.features.header["precision"] == "bf16"
        with torch.inference_mode(), torch.autocast(self.device.type, torch.bfloat16, bf16):
            found = self.backbone.features(pixels)
        with np.errstate(over="ignore"):
            values = found.cpu().numpy().astype(self.options.dtype)
        if not np.isfinite(values).all():
            kind = self.options.dtype
            raise ValueError(f"{self.backbone.name}: features overflow {kind}; try dtype float32")
        return values
