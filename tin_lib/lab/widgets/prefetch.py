"""Maps by key: a cache of the last ones, and a thread that makes the next ones in advance."""

import contextlib
import functools
import threading
from collections import OrderedDict
from collections.abc import Callable, Hashable, Sequence
from concurrent.futures import Future

Pause = Callable[[], None]
Make = Callable[[Hashable, Pause], bytes]


class Prefetcher:
    """Makes maps, keeps the last ``keep``, and makes the expected ones in a thread.

    ``make(key, pause)`` returns a map's bytes. Before long work it calls ``pause()``, which blocks
    in the thread while a caller waits for another map.
    """

    def __init__(self, make: Make, keep: int = 48) -> None:
        self.make, self.keep = make, keep
        self.kept: OrderedDict[Hashable, Future[bytes]] = OrderedDict()
        self.lock = threading.Condition()
        self.waiting: list[Hashable] = []  # keys that callers of ``get`` wait for
        self.expected: list[Hashable] = []
        self.thread: threading.Thread | None = None
        self.closed = False

    def get(self, key: Hashable) -> bytes:
        """Return the map, and make it now unless it is kept."""
        with self.lock:
            self.waiting.append(key)
        try:
            return self._get(key, lambda: None)
        finally:
            with self.lock:
                self.waiting.remove(key)
                self.lock.notify_all()

    def _get(self, key: Hashable, pause: Pause) -> bytes:
        with self.lock:
            future = self.kept.get(key)
            mine = future is None
            if future is None:
                future = self.kept[key] = Future()
            self.kept.move_to_end(key)
            while len(self.kept) > self.keep:
                self.kept.popitem(last=False)
        if mine:
            self._fill(future, key, pause)
        return future.result()

    def _fill(self, future: "Future[bytes]", key: Hashable, pause: Pause) -> None:
        try:
            future.set_result(self.make(key, pause))
        except BaseException as error:
            with self.lock:
                self.kept.pop(key, None)
            future.set_exception(error)

    def expect(self, keys: Sequence[Hashable]) -> None:
        """Make these next, in this order, instead of those expected before."""
        with self.lock:
            self.expected = list(keys)
            if self.thread is None and keys and not self.closed:
                self.thread = threading.Thread(target=self._work, daemon=True)
                self.thread.start()
            self.lock.notify_all()

    def _work(self) -> None:
        while (key := self._next()) is not None:
            # ``get`` raises the error when the map is requested.
            with contextlib.suppress(Exception):
                self._get(key, functools.partial(self._pause, key))

    def _next(self) -> Hashable | None:
        with self.lock:
            self.lock.wait_for(lambda: self.closed or (self.expected and not self.waiting))
            return None if self.closed else self.expected.pop(0)

    def _pause(self, key: Hashable) -> None:
        """Block while a caller waits for a map other than this one."""
        with self.lock:
            self.lock.wait_for(lambda: self.closed or not self.waiting or key in self.waiting)

    def close(self) -> None:
        """End the thread."""
        with self.lock:
            self.closed = True
            self.lock.notify_all()
