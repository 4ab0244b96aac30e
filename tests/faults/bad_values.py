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
    "total", "classes", "fallback", "fraction", "shift", "erase", "l1", "l2", "activity_l1",
    "activity_l2", "weights", "activity",
)  # fmt: skip
NO_LIMIT = (
    "mixup", "k", "rate", "blur", "total_variation", "high", "strength", "smoothing", "most",
    "classes", "l1", "l2", "activity_l1", "activity_l2", "weights", "activity",
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


# Arrays of which any number of rows, or of columns, is right, or other axes.
ROWS = (
    "analysis.filters.image_roughness images",
    "augment.normalise images", "augment.unchanged image", "predict.scores images",
    "predict.top logits", "analysis.errors.box_properties boxes", "analysis.saliency.absolute maps",
    "analysis.saliency.positive maps", "analysis.saliency.negative maps",
    "analysis.saliency.preprocessed inputs", "analysis.saliency.full_strength view",
    "analysis.saliency.predicted_classes images", "analysis.filters.kernel_images kernels",
    "analysis.filters.kernel_roughness weights", "analysis.filters.nearest weights",
    "analysis.filters.roughness values", "analysis.augmentation.resize_difference images",
    "analysis.adaptive.bounded shares", "analysis.statistics.holm p_values",
    "analysis.ensemble.majority_vote predictions", "analysis.ensemble.ties predictions",
    "analysis.statistics.wilson correct", "analysis.statistics.wilson total",
    "analysis.saliency.to_uint8 scale",
)  # fmt: skip
COLUMNS = (
    "analysis.filters.image_roughness images",
    "predict.top logits", "augment.erase_ images", "augment.mix images",
    "analysis.augmentation.contrast images", "analysis.ensemble.majority_vote predictions",
    "analysis.ensemble.ties predictions", "analysis.saliency.absolute maps",
    "analysis.saliency.positive maps", "analysis.saliency.negative maps",
    "analysis.saliency.full_strength view", "analysis.saliency.to_uint8 view",
    "analysis.filters.kernel_roughness weights", "analysis.filters.nearest weights",
    "analysis.filters.roughness values",
)  # fmt: skip
AXES = (
    "analysis.statistics.holm p_values", "analysis.statistics.wilson correct",
    "analysis.statistics.wilson total", "analysis.errors.box_properties boxes",
    "analysis.filters.kernel_roughness weights", "analysis.filters.nearest weights",
)  # fmt: skip
RIGHT |= {(each, label) for each in ROWS for label in ("no rows", "a row less")}
RIGHT |= {(each, "a column less") for each in COLUMNS}
RIGHT |= {(each, label) for each in AXES for label in ("rank less", "rank more")}
RIGHT |= {
    # A view may have channels, a scale be one for all, labels be texts, and +-inf an extreme score.
    ("analysis.saliency.full_strength view", "rank more"),
    ("analysis.saliency.to_uint8 scale", "rank less"), ("analysis.saliency.to_uint8 scale", "3"),
    ("analysis.saliency.to_uint8 scale", "None"),
    *((f"analysis.ensemble.{name} predictions", "texts") for name in ("ties", "majority_vote")),
    *((f"analysis.ensemble.{name} predictions", f"{sign}inf in it")
      for name in ("ties", "majority_vote") for sign in ("", "-")),
    *((f"predict.{name} logits", f"{sign}inf in it")
      for name in ("top", "accuracy") for sign in ("", "-")),
    ("analysis.saliency.positive maps", "-inf in it"),
    ("analysis.saliency.negative maps", "inf in it"),
    # A NaN is a pair left out, or no box.
    *((f"analysis.statistics.paired_difference {name}", "nan in it") for name in "ab"),
    *((f"analysis.errors.{name} boxes", "nan in it") for name in ("box_properties", "box_table")),
    # Values on the way of a batch are not looked at: a GPU would have to wait.
    *((name, f"{sign}inf in it") for name in ("std",) for sign in ("", "-")),
    ("predict.top logits", "nan in it"), ("augment.render images", "no rows"),
    ("augment.render images", "a row less"), ("augment.mix images", "complex"),
    ("augment.mix labels", "complex"), ("augment.saturate_ images", "complex"),
    ("augment.erase_ images", "complex"),
    ("augment.unchanged image", "complex"), ("augment.unchanged image", "rank more"),
    # None is torch's own generator, and no penalty is for other keys.
    ("generator", "None"), ("augment.draw_offsets n", "0"), ("augment.draw_offsets n", "True"),
    ("augment.Augmenter seed", repr(HUGE)), ("augment.Augmenter seed", "True"),
    ("augment.Augmenter n", "True"),
    *(("penalties.named network", each) for each in ("None", "b'x'", "3")),
    *(("penalties.activity_penalty activations", each) for each in ("'text'", "[]")),
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
        yield from bad_arrays(valid)
    elif isinstance(valid, pd.DataFrame):
        yield "kind", "3", 3
        yield "kind", "no columns", valid[[]]
    elif isinstance(valid, list | tuple):
        yield "kind", "3", 3
    else:
        yield "kind", "3", 3


def bad_arrays(valid: Any) -> Iterator[tuple[str, str, Any]]:
    """Arrays and tensors of another shape, length, type, or with values that are no numbers."""
    yield "shape", "no rows", valid[:0]
    yield "shape", "rank less", valid[0]
    yield "shape", "rank more", valid[None]
    yield "shape", "a row less", valid[:-1]
    if valid.ndim > 1:
        yield "shape", "a column less", valid[:, :-1]
    as_array = isinstance(valid, np.ndarray)
    yield "shape", "complex", valid.astype(complex) if as_array else valid.to(torch.complex64)
    if as_array:
        yield "shape", "texts", valid.astype(str)
    values = valid.astype(float) if as_array else valid.double()
    for number in (float("nan"), float("inf"), -float("inf")):
        changed = np.array(values) if as_array else values.clone()
        changed.reshape(-1)[0] = number
        yield "not finite", f"{number} in it", changed


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
    if hasattr(one, "__dict__"):
        pairs = zip(vars(one).values(), vars(other).values(), strict=True)
        return all(bool(np.all(np.asarray(a) == np.asarray(b))) for a, b in pairs)
    return bool(np.all(one == other))
