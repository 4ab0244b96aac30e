"""Signals that ask a command to stop."""

import contextlib
import signal
import threading
from collections.abc import Iterator
from typing import Any

# A batch system's notice, and a terminal that was closed. Windows has no SIGHUP.
STOP = tuple(getattr(signal, name) for name in ("SIGTERM", "SIGHUP") if hasattr(signal, name))


@contextlib.contextmanager
def stop_signals() -> Iterator[list[int]]:
    """Let SIGTERM and SIGHUP act like Ctrl-C inside; yields the list of those received.

    The first one raises KeyboardInterrupt, so that the command stops as it does for Ctrl-C; a
    second one of the same kind ends the process at once. A SIGHUP that is ignored, as under nohup,
    stays ignored. Outside the main thread, which alone receives signals, nothing is changed.
    """
    received: list[int] = []
    before: dict[int, Any] = {}

    def stop(number: int, frame: Any) -> None:
        received.append(number)
        signal.signal(number, signal.SIG_DFL)
        raise KeyboardInterrupt

    if threading.current_thread() is threading.main_thread():
        for number in STOP:
            if signal.getsignal(number) != signal.SIG_IGN:
                before[number] = signal.signal(number, stop)
    try:
        yield received
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)
