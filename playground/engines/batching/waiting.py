"""Who waits for the decode loop, and whose turn it is. Owned by the decode thread."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Iterator
from itertools import islice

from playground.engines.batching.jobs import Call, GenerateCall, Job, ScoreCall, WarmCall
from playground.errors import EngineError, PlaygroundError

# How many of a call's waiting prompts are looked at for one that need not wait for another's prefix.
_LOOK_AHEAD = 4


class Waiting:
    """Calls with their events, and what of them has no lane yet.

    Attributes:
        scores: Texts to be scored.
        exact_scores: Those of them that asked for exact mode.
        warm: Prefixes to be computed when there is nothing else to do.
    """

    def __init__(self) -> None:
        self._calls: deque[GenerateCall] = deque()
        self.scores: deque[ScoreCall] = deque()
        self.exact_scores: deque[ScoreCall] = deque()
        self.warm: deque[WarmCall] = deque()

    def take(self, call: Call) -> None:
        """Let a call wait."""
        if isinstance(call, GenerateCall):
            self._calls.append(call)
        elif isinstance(call, ScoreCall):
            (self.exact_scores if call.exact else self.scores).append(call)
        else:
            self.warm.append(call)

    @property
    def has_requests(self) -> bool:
        """Whether anything but prefixes waits for a lane."""
        return bool(self.scores) or any(call.queue for call in self._calls)

    @property
    def has_exact(self) -> bool:
        """Whether anything waits for exact mode."""
        return bool(self.exact_scores) or any(call.exact for call in self._calls)

    def send(self) -> None:
        """Hand over what happened to each call, and let go of those that are done."""
        for call in list(self._calls):
            call.send()
            if call.open == 0:
                self._calls.remove(call)

    def drop_cancelled(self) -> None:
        """End what was cancelled before it got a lane."""
        for call in self._calls:
            if call.cancelled:
                call.give_up()
        for scores in (self.scores, self.exact_scores):
            for score in [score for score in scores if score.cancelled]:
                scores.remove(score)
                score.finish(EngineError("The scoring was cancelled."))
        for warm in [warm for warm in self.warm if warm.cancelled]:
            self.warm.remove(warm)
            warm.done.set()

    def fail(self, error: PlaygroundError) -> None:
        """End everything with ``error``."""
        for call in self._calls:
            call.lanes = 0
            call.give_up(str(error))
        for score in (*self.scores, *self.exact_scores):
            score.finish(error)
        for warm in self.warm:
            warm.done.set()
        self.scores.clear()
        self.exact_scores.clear()
        self.warm.clear()
        self.send()

    def next_job(
        self, may_start: Callable[[Job], bool], *, running: int, most: int, extra: int
    ) -> tuple[GenerateCall, Job] | None:
        """Whose turn it is: the call with the fewest lanes, of those the oldest.

        Args:
            may_start: Whether a job need not wait for a prefix that is being computed.
            running: Lanes that run.
            most: Lanes that may run.
            extra: Lanes beyond, for calls that have none.
        """
        for call in sorted(self._calls, key=lambda call: call.lanes):
            if running >= (most if call.lanes else most + extra):
                return None
            while call.queue and not call.queue[0].waiting:
                call.queue.popleft()
            for job in islice(call.queue, _LOOK_AHEAD):
                if job.waiting and may_start(job):
                    return call, job
        return None

    def exact_jobs(self) -> Iterator[tuple[GenerateCall, Job]]:
        """The samples that wait for exact mode, one by one; each is taken out as it comes."""
        while (call := next((call for call in self._calls if call.exact), None)) is not None:
            job = call.exact[0]
            if job.waiting:
                yield call, job
            else:
                call.exact.popleft()
