"""How an answer is marked."""

import contextlib
import math
from typing import Any

OPEN = "Not answered yet."


def mark(answer: Any, right: float, look: str, within: float = 1e-6) -> str:
    """Mark a number: ``Right``, or ``Not yet`` and what to look at, in one line.

    ``answer``: a number of Python, NumPy or torch; None if there is no answer yet. ``within``: the
    largest difference from ``right`` that counts as right.
    """
    if answer is None:
        return OPEN
    value = math.nan
    with contextlib.suppress(TypeError, ValueError, RuntimeError):  # RuntimeError: torch's
        value = float(answer)
    if math.isnan(value):
        return f"Not yet. The answer must be a number, for example 12 or 0.5. {look}"
    if abs(value - right) <= within:
        return f"Right: {right:,.4g}."
    return f"Not yet. {look}"
