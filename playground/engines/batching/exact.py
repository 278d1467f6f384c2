"""Exact mode: the same floats whatever else runs, for experiments that compare numbers.

Floats depend on the shape of a batch and on where in the KV cache a text's cells lie, because sums are
taken in another order. So here one text at a time runs in a context of its own, from cell 0 on: the prompt
in chunks of fixed size from position 0, then one token after the other. Only whole chunks are ever used
again. Its options do not depend on what a probe found. Owned by the decode thread.
"""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

from playground.engines.arrays import IntArray
from playground.engines.batching.decoding import DecodeAbortedError, DecodeContext, Vocabulary
from playground.engines.batching.jobs import GenerateCall, Job
from playground.engines.batching.lanes import Lane, SampleLane, ScoreLane
from playground.engines.batching.lines import Line
from playground.engines.batching.prefix import common_prefix
from playground.engines.batching.waiting import Waiting
from playground.errors import PlaygroundError, UnsupportedError

CHUNK = 128
_SEQ = 0


class ExactMode:
    """Takes what asked for exact mode out of ``waiting`` and runs it, one step at a call.

    Args:
        waiting: Who waits.
        vocab: For the tokens' bytes.
        open_context: Makes the context when it is first needed; None where there is no exact mode.
        sample_lane: Makes a lane for a job's next sample.
    """

    def __init__(
        self,
        waiting: Waiting,
        vocab: Vocabulary,
        open_context: Callable[[], DecodeContext] | None,
        sample_lane: Callable[[GenerateCall, Job, Line], SampleLane],
    ) -> None:
        self._waiting = waiting
        self._vocab = vocab
        self._open_context = open_context
        self._sample_lane = sample_lane
        self._runner: _Runner | None = None
        self._lane: Lane | None = None

    @property
    def has_work(self) -> bool:
        """Whether something runs or waits."""
        return self._lane is not None or self._waiting.has_exact

    def abort(self) -> None:
        """End the decode in progress; from any thread."""
        if self._runner is not None:
            self._runner.context.abort()

    def drop_cancelled(self) -> None:
        """Allow work again, and end the lane that runs if it was cancelled."""
        if self._runner is not None:
            self._runner.context.allow()
        if self._lane is not None and self._lane.call.cancelled:
            self._lane.cancel()
            self._lane = None

    def fail(self, error: PlaygroundError) -> None:
        """End the lane that runs."""
        if self._lane is not None:
            self._lane.fail(error)
            self._lane = None

    def step(self) -> None:
        """Run one chunk or one token, if there is any."""
        if not self.has_work:
            return
        if self._runner is None:
            if self._open_context is None:
                self._refuse(UnsupportedError("This engine has no exact mode; ask without it."))
                return
            try:
                self._runner = _Runner(self._open_context())
            except PlaygroundError as error:
                self._refuse(error)
                return
        if self._lane is None:
            self._lane = self._next_lane(self._runner)
        if self._lane is not None:
            self._runner.step(self._lane)
            if self._lane.finished:
                self._lane = None
        self._waiting.send()

    def _next_lane(self, runner: _Runner) -> Lane | None:
        if self._waiting.exact_scores:
            score = self._waiting.exact_scores.popleft()
            return ScoreLane(score, runner.line(score.tokens, max(score.first - 1, 0)), vocab=self._vocab)
        for call, job in self._waiting.exact_jobs():
            return self._sample_lane(call, job, runner.line(job.prompt, len(job.prompt) - 1))
        return None

    def _refuse(self, error: PlaygroundError) -> None:
        while self._waiting.exact_scores:
            self._waiting.exact_scores.popleft().finish(error)
        for call, job in self._waiting.exact_jobs():
            call.outbox.append(job.unstarted(job.waiting.popleft(), str(error)))
        self._waiting.send()


class _Runner:
    """One lane after the other in a context of which it is the only user."""

    def __init__(self, context: DecodeContext) -> None:
        self.context = context
        # The tokens in the cache that were computed as whole chunks.
        self._computed: IntArray = np.empty(0, np.int32)

    def line(self, tokens: IntArray, most: int) -> Line:
        """A line for ``tokens``, with the whole chunks that the cache still holds."""
        shared = min(common_prefix(self._computed, tokens), most) // CHUNK * CHUNK
        if shared and self.context.keep(_SEQ, shared):
            self._computed = self._computed[:shared]
        else:
            shared = 0
            self.context.clear()
            self._computed = self._computed[:0]
        buffer = np.concatenate([tokens, np.zeros(64, np.int32)])
        return Line(buffer, len(tokens), shared, _SEQ)

    def step(self, lane: Lane) -> None:
        """Run one chunk or one token of ``lane``; where that was aborted, the next step runs it again."""
        line = lane.line
        if lane.pending > 0:
            start = line.length
            count, logits_from = lane.next_run(CHUNK - start % CHUNK if lane.is_prefilling else 1, CHUNK)
            tokens = line.buffer[start : start + count]
            self.context.clear_batch()
            index = self.context.add(_SEQ, start, tokens, logits_from=logits_from)
            try:
                self.context.decode()
            except DecodeAbortedError:
                if not self.context.keep(_SEQ, start):
                    self.context.clear()
                    line.length = 0
                    self._computed = self._computed[:0]
                return
            line.length += count
            if count == CHUNK and len(self._computed) == start:
                self._computed = np.concatenate([self._computed, tokens])
            if count > logits_from:
                lane.take(self.context, self.context.logits(count - logits_from), index + logits_from)
        if lane.pending == 0:
            lane.complete()
