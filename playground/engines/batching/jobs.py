"""What the decode loop is asked for, as it travels from the asking thread to the loop and back."""

from __future__ import annotations

import threading
import time
from collections import deque
from collections.abc import Callable
from dataclasses import dataclass, field
from queue import SimpleQueue

from playground.engines.arrays import IntArray
from playground.engines.base import Event, Finished, GenerateRequest, Scores
from playground.errors import PlaygroundError
from playground.types import FinishReason, Usage


@dataclass(slots=True, eq=False)
class Job:
    """One request of a call: a prompt to be continued by several samples.

    ``waiting`` holds the samples that have no lane yet.
    """

    index: int
    request: GenerateRequest
    prompt: IntArray
    seed: int
    waiting: deque[int]

    def unstarted(self, sample: int, error: str | None = None) -> Finished:
        """The final event of a sample that never had a lane: cancelled, or failed with ``error``."""
        usage = Usage(prompt_tokens=len(self.prompt))
        reason: FinishReason = "cancelled" if error is None else "error"
        return Finished(self.index, sample, reason, usage, self.seed + sample, error=error)


@dataclass(slots=True, eq=False)
class GenerateCall:
    """One ``generate``: its jobs, and the queue on which its events go back.

    ``queue`` and ``exact`` hold the jobs with samples that wait, ``open`` counts unfinished samples. The
    loop fills ``outbox`` during a step and sends it as one list at the end of the step.
    """

    queue: deque[Job]
    open: int
    exact: deque[Job] = field(default_factory=deque)
    events: SimpleQueue[list[Event]] = field(default_factory=SimpleQueue)
    outbox: list[Event] = field(default_factory=list)
    cancelled: bool = False
    lanes: int = 0

    def give_up(self, error: str | None = None) -> None:
        """End the samples that wait, as cancelled or with an error."""
        for job in (*self.queue, *self.exact):
            self.outbox += [job.unstarted(sample, error) for sample in job.waiting]
            job.waiting.clear()
        self.queue.clear()
        self.exact.clear()

    def send(self) -> None:
        """Hand over what happened in this step."""
        if self.outbox:
            self.open -= sum(isinstance(event, Finished) for event in self.outbox)
            self.events.put(self.outbox)
            self.outbox = []


@dataclass(slots=True, eq=False)
class ScoreCall:
    """One ``score``: tokens, from where on they are the target, and the answer when it is there."""

    tokens: IntArray
    first: int
    top: int
    full: bool
    exact: bool = False
    done: threading.Event = field(default_factory=threading.Event)
    scores: Scores | None = None
    error: PlaygroundError | None = None
    cancelled: bool = False

    def finish(self, result: Scores | PlaygroundError) -> None:
        """Hand over the result and wake who waits for it."""
        if isinstance(result, PlaygroundError):
            self.error = result
        else:
            self.scores = result
        self.done.set()


@dataclass(slots=True, eq=False)
class WarmCall:
    """A prefix to be computed when nothing else is to be done."""

    tokens: IntArray
    cancelled: bool = False
    done: threading.Event = field(default_factory=threading.Event)


@dataclass(slots=True, eq=False)
class Errand:
    """Work that must be done by the thread that owns the context, between two steps."""

    run: Callable[[], None]
    done: threading.Event = field(default_factory=threading.Event)


Call = GenerateCall | ScoreCall | WarmCall


def now() -> float:
    """Seconds on the clock that all usage is measured with."""
    return time.perf_counter()
