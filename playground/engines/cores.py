"""Shares the machine's cores among the engines that are at work.

One busy engine gets all of them; two get half each, because threads beyond the cores make both slower than
one after the other. Knows engines only as something whose threads can be set.
"""

from __future__ import annotations

import os
import threading
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Protocol, runtime_checkable


@runtime_checkable
class Threaded(Protocol):
    """An engine whose number of threads can be set while it runs."""

    def set_threads(self, count: int) -> None:
        """Use this many threads from the next step on."""
        ...


def usable_cores() -> int:
    """Cores that this process may use."""
    if hasattr(os, "sched_getaffinity"):
        return len(os.sched_getaffinity(0))
    return os.cpu_count() or 1


class CoreShare:
    """Who is busy, and how many cores each of them gets. Thread-safe.

    Args:
        cores: To be shared; None for all that this process may use.
    """

    def __init__(self, cores: int | None = None) -> None:
        self._cores = cores or usable_cores()
        self._lock = threading.Lock()
        self._busy: Counter[Threaded] = Counter()
        self._given: dict[Threaded, int] = {}

    @contextmanager
    def busy(self, engine: Threaded) -> Iterator[None]:
        """While the block runs, ``engine`` takes part in the share; blocks may overlap."""
        self._change(engine, 1)
        try:
            yield
        finally:
            self._change(engine, -1)

    def is_busy(self, engine: object) -> bool:
        """Whether a block runs for ``engine``."""
        with self._lock:
            return any(one is engine for one in self._busy)

    def _change(self, engine: Threaded, by: int) -> None:
        with self._lock:
            self._busy[engine] += by
            if not self._busy[engine]:
                del self._busy[engine]
            if not self._busy:
                return
            each = max(1, self._cores // len(self._busy))
            changed = [one for one in self._busy if self._given.get(one) != each]
            for one in changed:
                self._given[one] = each
            self._given = {one: given for one, given in self._given.items() if one in self._busy}
        for one in changed:
            one.set_threads(each)
