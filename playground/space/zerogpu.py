"""Transformers where the GPU is lent to a forked process for the length of a call, as on ZeroGPU.

Weights load in the process of the page, at import and in its main thread. ``GpuWork.on_gpu`` is what the
platform's decorator wraps: a generator of plain values from plain values, since arguments and what it yields
are pickled on their way and no queue, event or engine crosses. In the forked process it opens an engine over
the weights that it inherited. ``LentEngine`` is that engine as the page sees it.
"""

from __future__ import annotations

import contextvars
import os
import queue
import threading
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Literal

from playground.engines.base import (
    Cancel,
    Engine,
    EngineInfo,
    Event,
    Finished,
    GenerateRequest,
    Scores,
)
from playground.engines.protocol import Failed
from playground.engines.spec import EngineSpec
from playground.errors import EngineError, PlaygroundError, UnsupportedError
from playground.types import Piece, Usage

if TYPE_CHECKING:
    from playground.engines.transformers.model import TorchModel

BATCH_S = 0.1
"""How long events are gathered before they are sent to the page's process."""
_LANES = 8


@dataclass(frozen=True, slots=True)
class GpuRequest:
    """What crosses to the forked process: a model's name and what is asked of it."""

    model: str
    task: Literal["generate", "score"]
    requests: tuple[GenerateRequest, ...] = ()
    context: tuple[Piece, ...] = ()
    target: tuple[Piece, ...] = ()
    top: int = 0
    full: bool = False


GpuBatch = tuple[Event, ...] | Scores | Failed
"""What comes back."""
OnGpu = Callable[[GpuRequest], Iterator[GpuBatch]]


class GpuWork:
    """Weights, and what is done with them on a GPU.

    Args:
        specs: By model: the folder or repository, and how to run it.
    """

    def __init__(self, specs: Mapping[str, EngineSpec]) -> None:
        from playground.engines.transformers.model import TorchModel

        # Looking at every weight would be work for a GPU that is not here yet.
        self.specs = {
            name: replace(spec, check_tensors=False, n_lanes=_LANES) for name, spec in specs.items()
        }
        self.models: dict[str, TorchModel] = {name: TorchModel(spec) for name, spec in self.specs.items()}
        # By process too: a forked one inherits the table, but not the threads of what it holds.
        self._engines: dict[tuple[int, str], Engine] = {}
        self._opening = threading.Lock()

    def on_gpu(self, request: GpuRequest) -> Iterator[GpuBatch]:
        """Batches of events, or scores; what fails is the last batch. To be wrapped by the decorator."""
        try:
            engine = self._engine(request.model)
            if request.task == "score":
                yield engine.score(request.context, request.target, top=request.top, full=request.full)
                return
            yield from _batches(engine.generate(request.requests))
        except PlaygroundError as error:
            yield Failed.of(0, error)

    def _engine(self, model: str) -> Engine:
        from playground.engines.transformers.engine import TransformersEngine

        key = (os.getpid(), model)
        with self._opening:
            if key not in self._engines:
                self._engines[key] = TransformersEngine(self.specs[model], model=self.models[model])
            return self._engines[key]


def _batches(events: Iterator[Event]) -> Iterator[tuple[Event, ...]]:
    """Events, some at a time: what came within ``BATCH_S``, and every end at once."""
    gathered: list[Event] = []
    sent = time.monotonic()
    for event in events:
        gathered.append(event)
        if isinstance(event, Finished) or time.monotonic() - sent >= BATCH_S:
            yield tuple(gathered)
            gathered, sent = [], time.monotonic()


class LentEngine:
    """A model whose weights are here and whose work is done elsewhere, a call at a time.

    Args:
        name: The model's, as the work knows it.
        work: Holds the weights.
        on_gpu: The decorated ``GpuWork.on_gpu``.
    """

    def __init__(self, name: str, work: GpuWork, on_gpu: OnGpu) -> None:
        from playground.engines.transformers.engine import engine_info

        model = work.models[name]
        n_ctx = work.specs[name].context(model.n_ctx_train)
        info = engine_info(model, n_ctx=n_ctx, load_s=model.load_s)
        without = ("exact",)
        self._info = replace(
            info,
            capabilities=tuple(one for one in info.capabilities if one not in without),
            lacks=(*info.lacks, ("exact", "Exact mode needs the device for itself; here it is lent.")),
        )
        self._name = name
        self._vocab = model.vocab
        self._lock = threading.Lock()
        self._on_gpu = on_gpu

    @property
    def info(self) -> EngineInfo:
        """What was loaded."""
        return self._info

    @property
    def alive(self) -> bool:
        """Always: a process that dies takes one call with it."""
        return True

    def tokenize(self, pieces: Sequence[Piece], *, add_bos: bool = True) -> list[int]:
        """Token ids of the pieces joined, computed here."""
        with self._lock:
            return self._vocab.encode(pieces, add_bos=add_bos).ids

    def detokenize(self, ids: Sequence[int]) -> bytes:
        """The bytes of the ids joined."""
        with self._lock:
            return self._vocab.decode(ids)

    def token_sizes(self, ids: Sequence[int]) -> list[int]:
        """How many bytes each id stands for."""
        return [len(self._vocab.piece(token)) for token in ids]

    def generate(
        self, requests: Sequence[GenerateRequest], *, cancel: Cancel | None = None
    ) -> Iterator[Event]:
        """See ``Engine.generate``. A cancel is answered at once; the device hears of it later."""
        if any(request.exact for request in requests):
            raise UnsupportedError(dict(self._info.lacks)["exact"])
        open_samples = {(i, sample) for i, request in enumerate(requests) for sample in range(request.n)}
        call = _Call(self._on_gpu, GpuRequest(self._name, "generate", requests=tuple(requests)))
        forget = cancel.on_set(call.stop) if cancel is not None else None
        try:
            while open_samples and (batch := call.take()) is not None:
                if not isinstance(batch, tuple):
                    raise EngineError("The GPU's process answered something else; try again.")
                for event in batch:
                    if isinstance(event, Finished):
                        open_samples.discard((event.request, event.sample))
                    yield event
            if open_samples and not call.stopped:
                raise EngineError("The GPU's process ended early; try again.")
            for index, sample in sorted(open_samples):
                yield Finished(index, sample, "cancelled", Usage())
        finally:
            call.stop()
            if forget is not None:
                forget()

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
        """See ``Engine.score``."""
        if exact:
            raise UnsupportedError(dict(self._info.lacks)["exact"])
        request = GpuRequest(
            self._name, "score", context=tuple(context), target=tuple(target), top=top, full=full
        )
        call = _Call(self._on_gpu, request)
        forget = cancel.on_set(call.stop) if cancel is not None else None
        try:
            scores = call.take()
        finally:
            call.stop()
            if forget is not None:
                forget()
        if not isinstance(scores, Scores):
            raise EngineError("The scoring was cancelled.")
        return scores

    def warm(self, pieces: Sequence[Piece], *, cancel: Cancel | None = None) -> None:
        """Nothing: work ahead would cost a visitor's share of the GPU."""

    def close(self) -> None:
        """Nothing: the weights stay as long as the process."""


class _Call:
    """One call of the decorated generator, read in a thread of its own so that nobody waits for a cancel."""

    def __init__(self, on_gpu: OnGpu, request: GpuRequest) -> None:
        self._came: queue.SimpleQueue[GpuBatch | BaseException | None] = queue.SimpleQueue()
        self.stopped = False
        # In the caller's context: the platform asks whose request it is.
        context = contextvars.copy_context()
        threading.Thread(
            target=context.run, args=(self._read, on_gpu, request), name="lent", daemon=True
        ).start()

    def take(self) -> tuple[Event, ...] | Scores | None:
        """The next batch; None where there is no more, or the call was stopped.

        Raises:
            PlaygroundError: The work failed, or there is no GPU to be had.
        """
        if self.stopped:
            return None
        came = self._came.get()
        if isinstance(came, Failed):
            raise came.error()
        if isinstance(came, BaseException):
            raise EngineError(f"The GPU could not be used: {came}.") from came
        return came

    def stop(self) -> None:
        """Wait no longer; the device's work ends with its next batch."""
        self.stopped = True
        self._came.put(None)

    def _read(self, on_gpu: OnGpu, request: GpuRequest) -> None:
        try:
            batches = on_gpu(request)
            try:
                for batch in batches:
                    if self.stopped:
                        return
                    self._came.put(batch)
            finally:
                close = getattr(batches, "close", None)
                if close is not None:
                    close()
        except Exception as error:  # noqa: BLE001  (handed to who waits; the platform raises its own kinds)
            self._came.put(error)
        finally:
            self._came.put(None)
