"""Visitors by their address: how often each asked lately, and which tabs are connected."""

from __future__ import annotations

import ipaddress
import threading
import time
from collections import OrderedDict
from collections.abc import Callable, Iterable
from dataclasses import dataclass

_MOST_VISITORS = 10_000
_MINUTE_S = 60.0


def address_of(peer: str, forwarded: str, *, proxied: bool) -> str:
    """The address that a request comes from, as far as it can be trusted.

    Each proxy appends the address that it was asked from. Those from the right on that are private belong
    to the platform; the next one is what its outermost proxy saw. What a visitor writes stands in front of
    it and is not looked at. Of an IPv6 address the network stands for all, because one person has as many
    addresses as they like.

    Args:
        peer: The connection's other end.
        forwarded: The header ``X-Forwarded-For``, empty where there is none.
        proxied: Whether there is a proxy; else the header is anybody's.
    """
    hops = [_address(hop) for hop in forwarded.split(",")] if proxied else []
    known = [hop for hop in reversed(hops) if hop is not None]
    outer = next((hop for hop in known if not hop.is_private), known[0] if known else _address(peer))
    if isinstance(outer, ipaddress.IPv6Address):
        return str(ipaddress.ip_network((int(outer) >> 64 << 64, 64)))
    return str(outer or peer)


def _address(text: str) -> ipaddress.IPv4Address | ipaddress.IPv6Address | None:
    try:
        return ipaddress.ip_address(text.strip().strip("[]"))
    except ValueError:
        return None


class Rate:
    """So many a minute for each visitor, as a bucket that fills up evenly. Thread-safe.

    Args:
        per_minute: How many.
        clock: Seconds.
    """

    def __init__(self, per_minute: int, clock: Callable[[], float] = time.monotonic) -> None:
        self._per_minute = per_minute
        self._clock = clock
        self._lock = threading.Lock()
        self._left: OrderedDict[str, tuple[float, float]] = OrderedDict()  # what is left, and when that was

    def take(self, visitor: str) -> float:
        """Take one of a visitor's; 0.0, or the seconds until there is one again."""
        now = self._clock()
        with self._lock:
            left, since = self._left.pop(visitor, (float(self._per_minute), now))
            left = min(self._per_minute, left + (now - since) * self._per_minute / _MINUTE_S)
            wait_s = 0.0 if left >= 1 else (1 - left) * _MINUTE_S / self._per_minute
            self._left[visitor] = (left if wait_s else left - 1, now)
            while len(self._left) > _MOST_VISITORS:
                self._left.popitem(last=False)
        return wait_s

    def __len__(self) -> int:
        return len(self._left)


@dataclass(slots=True)
class _Place:
    """A connected tab: how many connections say that it is there, and when it was last heard of."""

    connections: int
    heard: float


class Places:
    """Tabs and programs that are connected, each once. Thread-safe.

    Args:
        most: How many there may be.
        idle_s: After so many seconds without a request one is passed over when places are counted; None
            counts it as long as it is connected.
        clock: Seconds.
    """

    def __init__(self, most: int, idle_s: float | None, clock: Callable[[], float] = time.monotonic) -> None:
        self._most = most
        self._idle_s = idle_s
        self._clock = clock
        self._lock = threading.Lock()
        self._places: dict[str, _Place] = {}

    def connect(self, session: str) -> None:
        """A tab's connection opened."""
        with self._lock:
            place = self._places.setdefault(session, _Place(0, 0.0))
            place.connections += 1
            place.heard = self._clock()

    def disconnect(self, session: str) -> bool:
        """A tab's connection closed; whether it was its last."""
        with self._lock:
            place = self._places.get(session)
            if place is None:
                return False
            place.connections -= 1
            if place.connections > 0:
                return False
            del self._places[session]
            return True

    def hear(self, session: str) -> None:
        """A tab asked for something."""
        with self._lock:
            if place := self._places.get(session):
                place.heard = self._clock()

    def is_full(self, besides: Iterable[str] = ()) -> bool:
        """Whether as many are here as may be; ``besides`` are not counted."""
        passed_over = set(besides)
        now = self._clock()
        with self._lock:
            here = sum(
                1
                for session, place in self._places.items()
                if session not in passed_over and (self._idle_s is None or now - place.heard < self._idle_s)
            )
        return here >= self._most

    def __len__(self) -> int:
        return len(self._places)
