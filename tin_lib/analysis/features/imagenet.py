"""Tiny ImageNet's classes among ImageNet's 1000: a figure without any training."""

from collections.abc import Sequence

import numpy as np

from tin_lib.analysis.features.store import Features


def imagenet_rows(class_ids: Sequence[str]) -> np.ndarray:
    """The place of each class, a WordNet id, in ImageNet's order of 1000, int64 (C,).

    The order is timm's list of ImageNet's synsets. Raises ValueError without timm, and for a class
    that ImageNet's 1000 lack.
    """
    try:
        from timm.data import ImageNetInfo
    except ImportError:
        raise ValueError(
            "the order of ImageNet's classes comes with timm, which is not installed: "
            "pip install timm"
        ) from None
    order = {name: place for place, name in enumerate(ImageNetInfo().label_names())}
    if absent := [name for name in class_ids if name not in order]:
        raise ValueError(f"class {absent[0]!r} is none of ImageNet's 1000 classes")
    return np.array([order[name] for name in class_ids])


def head_scores(features: Features, split: str, chunk: int = 8192) -> np.ndarray:
    """Scores float32 (N, C) of the network's own 1000-way head, cut to the data's classes.

    Raises ValueError where the head is not linear or not of ImageNet's 1000 classes.
    """
    head = features.head()
    if head is None or len(head[0]) != 1000:
        kind = "linear" if head is None else f"of ImageNet's 1000 classes but of {len(head[0])}"
        raise ValueError(f"{features.title}: its own output layer is not {kind}")
    places = imagenet_rows(features.header["class_ids"])
    weight, bias = head[0][places], head[1][places]
    rows = features.rows(split)
    parts = (rows[at : at + chunk] for at in range(0, len(rows), chunk))
    return np.concatenate([part.astype(np.float32) @ weight.T + bias for part in parts])
