"""The process: its cores."""

import os


def usable_cores() -> frozenset[int]:
    """The cores that this process may use."""
    known = hasattr(os, "sched_getaffinity")
    return frozenset(os.sched_getaffinity(0) if known else range(os.cpu_count() or 1))
