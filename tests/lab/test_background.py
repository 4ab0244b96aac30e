"""Threads of the browsers: one background task at a time, and pictures made in advance."""

import threading
from typing import Any

import pytest

from tin_lib.lab.widgets.background import BackgroundTask
from tin_lib.lab.widgets.prefetch import Prefetcher


def test_only_the_last_task_is_completed() -> None:
    ended, task, begun = [], BackgroundTask(), threading.Event()

    def first(check: Any) -> None:
        begun.set()
        while True:
            check()

    task.run(first)
    assert begun.wait(10)
    task.run(lambda check: ended.append("second"))
    task.wait()
    assert ended == ["second"]


def test_expected_pictures_are_made_in_order() -> None:
    made, all_made = [], threading.Event()

    def make(key, pause):
        made.append(key)
        if len(made) == 3:
            all_made.set()
        return str(key).encode()

    prefetcher = Prefetcher(make, keep=2)
    prefetcher.expect([1, 2, 3])
    assert all_made.wait(10)
    assert made == [1, 2, 3]
    assert prefetcher.get(3) == b"3"
    assert made == [1, 2, 3]
    assert prefetcher.get(1) == b"1"  # beyond the two that are kept: made again
    assert made == [1, 2, 3, 1]
    prefetcher.close()


def test_requested_pictures_precede_expected_ones() -> None:
    begun, finished = threading.Event(), []

    def make(key, pause):
        if key == "expected":
            begun.set()
            while not finished:  # its parts; the first pause blocks until "now" is done
                pause()
        finished.append(key)
        return b""

    prefetcher = Prefetcher(make)
    prefetcher.expect(["expected"])
    assert begun.wait(10)
    prefetcher.get("now")
    prefetcher.get("expected")
    assert finished == ["now", "expected"]
    prefetcher.close()


def test_an_error_is_raised_by_the_request() -> None:
    def make(key, pause):
        raise ValueError(f"no {key}")

    prefetcher = Prefetcher(make)
    prefetcher.expect(["x"])
    for _ in range(2):
        with pytest.raises(ValueError, match="no x"):
            prefetcher.get("x")
    prefetcher.close()
