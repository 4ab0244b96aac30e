"""Words and figures that several sentences share."""

from collections.abc import Iterable, Sequence
from typing import Any

import pandas as pd

from tin_lib import catalog


def percent(share: float) -> str:
    """0.4551 as ``45.5 %``."""
    return f"{100 * share:.1f} %"


def counted(number: int, word: str) -> str:
    """``1 error``, ``2 errors``, ``2 classes``."""
    ending = "" if number == 1 else "es" if word.endswith("s") else "s"
    return f"{number:,} {word}{ending}"


def listed(words: Iterable[str]) -> str:
    """``a, b and c``; empty for none."""
    words = list(words)
    return " and ".join([", ".join(words[:-1]), *words[-1:]] if len(words) > 1 else words)


def few(words: Sequence[str], most: int = 4) -> str:
    """As ``listed``, the rest of a long list counted: ``a, b and 7 more``."""
    if len(words) <= most:
        return listed(words)
    return listed([*words[: most - 1], f"{len(words) - most + 1} more"])


def titles(networks: Iterable[str]) -> str:
    """Networks as they are called in text, listed."""
    return listed(catalog.title(name) for name in networks)


def rows(table: pd.DataFrame) -> list[Any]:
    """The rows, whose columns are attributes."""
    return list(table.itertuples())
