"""What a process may use of its machine, and ending with the process that started it."""

import os
import threading
from collections.abc import Callable


def end_with_parent(first: Callable[[], object] = lambda: None) -> None:
    """From now on, end as soon as standard input closes, after calling ``first``.

    Standard input is a pipe from whoever started this process; the system closes it with them.
    """

    def watch() -> None:
        while os.read(0, 1):  # not sys.stdin, whose lock the interpreter would wait for at its end
            pass
        first()
        os._exit(1)

    threading.Thread(target=watch, daemon=True).start()


def usable_cores() -> frozenset[int]:
    """The cores that this process may use."""
    if hasattr(os, "sched_getaffinity"):
        return frozenset(os.sched_getaffinity(0))
    return frozenset(range(os.cpu_count() or 1))
