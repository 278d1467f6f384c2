"""The engine interface over a worker process: what was loaded there, asked from here, by several threads.

When the process dies, every open generation ends with an error event within a second, what was written
stands, and the next call starts the process and loads the model again.
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator, Sequence
from contextlib import AbstractContextManager, nullcontext, suppress
from typing import TypeVar

from playground.engines.base import (
    Cancel,
    EngineInfo,
    Event,
    Finished,
    GenerateRequest,
    Scores,
)
from playground.engines.connection import Channel, Connection
from playground.engines.cores import CoreShare
from playground.engines.protocol import (
    Answer,
    CancelCall,
    Detokenize,
    Done,
    Ended,
    Failed,
    Generate,
    Ids,
    Progressed,
    Score,
    Scored,
    SetThreads,
    Text,
    Tokenize,
    TokenSizes,
    Warm,
)
from playground.engines.spec import EngineSpec
from playground.errors import EngineDiedError, EngineError
from playground.types import Piece, Usage

_Answer = TypeVar("_Answer", bound=Answer)


class WorkerEngine:
    """An engine in a process of its own.

    Args:
        spec: What to load there.
        progress: Called with the fraction loaded, 0 to 1, from the reading thread.
        cores: Shared with other engines while this one is at work.
        cancel: Ends loading.

    Raises:
        ModelLoadError, EngineMissingError: As the engine itself; also when loading killed the process.
    """

    def __init__(
        self,
        spec: EngineSpec,
        *,
        progress: Callable[[float], None] | None = None,
        cores: CoreShare | None = None,
        cancel: Cancel | None = None,
    ) -> None:
        self._cores = cores
        self._threads: int | None = None
        self._spec = spec
        self._progress = progress
        self._lock = threading.Lock()
        self._closed = False
        self._connection: Connection | None = None
        self._info = self._connect(cancel).info

    @property
    def info(self) -> EngineInfo:
        """What was loaded."""
        return self._info

    @property
    def alive(self) -> bool:
        """Whether the process runs with its model loaded."""
        connection = self._connection
        return connection is not None and connection.alive

    @property
    def pid(self) -> int | None:
        """The worker's process id, or None while there is none."""
        connection = self._connection
        return connection.pid if connection is not None and connection.alive else None

    def tokenize(self, pieces: Sequence[Piece], *, add_bos: bool = True) -> list[int]:
        """Token ids of the pieces joined; answered while the model is busy."""
        with self._connect().channel() as channel:
            channel.send(Tokenize(channel.number, tuple(pieces), add_bos))
            return _expect(channel, Ids).ids

    def detokenize(self, ids: Sequence[int]) -> bytes:
        """The bytes of the ids joined."""
        with self._connect().channel() as channel:
            channel.send(Detokenize(channel.number, tuple(ids)))
            return _expect(channel, Text).data

    def token_sizes(self, ids: Sequence[int]) -> list[int]:
        """How many bytes each id stands for."""
        with self._connect().channel() as channel:
            channel.send(TokenSizes(channel.number, tuple(ids)))
            return _expect(channel, Ids).ids

    def generate(
        self, requests: Sequence[GenerateRequest], *, cancel: Cancel | None = None
    ) -> Iterator[Event]:
        """Continue each request; see ``Engine.generate``. Work begins with the first ``next``."""
        # Tokens received by each sample that has not ended.
        open_samples = {
            (index, sample): 0 for index, request in enumerate(requests) for sample in range(request.n)
        }
        if cancel is not None and cancel.is_set():
            # Sent after the request, the word might come too late for what ends quickly.
            for index, sample in open_samples:
                seed = (requests[index].sampling.seed or 0) + sample
                yield Finished(index, sample, "cancelled", Usage(), seed)
            return
        with self._busy(), self._connect().channel() as channel:
            try:
                channel.send(Generate(channel.number, tuple(requests)))
                with _CancelPassedOn(channel, cancel):
                    for answer in channel.answers():
                        if isinstance(answer, Progressed):
                            event = answer.event
                            open_samples[event.request, event.sample] += len(event.tokens)
                            yield event
                        elif isinstance(answer, Ended):
                            del open_samples[answer.event.request, answer.event.sample]
                            yield answer.event
                        elif isinstance(answer, Failed):
                            raise answer.error()
                        elif isinstance(answer, Done):
                            return
            except EngineError as error:
                # Also where the process died: what was written stands, and this says why no more comes.
                while open_samples:
                    (index, sample), count = open_samples.popitem()
                    usage = Usage(completion_tokens=count)
                    yield Finished(index, sample, "error", usage, error=str(error))
            finally:
                if open_samples:
                    channel.try_send(CancelCall(channel.number))

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
        with self._busy(), self._connect().channel() as channel:
            channel.send(Score(channel.number, tuple(context), tuple(target), top, full, exact))
            with _CancelPassedOn(channel, cancel):
                return _expect(channel, Scored).scores(self._info.n_vocab)

    def warm(self, pieces: Sequence[Piece], *, cancel: Cancel | None = None) -> None:
        """Compute a prefix while nothing else is to be done; a worker that is not running stays so."""
        connection = self._connection
        if connection is None or not connection.alive:
            return
        with connection.channel() as channel:
            channel.send(Warm(channel.number, tuple(pieces)))
            with _CancelPassedOn(channel, cancel):
                _expect(channel, Done)

    def set_threads(self, count: int) -> None:
        """Use this many threads from the next step on, and after a restart."""
        self._threads = count
        connection = self._connection
        if connection is not None:
            with suppress(EngineDiedError):
                connection.send(SetThreads(count))

    def close(self) -> None:
        """End the process, which gives the memory back; again does nothing."""
        with self._lock:
            self._closed = True
            connection, self._connection = self._connection, None
        if connection is not None:
            connection.close()

    def _busy(self) -> AbstractContextManager[None]:
        return self._cores.busy(self) if self._cores is not None else nullcontext()

    def _connect(self, cancel: Cancel | None = None) -> Connection:
        """The running worker; started, and its model loaded, where there is none."""
        with self._lock:
            if self._closed:
                raise EngineError("The model was closed; open it again.")
            if self._connection is None or not self._connection.alive:
                if self._connection is not None:
                    self._connection.close()
                self._connection = None
                self._connection = Connection(self._spec, self._progress, cancel)
                if self._threads is not None:
                    self._connection.send(SetThreads(self._threads))
            return self._connection


class _CancelPassedOn:
    """While the block runs, a set ``cancel`` is passed on to the worker."""

    def __init__(self, channel: Channel, cancel: Cancel | None) -> None:
        self._channel = channel
        self._cancel = cancel
        self._forget: Callable[[], None] | None = None

    def __enter__(self) -> None:
        if self._cancel is not None:
            channel = self._channel
            self._forget = self._cancel.on_set(lambda: channel.try_send(CancelCall(channel.number)))

    def __exit__(self, *_: object) -> None:
        if self._forget is not None:
            self._forget()


def _expect(channel: Channel, kind: type[_Answer]) -> _Answer:
    """The one answer of a call.

    Raises:
        PlaygroundError: The engine's own error, or ``EngineDiedError``.
    """
    for answer in channel.answers():
        if isinstance(answer, Failed):
            raise answer.error()
        if isinstance(answer, kind):
            return answer
    raise EngineDiedError("The model's process ended without an answer. The next message loads it again.")
