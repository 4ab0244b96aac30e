"""Long work in a thread, of which only the last request is completed."""

import threading
from collections.abc import Callable

Check = Callable[[], None]


class Cancelled(Exception):
    """A later task was started."""


class BackgroundTask:
    """Runs one task at a time in a thread; starting another cancels the one before.

    A task calls ``check()`` often, which raises Cancelled once a later task was started. It holds
    ``lock`` while it changes what other threads use, and calls ``check()`` there too.
    """

    def __init__(self) -> None:
        self.lock = threading.RLock()
        self.working = threading.Lock()
        self.turn = 0
        self.thread: threading.Thread | None = None

    def run(self, task: Callable[[Check], None]) -> None:
        """Cancel the present task and start this one."""
        self.cancel()
        self.thread = threading.Thread(target=self._run, args=(task, self.turn), daemon=True)
        self.thread.start()

    def _run(self, task: Callable[[Check], None], turn: int) -> None:
        def check() -> None:
            if turn != self.turn:
                raise Cancelled

        with self.working:
            try:
                check()
                task(check)
            except Cancelled:
                pass

    def wait(self) -> None:
        """Wait until the task has ended."""
        if self.thread:
            self.thread.join()

    def cancel(self) -> None:
        """Cancel the present task: its next ``check()`` raises Cancelled."""
        with self.lock:
            self.turn += 1
