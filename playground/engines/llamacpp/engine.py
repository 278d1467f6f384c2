"""The engine interface over one loaded model: what the decode loop does, asked for from any thread."""

from __future__ import annotations

import threading
import time
from collections import deque
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path

import numpy as np

from playground.engines.base import Cancel, EngineInfo, Event, Finished, GenerateRequest, Scores
from playground.engines.limits import request_refusal, score_refusal
from playground.engines.llamacpp import plan
from playground.engines.llamacpp.context import Context
from playground.engines.llamacpp.exact import CHUNK
from playground.engines.llamacpp.gguf_header import read_header
from playground.engines.llamacpp.jobs import GenerateCall, Job, ScoreCall, WarmCall
from playground.engines.llamacpp.lines import LineStore
from playground.engines.llamacpp.loop import DecodeLoop
from playground.engines.llamacpp.model import Model
from playground.engines.llamacpp.native import IntArray
from playground.engines.llamacpp.vocab import Vocab
from playground.engines.seeds import draw_seed
from playground.engines.spec import EngineSpec
from playground.errors import ContextLengthError, EngineError
from playground.types import Piece, Usage


class LlamaCppEngine:
    """A GGUF model in this process.

    Args:
        spec: The file and how to run it.
        progress: Called with the fraction loaded, 0 to 1.

    Raises:
        ModelLoadError: With one sentence that says what is wrong.
    """

    def __init__(self, spec: EngineSpec, *, progress: Callable[[float], None] | None = None) -> None:
        started = time.perf_counter()
        self._lock = threading.Lock()
        self._closed = False
        self._exact_context: Context | None = None
        path = Path(spec.path)
        header = read_header(path)
        self._n_ctx = plan.choose_n_ctx(spec, header)
        plan.check_memory(spec, header, path.name, self._n_ctx)
        self._model = Model(path, header, check_tensors=spec.check_tensors, progress=progress)
        try:
            tuning = plan.choose_tuning(spec, self._model)
            options = plan.layout(spec, header, self._n_ctx, tuning)
            self._context = Context(self._model, options)
        except BaseException:
            self._model.close()
            raise
        self._snapshots = plan.open_snapshots(spec, self._model, options)
        store = LineStore(
            self._context,
            parked_bytes=spec.parked_bytes,
            can_rewind=self._model.can_rewind,
            disk=self._snapshots,
        )
        self._loop = DecodeLoop(
            self._context,
            store,
            self._model.vocab,
            n_ctx=self._n_ctx,
            n_lanes=spec.n_lanes,
            open_exact=self._open_exact,
        )
        self._info = self._model.info(n_ctx=self._n_ctx, load_s=time.perf_counter() - started)

    @property
    def info(self) -> EngineInfo:
        """What was loaded."""
        return self._info

    @property
    def alive(self) -> bool:
        """Whether it was not closed."""
        return not self._closed

    @property
    def native_s(self) -> float:
        """Seconds spent inside the native decode so far; for benchmarks."""
        return self._context.native_s

    def set_threads(self, count: int) -> None:
        """Use this many threads from the next step on; exact mode keeps its own."""
        self._context.threads = max(1, count)

    def tokenize(self, pieces: Sequence[Piece], *, add_bos: bool = True) -> list[int]:
        """Token ids of the pieces joined, in the calling thread."""
        with self._lock:
            return self._vocab().encode(pieces, add_bos=add_bos).ids

    def detokenize(self, ids: Sequence[int]) -> bytes:
        """The bytes of the ids joined; special tokens are written out."""
        with self._lock:
            return self._vocab().decode(ids)

    def token_sizes(self, ids: Sequence[int]) -> list[int]:
        """How many bytes each id stands for."""
        with self._lock:
            vocab = self._vocab()
            return [len(vocab.piece(token)) for token in ids]

    def generate(
        self, requests: Sequence[GenerateRequest], *, cancel: Cancel | None = None
    ) -> Iterator[Event]:
        """Continue each request; see ``Engine.generate``. Work begins with the first ``next``."""
        refused: list[Event] = []
        jobs: list[Job] = []
        for index, request in enumerate(requests):
            prompt = self._prompt(request.prompt)
            job = Job(index, request, prompt, _seed(request), deque(range(request.n)))
            refusal = request_refusal(request, len(prompt), self._n_ctx)
            if refusal is not None:
                refused += [job.unstarted(sample, refusal) for sample in job.waiting]
            elif request.sampling.max_tokens == 0:
                usage = Usage(prompt_tokens=len(prompt))
                refused += [
                    Finished(index, sample, "length", usage, job.seed + sample) for sample in job.waiting
                ]
            else:
                jobs.append(job)
        yield from refused
        call = GenerateCall(
            deque(job for job in jobs if not job.request.exact),
            sum(len(job.waiting) for job in jobs),
            deque(job for job in jobs if job.request.exact),
        )
        if not call.open:
            return
        left = call.open
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
        with self._lock:
            encoded = self._vocab().encode([*context, *target])
        border = sum(len(piece.text.encode()) for piece in context)
        first = next((i for i, at in enumerate(encoded.starts) if at >= border), len(encoded.ids))
        refusal = score_refusal(len(encoded.ids), self._n_ctx)
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
        tokens = self._prompt(pieces)[: self._n_ctx - 1]
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
        if self._snapshots is not None:
            self._snapshots.close()
        self._context.close()
        if self._exact_context is not None:
            self._exact_context.close()
        with self._lock:
            self._model.close()

    def _open_exact(self) -> Context:
        """The context of exact mode; called in the loop's thread."""
        options = plan.exact_layout(self._n_ctx, CHUNK, self._context.options.n_threads)
        self._exact_context = Context(self._model, options)
        return self._exact_context

    def _vocab(self) -> Vocab:
        """The vocabulary, while it is there; the lock must be held, because ``close`` frees it."""
        if self._closed:
            raise EngineError("The model was closed; open it again.")
        return self._model.vocab

    def _prompt(self, pieces: Sequence[Piece]) -> IntArray:
        """The prompt's tokens. An empty one begins with BOS even where the model does not want one."""
        with self._lock:
            vocab = self._vocab()
            ids = vocab.encode(pieces).ids
            if not ids and vocab.bos is not None:
                ids = [vocab.bos]
        return np.array(ids, np.int32)


def _seed(request: GenerateRequest) -> int:
    return draw_seed() if request.sampling.seed is None else request.sampling.seed
