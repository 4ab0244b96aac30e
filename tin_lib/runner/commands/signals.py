"""Signals that ask a command to stop."""

import contextlib
import os
import signal
import threading
import time
from collections.abc import Iterator
from typing import Any

# Ctrl-C, a batch system's notice, and a terminal that was closed. Windows has no SIGHUP.
STOP = tuple(
    getattr(signal, name) for name in ("SIGINT", "SIGTERM", "SIGHUP") if hasattr(signal, name)
)
REPEATED = 1.0  # seconds within which signals are one notice: `timeout` and others send it twice


@contextlib.contextmanager
def stop_signals() -> Iterator[list[int]]:
    """Let SIGTERM and SIGHUP act like Ctrl-C inside; yields the list of those received.

    The first one raises KeyboardInterrupt, so that the command stops and says how to go on;
    another one that comes while it is stopping, more than REPEATED later, ends the process at
    once. A signal that is ignored, as SIGHUP is under nohup, stays ignored. Outside the main
    thread, which alone receives signals, nothing is changed.
    """
    received: list[int] = []
    before: dict[int, Any] = {}
    started = 0.0

    def stop(number: int, frame: Any) -> None:
        nonlocal started
        if not received:
            started = time.monotonic()
            received.append(number)
            raise KeyboardInterrupt
        if time.monotonic() - started > REPEATED:
            signal.signal(number, signal.SIG_DFL)
            os.kill(os.getpid(), number)

    if threading.current_thread() is threading.main_thread():
        for number in STOP:
            if signal.getsignal(number) != signal.SIG_IGN:
                before[number] = signal.signal(number, stop)
    try:
        yield received
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)
