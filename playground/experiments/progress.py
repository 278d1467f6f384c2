"""How far a run is, to be read from any thread at any time."""

from __future__ import annotations

import threading
import time
from dataclasses import dataclass
from typing import Literal

State = Literal["running", "finished", "cancelled", "failed"]


@dataclass(frozen=True, slots=True)
class Snapshot:
    """A run at one moment.

    Attributes:
        state: ``cancelled`` and ``failed`` runs can be resumed.
        phase: What is being done now, for people.
        done, total: Pieces of work of this phase, earlier finished ones included.
        reused: Of ``done``, those that were there already.
        failed: Answers or scores that could not be had.
        elapsed_s: Since the run was started or resumed.
        eta_s: Seconds to the end of the phase; None while that cannot be told.
        error: Why it failed, as a sentence.
    """

    state: State
    phase: str
    done: int
    total: int
    reused: int
    failed: int
    elapsed_s: float
    eta_s: float | None
    error: str = ""


class Progress:
    """Counts finished work. Thread-safe."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._state: State = "running"
        self._phase = ""
        self._done = self._total = self._reused = self._failed = 0
        self._began = self._phase_began = time.monotonic()
        self._error = ""
        self._ended: float | None = None

    def start(self, phase: str, total: int, *, reused: int = 0) -> None:
        """Begin a phase of ``total`` pieces, ``reused`` of which are there already."""
        with self._lock:
            self._phase, self._total = phase, total
            self._done = self._reused = reused
            self._phase_began = time.monotonic()

    def step(self, *, failed: bool = False) -> None:
        """One piece more is finished."""
        with self._lock:
            self._done += 1
            self._failed += failed

    def end(self, state: State, error: str = "") -> None:
        """The run is over."""
        with self._lock:
            self._state, self._error = state, error
            self._ended = time.monotonic()

    def snapshot(self) -> Snapshot:
        """The state now."""
        with self._lock:
            now = self._ended if self._ended is not None else time.monotonic()
            fresh = self._done - self._reused
            left = self._total - self._done
            eta = (now - self._phase_began) / fresh * left if fresh and self._state == "running" else None
            return Snapshot(
                self._state, self._phase, self._done, self._total, self._reused, self._failed,
                now - self._began, eta, self._error,
            )  # fmt: skip
