"""Numbers, lists and names as text, for conclusions, figures and browsers."""

from collections.abc import Iterable, Sequence
from typing import Any

import pandas as pd

from tin_lib import catalog

METHODS = {  # of analysis.saliency
    "gradient": "gradient",
    "guided_backprop": "guided backpropagation",
    "smoothgrad": "SmoothGrad",
    "integrated_gradients": "integrated gradients",
    "grad_cam": "Grad-CAM",
    "occlusion": "occlusion",
}


def percent(share: float) -> str:
    """Format 0.4551 as ``45.5 %``."""
    return f"{100 * share:.1f} %"


def count_noun(number: int, noun: str) -> str:
    """Format a count: ``1 error``, ``2 errors``, ``2 classes``."""
    ending = "" if number == 1 else "es" if noun.endswith("s") else "s"
    return f"{number:,} {noun}{ending}"


def join_and(items: Iterable[str]) -> str:
    """Join items as ``a, b and c``; empty for none."""
    items = list(items)
    return " and ".join([", ".join(items[:-1]), *items[-1:]] if len(items) > 1 else items)


def join_some(items: Sequence[str], most: int = 4) -> str:
    """Join at most ``most`` items and count the others: ``a, b and 7 more``."""
    if len(items) <= most:
        return join_and(items)
    return join_and([*items[: most - 1], f"{len(items) - most + 1} more"])


def titles(networks: Iterable[str]) -> str:
    """Join the titles of networks: ``9-layer ConvNet and VGG-16``."""
    return join_and(catalog.title(name) for name in networks)


def method_title(method: str) -> str:
    """Name of a saliency method in texts, e.g. ``Grad-CAM`` for ``grad_cam``."""
    return METHODS.get(method, method)


def shorten(text: str, length: int) -> str:
    """Cut a text to ``length`` characters, the last of which is then ``…``."""
    return text if len(text) <= length else text[: length - 1] + "…"


def rows(table: pd.DataFrame) -> list[Any]:
    """Return a table's rows as named tuples."""
    return list(table.itertuples())
