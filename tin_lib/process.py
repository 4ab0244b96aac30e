"""The process: its cores and the names of its devices."""

import os
import re

DEVICE = re.compile(r"auto|cpu|cuda(:\d+)?")


def usable_cores() -> frozenset[int]:
    """The cores that this process may use."""
    known = hasattr(os, "sched_getaffinity")
    return frozenset(os.sched_getaffinity(0) if known else range(os.cpu_count() or 1))
