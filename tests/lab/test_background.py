"""Of tasks in the background only the latest ends."""

import threading
from typing import Any

from tin_lib.lab.widgets.background import Latest


def test_only_the_latest_task_ends() -> None:
    ended, latest, begun = [], Latest(), threading.Event()

    def first(check: Any) -> None:
        begun.set()
        while True:
            check()

    latest.run(first)
    assert begun.wait(10)
    latest.run(lambda check: ended.append("second"))
    latest.wait()
    assert ended == ["second"]
