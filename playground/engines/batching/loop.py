"""The decode loop: one thread that owns the context and runs every lane, step by step.

Each step takes one token for every lane that is decoding, then as much waiting prompt as the batch holds.
New calls are admitted and cancelled ones leave between two steps; a cancel also ends the native work in
progress. Knows tokens, lanes and lines; no text, no stop rules.
"""

from __future__ import annotations

import threading
from collections import deque
from collections.abc import Callable
from dataclasses import dataclass
from queue import Empty, SimpleQueue

import numpy as np

from playground.engines.arrays import FloatArray
from playground.engines.batching.decoding import (
    DecodeAbortedError,
    DecodeContext,
    DecodeFullError,
    Vocabulary,
)
from playground.engines.batching.exact import ExactMode
from playground.engines.batching.jobs import Call, Errand, GenerateCall, Job, WarmCall
from playground.engines.batching.lanes import Lane, SampleLane, ScoreLane, WarmLane
from playground.engines.batching.lines import Line, LineStore
from playground.engines.batching.prefix import common_prefix
from playground.engines.batching.waiting import Waiting
from playground.errors import EngineError, PlaygroundError

# Lanes beyond the usual number for calls that have none yet, so that a long batch does not starve a person.
_EXTRA_LANES = 4
# While samples are being decoded, a waiting prompt may delay each step by this many tokens.
_PREFILL_SHARE = 128
_ROW_BYTES = 64 * 2**20


@dataclass(frozen=True, slots=True)
class _Planned:
    """A lane's part of a batch: ``count`` tokens, of which the last ``rows`` have logits."""

    lane: Lane
    count: int
    rows: int
    first_row_index: int


class DecodeLoop:
    """Runs calls until ``close``. Calls come from any thread; everything else happens in its own.

    Args:
        context: Owned by the loop from now on.
        store: The lines of that context.
        vocab: For the tokens' bytes.
        n_ctx: Most tokens of one text.
        n_lanes: Most lanes that run together.
        open_exact: Makes the context of exact mode when it is first asked for; None where there is none.
    """

    def __init__(
        self,
        context: DecodeContext,
        store: LineStore,
        vocab: Vocabulary,
        *,
        n_ctx: int,
        n_lanes: int,
        open_exact: Callable[[], DecodeContext] | None = None,
    ) -> None:
        self._context = context
        self._store = store
        self._vocab = vocab
        self._n_ctx = n_ctx
        self._n_lanes = n_lanes
        self._most_rows = max(8, _ROW_BYTES // (4 * vocab.size))
        self._inbox: SimpleQueue[Call | Errand | None] = SimpleQueue()
        self._waiting = Waiting()
        self._exact = ExactMode(self._waiting, vocab, open_exact, self._sample_lane)
        self._lanes: list[Lane] = []
        # Lanes whose KV was taken away because the cache was full; they come back first.
        self._suspended: deque[Lane] = deque()
        # The cache was full: nobody comes in before somebody leaves, or they would push each other out.
        self._crowded = False
        self._closing = False
        # So that nothing is put into the inbox after the thread has looked for the last time.
        self._door = threading.Lock()
        self._thread = threading.Thread(target=self._run, name="decode", daemon=True)
        self._thread.start()

    # --- from any thread

    def submit(self, call: Call) -> None:
        """Take a call in before the next step."""
        with self._door:
            if self._closing:
                raise EngineError("The model was closed; open it again.")
            self._inbox.put(call)
        if not isinstance(call, WarmCall) and any(isinstance(lane, WarmLane) for lane in self._lanes):
            # What is computed on the off chance gives way at once.
            self._abort()

    def cancel(self, call: Call) -> None:
        """End a call: the native work in progress stops, and the call's lanes leave."""
        call.cancelled = True
        # A prefix that waits for its turn stops nobody's work.
        if not isinstance(call, WarmCall) or any(lane.call is call for lane in self._lanes):
            self._abort()
        self._inbox.put(None)

    def do(self, errand: Errand) -> None:
        """Run something in the loop's thread between two steps, and wait for it."""
        with self._door:
            if self._closing:
                raise EngineError("The model was closed; open it again.")
            self._inbox.put(errand)
        errand.done.wait()

    def close(self) -> None:
        """End every call and the thread."""
        with self._door:
            self._closing = True
        self._abort()
        self._inbox.put(None)
        if self._thread is not threading.current_thread():
            self._thread.join()

    def _abort(self) -> None:
        self._context.abort()
        self._exact.abort()

    # --- the thread

    def _run(self) -> None:
        while not self._closing:
            try:
                self._receive(wait=not self._has_work())
                self._drop_cancelled()
                self._admit()
                if self._lanes and not self._closing:
                    self._step()
                if not self._closing:
                    self._exact.step()
            except Exception as error:  # noqa: BLE001  the thread must outlive any one failure
                self._fail_all(error if isinstance(error, PlaygroundError) else _unexpected(error))
        self._receive(wait=False)
        self._fail_all(EngineError("The model was closed; open it again."))

    def _has_work(self) -> bool:
        waiting = self._waiting
        return bool(
            self._lanes or self._suspended or waiting.has_requests or waiting.warm or self._exact.has_work
        )

    def _receive(self, *, wait: bool) -> None:
        while True:
            try:
                item = self._inbox.get(block=wait)
            except Empty:
                return
            wait = False
            if isinstance(item, Errand):
                item.run()
                item.done.set()
            elif item is not None:
                self._waiting.take(item)

    def _drop_cancelled(self) -> None:
        # First allow, then look: a cancel that comes in between ends the next decode, which comes back here.
        self._context.allow()
        self._exact.drop_cancelled()
        for lane in [*self._lanes, *self._suspended]:
            if lane.call.cancelled:
                lane.cancel()
                self._retire(lane)
        self._waiting.drop_cancelled()
        self._waiting.send()

    def _fail_all(self, error: PlaygroundError) -> None:
        """End everything with ``error``; the context starts empty again."""
        for lane in [*self._lanes, *self._suspended]:
            lane.fail(error)
        self._exact.fail(error)
        self._lanes.clear()
        self._suspended.clear()
        self._crowded = False
        self._waiting.fail(error)
        self._store.clear()

    # --- admitting

    def _admit(self) -> None:
        if self._crowded:
            return
        if self._waiting.has_requests:
            self._give_way()
        while self._suspended and len(self._lanes) < self._n_lanes:
            if not self._store.resume(self._suspended[0].line):
                return
            self._lanes.append(self._suspended.popleft())
        if self._suspended:
            return
        while self._waiting.scores and len(self._lanes) < self._n_lanes + _EXTRA_LANES:
            score = self._waiting.scores[0]
            line = self._store.begin(score.tokens, max(score.first - 1, 0))
            if line is None:
                return
            self._waiting.scores.popleft()
            self._add(ScoreLane(score, line, vocab=self._vocab))
        while (job := self._next_job()) is not None:
            line = self._store.begin(job[1].prompt, len(job[1].prompt) - 1)
            if line is None:
                return
            self._start_sample(*job, line)
        if not self._lanes and self._waiting.warm:
            warm = self._waiting.warm.popleft()
            line = self._store.begin(warm.tokens, len(warm.tokens))
            if line is not None:
                self._add(WarmLane(warm, line))

    def _next_job(self) -> tuple[GenerateCall, Job] | None:
        return self._waiting.next_job(
            lambda job: not self._is_being_computed(job),
            running=len(self._lanes),
            most=self._n_lanes,
            extra=_EXTRA_LANES,
        )

    def _is_being_computed(self, job: Job) -> bool:
        """Whether a running lane is about to have more of this prompt's beginning than is known now."""
        candidates = [lane for lane in self._lanes if lane.is_prefilling and lane.pending > 0]
        if not candidates:
            return False
        _, cached = self._store.find(job.prompt, len(job.prompt) - 1)
        for lane in candidates:
            shared = common_prefix(lane.line.tokens, job.prompt[:-1])
            if shared > lane.line.length and shared > cached + _PREFILL_SHARE // 4:
                return True
        return False

    def _start_sample(self, call: GenerateCall, job: Job, line: Line) -> SampleLane:
        lane = self._sample_lane(call, job, line)
        self._add(lane)
        return lane

    def _sample_lane(self, call: GenerateCall, job: Job, line: Line) -> SampleLane:
        sample = job.waiting.popleft()
        sampler = self._context.sampler(job.request.sampling, seed=job.seed + sample, prompt=job.prompt)
        return SampleLane(call, job, sample, line, vocab=self._vocab, sampler=sampler, n_ctx=self._n_ctx)

    def _add(self, lane: Lane) -> None:
        self._lanes.append(lane)
        if isinstance(lane, SampleLane):
            lane.generate_call.lanes += 1

    def _retire(self, lane: Lane) -> None:
        """A lane is done: its line becomes idle."""
        if lane in self._lanes:
            self._lanes.remove(lane)
        if lane in self._suspended:
            self._suspended.remove(lane)
        if isinstance(lane, SampleLane):
            lane.generate_call.lanes -= 1
        self._crowded = False
        self._store.end(lane.line)

    # --- one step

    def _step(self) -> None:
        plan = self._plan()
        lengths = [planned.lane.line.length for planned in plan]
        try:
            if plan:
                self._context.decode()
        except DecodeAbortedError as aborted:
            # The next step goes on from there, for those that are still there.
            for planned, length in zip(plan, lengths, strict=True):
                line = planned.lane.line
                assert line.seq is not None
                # Whatever was to give logits must run again, as those are lost.
                most = length + planned.count - planned.rows
                self._rewind(line, max(length, min(aborted.kept.get(line.seq, 0), most)))
            return
        except DecodeFullError:
            self._make_room()
            return
        rows = sum(planned.rows for planned in plan)
        logits = self._context.logits(rows) if rows else np.empty((0, self._vocab.size), np.float32)
        at = 0
        for planned in plan:
            lane = planned.lane
            lane.line.length += planned.count
            mine, at = logits[at : at + planned.rows], at + planned.rows
            if isinstance(lane, SampleLane) and planned.rows and lane.job.waiting and lane.is_fresh:
                self._take_together(lane, mine, planned.first_row_index)
            elif planned.rows:
                lane.take(self._context, mine, planned.first_row_index)
        for lane in list(self._lanes):
            if lane.pending == 0:
                lane.complete()
        # The events go out before the KV of what ended is copied away.
        self._waiting.send()
        for lane in list(self._lanes):
            if lane.finished:
                self._retire(lane)

    def _plan(self) -> list[_Planned]:
        """Fill the batch: lanes that decode first, then prompts, oldest first."""
        self._context.clear_batch()
        plan: list[_Planned] = []
        decoding = [lane for lane in self._lanes if not lane.is_prefilling]
        for lane in decoding[: self._context.options.n_batch]:
            line = lane.line
            assert line.seq is not None
            index = self._context.add_one(line.seq, line.length, int(line.buffer[line.length]))
            plan.append(_Planned(lane, 1, 1, index))
        room = min(self._context.room, _PREFILL_SHARE) if decoding else self._context.room
        rows_left = self._most_rows
        for lane in self._lanes:
            if not lane.is_prefilling or room <= 0 or rows_left <= 0 or lane.pending <= 0:
                continue
            line = lane.line
            assert line.seq is not None
            count, logits_from = lane.next_run(room, rows_left)
            if count <= 0:
                continue
            tokens = line.buffer[line.length : line.length + count]
            start = self._context.add(line.seq, line.length, tokens, logits_from=logits_from)
            rows = count - logits_from
            plan.append(_Planned(lane, count, rows, start + logits_from))
            room -= count
            rows_left -= rows
        return plan

    def _take_together(self, lane: SampleLane, rows: FloatArray, index: int) -> None:
        """Draw the first token of every sample of a job that finds a lane from the same logits."""
        row = rows[-1]
        raw, stats = lane.look(row)
        together = [lane]
        job, call = lane.job, lane.generate_call
        while job.waiting and len(self._lanes) < self._n_lanes:
            line = self._store.fork(lane.line)
            if line is None:
                break
            sibling = self._start_sample(call, job, line)
            sibling.adopt(lane)
            together.append(sibling)
        for position, one in enumerate(together):
            # The siblings have the same history, so that bias and penalties are applied once.
            draw = one.sampler.draw if position == 0 else one.sampler.draw_again
            one.advance(draw(self._context.handle, index, row), raw, stats)

    def _rewind(self, line: Line, length: int) -> None:
        """Keep the whole part of what an aborted decode wrote; where that cannot be, start again."""
        assert line.seq is not None
        line.length = length
        if not self._context.keep(line.seq, length):
            self._context.drop(line.seq)
            line.length = 0

    def _give_way(self) -> None:
        """A background prefix stops where it is when real work has come; what it has is kept."""
        for lane in [lane for lane in self._lanes if isinstance(lane, WarmLane)]:
            lane.cancel()
            self._retire(lane)

    def _make_room(self) -> None:
        """The KV cache is full: idle lines go, then the youngest lane waits its turn again."""
        if self._store.release_idle():
            return
        if len(self._lanes) == 1:
            lane = self._lanes[0]
            cells = self._context.options.n_cells
            lane.fail(
                EngineError(
                    f"The text does not fit the KV cache of {cells:,} tokens; raise n_ctx or kv_cells."
                )
            )
            self._waiting.send()
            self._retire(lane)
            return
        lane = self._lanes.pop()
        self._crowded = True
        self._store.suspend(lane.line)
        self._suspended.append(lane)


def _unexpected(error: Exception) -> EngineError:
    return EngineError(f"The engine failed unexpectedly ({type(error).__name__}: {error}). Please report it.")
