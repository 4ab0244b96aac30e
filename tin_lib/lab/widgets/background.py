"""Long work in a thread: what was asked for last runs, what ran before gives up."""

import threading
from collections.abc import Callable

Check = Callable[[], None]


class GivenUp(Exception):
    """Something else was asked for meanwhile."""


class Latest:
    """``run`` starts a task in a thread. The task calls ``check()`` often, which raises GivenUp
    once another was started; it holds ``lock`` while it touches what others may touch, too, and
    checks then."""

    def __init__(self) -> None:
        self.lock = threading.RLock()
        self.working = threading.Lock()
        self.turn = 0
        self.thread: threading.Thread | None = None

    def run(self, task: Callable[[Check], None]) -> None:
        """Do this task instead of what runs."""
        self.stop()
        self.thread = threading.Thread(target=self._run, args=(task, self.turn), daemon=True)
        self.thread.start()

    def _run(self, task: Callable[[Check], None], turn: int) -> None:
        def check() -> None:
            if turn != self.turn:
                raise GivenUp

        with self.working:
            try:
                check()
                task(check)
            except GivenUp:
                pass

    def wait(self) -> None:
        """Until the task is done."""
        if self.thread:
            self.thread.join()

    def stop(self) -> None:
        """Let what runs give up."""
        with self.lock:
            self.turn += 1
