"""The engine interface over a decode loop, whatever the loop decodes with; asked from any thread.

Knows text only as far as a vocabulary turns it into tokens; the model is the loop's.
"""

from __future__ import annotations

import threading
from collections import deque
from collections.abc import Callable, Iterator, Sequence

import numpy as np

from playground.engines.arrays import IntArray
from playground.engines.base import Cancel, EngineInfo, Event, Finished, GenerateRequest, Scores
from playground.engines.batching.jobs import GenerateCall, Job, ScoreCall, WarmCall
from playground.engines.batching.loop import DecodeLoop
from playground.engines.batching.vocabulary import FragmentVocabulary
from playground.engines.limits import begun_refusal, far_over_refusal, request_refusal, score_refusal
from playground.engines.pieces import first_target_token
from playground.engines.seeds import draw_seed
from playground.errors import ContextLengthError, EngineError, InvalidTextError
from playground.types import Piece, Usage


class BatchedEngine:
    """A model whose decode loop runs in this process; ``close`` ends the loop and frees the model.

    Args:
        info: What was loaded.
        vocab: Its vocabulary.
        loop: Its decode loop.
        free: Frees the model once the loop has ended.
    """

    def __init__(
        self, info: EngineInfo, vocab: FragmentVocabulary, loop: DecodeLoop, free: Callable[[], None]
    ) -> None:
        self._info = info
        self._vocab = vocab
        self._loop = loop
        self._free = free
        self._lock = threading.Lock()
        self._closed = False

    @property
    def info(self) -> EngineInfo:
        """What was loaded."""
        return self._info

    @property
    def alive(self) -> bool:
        """Whether it was not closed."""
        return not self._closed

    def tokenize(self, pieces: Sequence[Piece], *, add_bos: bool = True) -> list[int]:
        """Token ids of the pieces joined, in the calling thread."""
        with self._lock:
            return self._open_vocab().encode(pieces, add_bos=add_bos).ids

    def detokenize(self, ids: Sequence[int]) -> bytes:
        """The bytes of the ids joined; special tokens are written out."""
        with self._lock:
            return self._open_vocab().decode(ids)

    def token_sizes(self, ids: Sequence[int]) -> list[int]:
        """How many bytes each id stands for."""
        with self._lock:
            vocab = self._open_vocab()
            return [len(vocab.piece(token)) for token in ids]

    def generate(
        self, requests: Sequence[GenerateRequest], *, cancel: Cancel | None = None
    ) -> Iterator[Event]:
        """Continue each request; see ``Engine.generate``. Work begins with the first ``next``."""
        ended: list[Event] = []
        jobs: list[Job] = []
        for index, request in enumerate(requests):
            seed = draw_seed() if request.sampling.seed is None else request.sampling.seed
            prompt = np.empty(0, np.int32)
            refusal = self._far_over(request.prompt, "The prompt")
            refusal = refusal or begun_refusal(request.begun, self._info.n_vocab)
            if refusal is None:
                try:
                    prompt = self._prompt(request.prompt)
                except InvalidTextError as error:
                    refusal = str(error)
            if refusal is None:
                prompt = np.concatenate([prompt, np.array(request.begun, np.int32)])
                refusal = request_refusal(request, len(prompt), self._info.n_ctx)
            job = Job(index, request, prompt, seed, deque(range(request.n)))
            if refusal is not None:
                ended += [job.unstarted(sample, refusal) for sample in job.waiting]
            elif request.sampling.max_tokens == 0:
                usage = Usage(prompt_tokens=len(prompt))
                ended += [Finished(index, sample, "length", usage, seed + sample) for sample in job.waiting]
            else:
                jobs.append(job)
        yield from ended
        left = sum(len(job.waiting) for job in jobs)
        if not left:
            return
        call = GenerateCall(
            deque(job for job in jobs if not job.request.exact),
            left,
            deque(job for job in jobs if job.request.exact),
        )
        self._loop.submit(call)
        forget = cancel.on_set(lambda: self._loop.cancel(call)) if cancel is not None else None
        try:
            while left:
                for event in call.events.get():
                    left -= isinstance(event, Finished)
                    yield event
        finally:
            if forget is not None:
                forget()
            if left:
                self._loop.cancel(call)

    def score(
        self,
        context: Sequence[Piece],
        target: Sequence[Piece],
        *,
        top: int = 0,
        full: bool = False,
        exact: bool = False,
        cancel: Cancel | None = None,
    ) -> Scores:
        """Log-probabilities of the target's tokens; see ``Engine.score``."""
        refusal = self._far_over([*context, *target], "The text to score")
        if refusal is not None:
            raise ContextLengthError(refusal)
        with self._lock:
            encoded = self._open_vocab().encode([*context, *target])
        before = "".join(piece.text for piece in context).encode()
        text = before + "".join(piece.text for piece in target).encode()
        first = first_target_token(encoded.starts, text, len(before))
        refusal = score_refusal(len(encoded.ids), self._info.n_ctx)
        if refusal is not None:
            raise ContextLengthError(refusal)
        if first == len(encoded.ids):
            rows = np.empty((0, self._info.n_vocab), np.float32) if full else None
            return Scores((), Usage(prompt_tokens=len(encoded.ids)), rows)
        call = ScoreCall(np.array(encoded.ids, np.int32), first, top, full, exact)
        self._loop.submit(call)
        forget = cancel.on_set(lambda: self._loop.cancel(call)) if cancel is not None else None
        try:
            call.done.wait()
        finally:
            if forget is not None:
                forget()
        if call.error is not None:
            raise call.error
        assert call.scores is not None
        return call.scores

    def warm(self, pieces: Sequence[Piece], *, cancel: Cancel | None = None) -> None:
        """Compute a prefix while nothing else is to be done; returns when it is there or was given up."""
        if self._far_over(pieces, "The text") is not None:
            return
        tokens = self._prompt(pieces)[: self._info.n_ctx - 1]
        if not len(tokens):
            return
        call = WarmCall(tokens)
        self._loop.submit(call)
        forget = cancel.on_set(lambda: self._loop.cancel(call)) if cancel is not None else None
        call.done.wait()
        if forget is not None:
            forget()

    def close(self) -> None:
        """End what runs and free the model; again does nothing."""
        with self._lock:
            if self._closed:
                return
            self._closed = True
        self._loop.close()
        with self._lock:
            self._free()

    def _far_over(self, pieces: Sequence[Piece], what: str) -> str | None:
        return far_over_refusal([piece.text for piece in pieces], self._info.n_ctx, what)

    def _open_vocab(self) -> FragmentVocabulary:
        """The vocabulary, while it is there; the lock must be held, because ``close`` may free it."""
        if self._closed:
            raise EngineError("The model was closed; open it again.")
        return self._vocab

    def _prompt(self, pieces: Sequence[Piece]) -> IntArray:
        """The prompt's tokens. An empty one begins with BOS even where the model does not want one."""
        with self._lock:
            vocab = self._open_vocab()
            ids = vocab.encode(pieces).ids
            if not ids and vocab.bos is not None:
                ids = [vocab.bos]
        return np.array(ids, np.int32)
