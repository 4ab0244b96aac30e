"""Bad values for a parameter, made from a valid one."""

from collections.abc import Iterator
from typing import Any

import numpy as np
import pandas as pd
import torch

HUGE = 10**30
ZERO = (
    "seed", "momentum", "weight_decay", "warmup", "clip", "label_smoothing", "mixup", "ema",
    "seconds", "patience", "jitter", "blur", "total_variation", "strength", "smoothing", "correct",
    "total", "classes", "fallback",
)  # fmt: skip
NO_LIMIT = (
    "mixup", "k", "rate", "blur", "total_variation", "high", "strength", "smoothing", "most",
    "classes",
)  # fmt: skip
# What is not bad there: 0 switches something off or is a count, a number has no upper limit, one
# number stands for all, None is the default, nothing in gives nothing (or NaN) out, True counts 1.
RIGHT: set[tuple[str, str]] = {
    *((name, "0") for name in ZERO),
    *((name, repr(HUGE)) for name in NO_LIMIT),
    *((name, "3") for name in ("mean", "images", "correct", "p_values")),
    *((name, "None") for name in ("target", "smoothing", "batch_size", "correct", "total")),
    ("p_values", "[]"), ("p_values", "None"), ("boxes", "[]"), ("counts", "no columns"),
    *((name, "True") for name in ("k", "correct", "classes")),
    ("most", "inf"), ("smoothing", "inf"), ("network", "absent"),
    ("compile", "empty"), ("network", "empty"), ("class_names", "'text'"),
}  # fmt: skip


def bad_values(valid: Any) -> Iterator[tuple[str, str, Any]]:
    """(kind, label, value): "kind" of value, "range", or "shape"."""
    for value in ("text", [], {}, None, b"x"):
        if type(value) is not type(valid) and not (value == [] and isinstance(valid, tuple)):
            yield "kind", repr(value), value
    if isinstance(valid, str):
        yield from (("range", "absent", "absent"), ("range", "empty", ""), ("kind", "3", 3))
    elif isinstance(valid, int | float) and not isinstance(valid, bool):
        for number in (float("nan"), float("inf"), -1, 0, HUGE):
            yield "range", repr(number), number
        if isinstance(valid, int):
            yield from (("range", "1.5", 1.5), ("kind", "True", True))
    elif isinstance(valid, np.ndarray | torch.Tensor):
        yield "kind", "3", 3
    elif isinstance(valid, pd.DataFrame):
        yield "kind", "3", 3
        yield "kind", "no columns", valid[[]]
    elif isinstance(valid, list | tuple):
        yield "kind", "3", 3
    else:
        yield "kind", "3", 3


def equal_number(valid: Any) -> Iterator[tuple[str, Any]]:
    """The same number as NumPy has it."""
    if isinstance(valid, int) and not isinstance(valid, bool):
        yield "np.int64", np.int64(valid)
    elif isinstance(valid, float):
        yield "np.float64", np.float64(valid)


def same(one: Any, other: Any) -> bool:
    """Whether two results are equal, as far as their text shows."""
    if repr(one) == repr(other):
        return True
    try:
        return bool(one == other)
    except (ValueError, RuntimeError):
        return False
