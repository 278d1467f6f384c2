"""Whose turn it is: requests that run, and those that wait for a place in the order they came."""

from __future__ import annotations

import threading
from collections import Counter, deque
from collections.abc import Iterator
from contextlib import contextmanager

from playground.engines.base import Cancel
from playground.errors import PlaygroundError


class Turns:
    """Places to run in. Who waits with the fewest running requests comes next; among equals, who came first.

    Thread-safe.

    Args:
        running: How many requests run at a time.
        queue: How many may wait.
        each: How many of one visitor may run or wait at a time.
    """

    def __init__(self, *, running: int, queue: int, each: int) -> None:
        self._most_running = running
        self._most_waiting = queue
        self._each = each
        self._lock = threading.Lock()
        self._running: Counter[str] = Counter()
        self._waiting: deque[_Waiting] = deque()

    @contextmanager
    def turn(self, visitor: str, stop: Cancel) -> Iterator[bool]:
        """Wait for a place and hold it; False where ``stop`` was set before there was one.

        Raises:
            PlaygroundError: The visitor has too many already, or too many wait.
        """
        mine = _Waiting(visitor)
        with self._lock:
            has = self._has(visitor)
            if has >= self._each:
                raise PlaygroundError(
                    f"{has} of your requests are under way already; wait for one to end, or stop it."
                )
            if self._running.total() >= self._most_running and len(self._waiting) >= self._most_waiting:
                raise PlaygroundError(
                    f"{len(self._waiting)} others are waiting already; try again in a moment."
                )
            self._waiting.append(mine)
            self._call_next()
        forget = stop.on_set(mine.called.set)
        mine.called.wait()
        forget()
        try:
            yield mine.running
        finally:
            with self._lock:
                if mine.running:
                    self._running[visitor] -= 1
                    if not self._running[visitor]:
                        del self._running[visitor]
                else:
                    self._waiting.remove(mine)
                self._call_next()

    def counts(self) -> tuple[int, int]:
        """How many run, and how many wait."""
        with self._lock:
            return self._running.total(), len(self._waiting)

    def of(self, visitor: str) -> int:
        """How many requests of a visitor run or wait."""
        with self._lock:
            return self._has(visitor)

    def _has(self, visitor: str) -> int:
        return self._running[visitor] + sum(1 for one in self._waiting if one.visitor == visitor)

    def _call_next(self) -> None:
        """Give free places away. Called under the lock."""
        while self._waiting and self._running.total() < self._most_running:
            following = min(self._waiting, key=lambda one: self._running[one.visitor])
            self._waiting.remove(following)
            self._running[following.visitor] += 1
            following.running = True
            following.called.set()


class _Waiting:
    """A request that waits for its turn."""

    __slots__ = ("called", "running", "visitor")

    def __init__(self, visitor: str) -> None:
        self.visitor = visitor
        self.called = threading.Event()
        self.running = False
