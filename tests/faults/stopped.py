"""A command that is stopped at one of its file operations, to do something before it goes on."""

import os
import signal
import time
from collections.abc import Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import kills
import psutil

PATIENCE = 120  # seconds


@contextmanager
def stopped(
    commands: kills.Commands, arguments: list[Any], within: Path, at: int
) -> Iterator[Future[dict[str, Any]]]:
    """``tin ARGUMENTS``, stopped before its file operation ``at`` in the folder ``within``; goes on
    when the block ends. The future has its answer, see ``Commands.run``."""
    with ThreadPoolExecutor(1) as pool:
        answer = pool.submit(commands.run, arguments, within, at=at, number=signal.SIGSTOP)
        child = wait_for_stop(commands, answer)
        try:
            yield answer
        finally:
            os.kill(child.pid, signal.SIGCONT)


def wait_for_stop(commands: kills.Commands, answer: Future[dict[str, Any]]) -> psutil.Process:
    """The command's process, once it is stopped."""
    end = time.monotonic() + PATIENCE
    while time.monotonic() < end:
        assert not answer.done(), f"it ended before: {answer.result()}"
        for child in psutil.Process(commands.process.pid).children():
            if child.status() == psutil.STATUS_STOPPED:
                return child
        time.sleep(0.01)
    raise AssertionError("it was not stopped")
