"""The engine interface over a worker process: what was loaded there, asked from here, by several threads.

When the process dies, every open generation ends with an error event within a second, what was written
stands, and the next call starts the process and loads the model again.
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator, Sequence
from contextlib import AbstractContextManager, nullcontext, suppress
from dataclasses import replace
from typing import Protocol, TypeVar

from playground.engines.base import (
    Cancel,
    EngineInfo,
    Event,
    Finished,
    GenerateRequest,
    Scores,
)
from playground.engines.connection import MOST_DEATHS, Channel, Connection, LoadCrashError
from playground.engines.cores import CoreShare
from playground.engines.crashes import ILLEGAL_INSTRUCTION, Crash
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
    unsendable,
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
        repair: What to change in the spec where the process died of an illegal instruction.
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
        repair: Repair | None = None,
    ) -> None:
        self._cores = cores
        self._repair = repair
        self._deaths = 0
        self._unproven = False
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
    def gave_up(self) -> bool:
        """Whether the process died so often in a row that no call starts it again."""
        return self._deaths_in_a_row() >= MOST_DEATHS

    @property
    def death(self) -> str:
        """How the process ended, as a sentence; empty while it runs."""
        connection = self._connection
        return "" if connection is None or connection.alive else connection.epitaph()

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
        # A request that cannot be sent is that request's error; the others are sent without it.
        sent = []
        for index, request in enumerate(requests):
            refusal = unsendable(request)
            if refusal is None:
                sent.append(index)
                continue
            for sample in range(request.n):
                del open_samples[index, sample]
                seed = (request.sampling.seed or 0) + sample
                yield Finished(index, sample, "error", Usage(), seed, error=refusal)
        if not open_samples:
            return
        with self._busy(), self._connect().channel() as channel:
            try:
                channel.send(Generate(channel.number, tuple(requests[index] for index in sent)))
                with _CancelPassedOn(channel, cancel):
                    for answer in channel.answers():
                        if isinstance(answer, Progressed):
                            delta = answer.event
                            if delta.request != sent[delta.request]:
                                delta = replace(delta, request=sent[delta.request])
                            open_samples[delta.request, delta.sample] += len(delta.tokens)
                            yield delta
                        elif isinstance(answer, Ended):
                            end = answer.event
                            if end.request != sent[end.request]:
                                end = replace(end, request=sent[end.request])
                            del open_samples[end.request, end.sample]
                            yield end
                        elif isinstance(answer, Failed):
                            raise answer.error()
                        elif isinstance(answer, Done):
                            self._answered()
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
                scored = _expect(channel, Scored)
            self._answered()
            return scored.scores(self._info.n_vocab)

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
                if self.gave_up:
                    raise EngineDiedError(self.death)
                if self._connection is not None:
                    self._deaths += 1
                    self._mend(self._connection.crash())
                    self._connection.close()
                self._connection = None
                self._connection = self._load(cancel)
                if self._threads is not None:
                    self._connection.send(SetThreads(self._threads))
            return self._connection

    def _load(self, cancel: Cancel | None) -> Connection:
        """A worker with its model loaded; after an illegal instruction, once more with what repairs it."""
        try:
            return Connection(self._spec, self._progress, cancel, deaths=self._deaths)
        except LoadCrashError as error:
            if not self._mend(error.crash):
                raise
            return Connection(self._spec, self._progress, cancel, deaths=self._deaths)

    def _mend(self, crash: Crash) -> bool:
        """Change the spec where that may help after such a crash; whether it was changed."""
        if self._repair is None or crash.cause != ILLEGAL_INSTRUCTION:
            return False
        repaired = self._repair.changed(self._spec)
        if repaired is None:
            return False
        self._spec, self._unproven = repaired, True
        return True

    def _answered(self) -> None:
        """The process has done what it was asked: earlier deaths no longer count."""
        self._deaths = 0
        connection = self._connection
        if connection is not None:
            connection.deaths = 0
        if self._unproven and self._repair is not None:
            self._unproven = False
            self._repair.worked(self._spec)

    def _deaths_in_a_row(self) -> int:
        connection = self._connection
        return self._deaths + (connection is not None and not connection.alive)


class Repair(Protocol):
    """What an engine offers where its native code meets an instruction that the CPU does not run."""

    def changed(self, spec: EngineSpec) -> EngineSpec | None:
        """The spec with what may help; None where nothing is left to be tried."""
        ...

    def worked(self, spec: EngineSpec) -> None:
        """A model that had crashed has answered with ``spec``; remember it."""
        ...


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
    raise EngineDiedError("The model's process ended its answers early. The next message loads it again.")
