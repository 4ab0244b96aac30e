"""Whole numbers among the parameters of public functions."""

from typing import Any

import numpy as np


def whole(name: str, value: Any, least: int = 0, most: int = 2**63 - 1) -> int:
    """``value`` as an int; ValueError, naming it, unless it is a whole number, Python's or NumPy's,
    from ``least`` to ``most``."""
    fits = isinstance(value, int | np.integer) and not isinstance(value, bool)
    if not fits or not least <= value <= most:
        raise ValueError(f"{name}={value!r}: must be a whole number from {least:,} to {most:,}")
    return int(value)
