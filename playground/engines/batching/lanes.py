"""Lanes: texts that are being decoded together. What each one does with the logits of its own.

A lane has a line of tokens of which some are not in the KV yet. The loop decodes some of those in each
step and hands the lane the rows that it asked for. Owned by the decode thread.
"""

from __future__ import annotations

from abc import ABC, abstractmethod

import numpy as np

from playground.engines.arrays import FloatArray
from playground.engines.base import Delta, Finished, Scores
from playground.engines.batching.decoding import DecodeContext, Vocabulary
from playground.engines.batching.jobs import Call, GenerateCall, Job, ScoreCall, WarmCall, now
from playground.engines.batching.lines import Line
from playground.engines.batching.sampling import TokenSampler
from playground.engines.batching.stats import RowStats, log_probabilities, rank_of, row_stats
from playground.engines.limits import context_full
from playground.engines.streaming import Released, TextStream
from playground.errors import EngineError, PlaygroundError
from playground.types import Alternative, FinishReason, Token, Usage


def described(vocab: Vocabulary, token: int, row: FloatArray, stats: RowStats) -> Token:
    """A token with what the distribution ``row`` says of it."""
    best = tuple(
        Alternative(int(other), vocab.piece(int(other)), float(row[other]) - stats.log_sum)
        for other in stats.top
    )
    logprob = float(row[token]) - stats.log_sum
    return Token(token, vocab.piece(token), logprob, rank_of(row, token), stats.entropy, best)


class Lane(ABC):
    """One text in the works."""

    def __init__(self, call: Call, line: Line) -> None:
        self.call = call
        self.line = line
        self.cached = line.length
        self.started = now()
        self.finished = False

    @property
    def pending(self) -> int:
        """Tokens that are known and not yet in the KV, as far as the lane needs them there."""
        return self.line.known - self.line.length

    @property
    def is_prefilling(self) -> bool:
        """Whether more than the next token is to be run."""
        return self.pending > 1

    def next_run(self, room: int, most_rows: int) -> tuple[int, int]:
        """How many pending tokens to run, and from which of them on the logits are wanted."""
        count = min(self.pending, room)
        return count, count - (count == self.pending)

    @abstractmethod
    def take(self, context: DecodeContext, rows: FloatArray, index: int) -> None:
        """Use the wanted rows ``[n, n_vocab]``; ``index`` is the batch index of the first."""

    @abstractmethod
    def complete(self) -> None:
        """Nothing is pending any more."""

    @abstractmethod
    def cancel(self) -> None:
        """End without having finished."""

    @abstractmethod
    def fail(self, error: PlaygroundError) -> None:
        """End with an error."""


class SampleLane(Lane):
    """Continues a prompt by one sample."""

    def __init__(
        self,
        call: GenerateCall,
        job: Job,
        sample: int,
        line: Line,
        *,
        vocab: Vocabulary,
        sampler: TokenSampler,
        n_ctx: int,
    ) -> None:
        super().__init__(call, line)
        self.generate_call = call
        self.job = job
        self.sample = sample
        self._vocab = vocab
        self._n_ctx = n_ctx
        self.sampler = sampler
        self._stream = TextStream(job.request.stop)
        self._count = 0
        self._prefill_s = 0.0
        self._decode_started = 0.0
        begun = job.request.begun
        self._has_ended = bool(begun) and vocab.is_end(begun[-1])
        for token in begun:
            sampler.penalties.accept(token)
        shown = begun[:-1] if self._has_ended else begun
        self._send(self._stream.add([Token(token, vocab.piece(token)) for token in shown]))

    @property
    def is_fresh(self) -> bool:
        """Whether it has drawn nothing yet, so that its prompt can be shared with another sample."""
        return self._count == 0

    @property
    def _was_over(self) -> bool:
        """Whether what the answer began with was its end."""
        return self._has_ended or self._stream.stopped is not None

    def take(self, context: DecodeContext, rows: FloatArray, index: int) -> None:
        """Draw the next token from the last row."""
        row = rows[-1]
        raw, stats = self.look(row)
        token = self.sampler.draw(context.handle, index, row)
        self.advance(token, raw, stats)

    def look(self, row: FloatArray) -> tuple[FloatArray, RowStats | None]:
        """The raw distribution, where it was asked for, before penalties change the row."""
        top = self.job.request.logprobs
        if top is None:
            return row, None
        stats = row_stats(row, top)
        return (row.copy() if self.sampler.penalties.active else row), stats

    def advance(self, token: int, raw: FloatArray, stats: RowStats | None) -> None:
        """Take a drawn token: release text, and end where it ends."""
        if self._count == 0:
            self._decode_started = now()
            self._prefill_s = self._decode_started - self.started
        if self._was_over or self._vocab.is_end(token):
            self._finish("stop", eos=self._stream.stopped is None)
            return
        self._count += 1
        self.line.append(token)
        known = (
            Token(token, self._vocab.piece(token))
            if stats is None
            else described(self._vocab, token, raw, stats)
        )
        self._send(self._stream.add((known,)))
        if self._stream.stopped is not None:
            self._finish("stop")
        elif self._count >= self.job.request.sampling.max_tokens:
            self._finish("length")
        elif self.line.known >= self._n_ctx:
            self._finish("length", error=context_full(self._n_ctx))

    def adopt(self, other: SampleLane) -> None:
        """Share the prefill of another sample of the same job."""
        self.started = other.started
        self.cached = len(self.job.prompt)

    def complete(self) -> None:
        """A sample ends itself."""

    def cancel(self) -> None:
        """Release what was held back, and end."""
        self._finish("cancelled")

    def fail(self, error: PlaygroundError) -> None:
        """End with a sentence; what was written stands."""
        self._finish("error", error=str(error))

    def _send(self, released: Released) -> None:
        if released:
            self.generate_call.outbox.append(
                Delta(self.job.index, self.sample, released.text, released.tokens)
            )

    def _finish(self, reason: FinishReason, *, eos: bool = False, error: str | None = None) -> None:
        if self.finished:
            return
        self.finished = True
        self._send(self._stream.finish(eos=eos))
        stopped = self._stream.stopped
        if stopped is not None and reason == "length":
            reason, error = "stop", None
        usage = Usage(
            prompt_tokens=len(self.job.prompt),
            cached_tokens=min(self.cached, len(self.job.prompt)),
            completion_tokens=self._count,
            prefill_s=self._prefill_s,
            decode_s=now() - self._decode_started if self._count else 0.0,
        )
        self.generate_call.outbox.append(
            Finished(
                self.job.index,
                self.sample,
                reason,
                usage,
                self.job.seed + self.sample,
                stop=None if stopped is None else stopped.text,
                error=error,
            )
        )
        self.sampler.close()


class ScoreLane(Lane):
    """Reads the logits over a target text."""

    def __init__(self, call: ScoreCall, line: Line, *, vocab: Vocabulary) -> None:
        super().__init__(call, line)
        self._score = call
        self._vocab = vocab
        self._tokens: list[Token] = []
        self._rows: list[FloatArray] = []
        self._next = call.first
        if call.first == 0:
            # Nothing stands before the very first token, so nothing can be said about it.
            token = int(call.tokens[0])
            self._tokens.append(Token(token, vocab.piece(token)))
            if call.full:
                self._rows.append(np.full(vocab.size, np.nan, np.float32))
            self._next = 1

    @property
    def pending(self) -> int:
        """The last token predicts nothing that was asked for, and is left out."""
        return self.line.known - 1 - self.line.length

    @property
    def is_prefilling(self) -> bool:
        """Always: a score never waits for a drawn token."""
        return True

    def next_run(self, room: int, most_rows: int) -> tuple[int, int]:
        """A run with at most ``most_rows`` rows; the row at a position speaks of the next token."""
        before = max(self._next - 1 - self.line.length, 0)
        count = min(self.pending, room, before + most_rows)
        return count, min(before, count)

    def take(self, context: DecodeContext, rows: FloatArray, index: int) -> None:
        """Describe the tokens that the rows speak of."""
        for row in rows:
            token = int(self._score.tokens[self._next])
            stats = row_stats(row, self._score.top)
            self._tokens.append(described(self._vocab, token, row, stats))
            if self._score.full:
                self._rows.append(log_probabilities(row, stats))
            self._next += 1

    def complete(self) -> None:
        """Hand over the scores, once nothing is pending."""
        self.finished = True
        usage = Usage(
            prompt_tokens=len(self._score.tokens),
            cached_tokens=self.cached,
            prefill_s=now() - self.started,
        )
        full = np.stack(self._rows) if self._rows else None
        if full is None and self._score.full:
            full = np.empty((0, self._vocab.size), np.float32)
        self._score.finish(Scores(tuple(self._tokens), usage, full))

    def cancel(self) -> None:
        """End with an error that says so."""
        self.fail(EngineError("The scoring was cancelled."))

    def fail(self, error: PlaygroundError) -> None:
        """End with an error."""
        self.finished = True
        self._score.finish(error)


class WarmLane(Lane):
    """Computes a prefix that will probably be asked for."""

    def __init__(self, call: WarmCall, line: Line) -> None:
        super().__init__(call, line)
        self._warm = call

    @property
    def is_prefilling(self) -> bool:
        """Always, so that it never goes before a sample."""
        return True

    def next_run(self, room: int, most_rows: int) -> tuple[int, int]:
        """Short runs, so that little is lost when real work comes; no logits are wanted."""
        count = min(self.pending, room, 128)
        return count, count

    def take(self, context: DecodeContext, rows: FloatArray, index: int) -> None:
        """Nothing is read."""

    def complete(self) -> None:
        """The prefix is there."""
        self.cancel()

    def cancel(self) -> None:
        """What was computed so far is kept by the store."""
        self.finished = True
        self._warm.done.set()

    def fail(self, error: PlaygroundError) -> None:
        """A prefix that could not be warmed is computed when it is needed."""
        self.cancel()
