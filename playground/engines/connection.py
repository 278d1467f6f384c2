"""A running worker process: starting it, talking to it, noticing that it died, and leaving none behind."""

from __future__ import annotations

import contextlib
import itertools
import os
import subprocess
import sys
import threading
import weakref
from collections import deque
from collections.abc import Callable, Iterator
from pathlib import Path
from queue import SimpleQueue
from typing import Final, Self

import msgspec

import playground
from playground.engines.base import Cancel, EngineInfo
from playground.engines.crashes import Crash, MemoryFacts, explain, oom_kills
from playground.engines.memory import available_bytes, weights_bytes
from playground.engines.protocol import (
    Answer,
    Failed,
    FrameWriter,
    Load,
    Loaded,
    Loading,
    Request,
    read_frame,
)
from playground.engines.spec import EngineSpec
from playground.errors import EngineDiedError, EngineError, ModelLoadError

_PATIENCE_S = 2.0
MOST_DEATHS = 3
"""A model whose process died so often in a row is not started again by a message."""
_COMMAND: Final = ("-m", "playground.engines.worker")


class Channel:
    """One call's way to the worker and back; a context manager that gives its number back."""

    def __init__(self, connection: Connection, number: int) -> None:
        self._connection = connection
        self.number = number
        self.queue: SimpleQueue[Answer | None] = SimpleQueue()

    def __enter__(self) -> Self:
        """The open channel."""
        return self

    def __exit__(self, *_: object) -> None:
        """Close it: answers that still come are dropped."""
        self._connection.forget(self)

    def send(self, request: Request) -> None:
        """Send a request.

        Raises:
            EngineDiedError: The process is gone.
        """
        self._connection.send(request)

    def try_send(self, request: Request) -> None:
        """Send a request that a dead process need not hear."""
        try:
            self._connection.send(request)
        except EngineDiedError:
            return

    def answers(self) -> Iterator[Answer]:
        """What the worker answers, until the caller has heard enough.

        Raises:
            EngineDiedError: The process died.
        """
        while (answer := self.queue.get()) is not None:
            yield answer
        raise EngineDiedError(self._connection.epitaph())


class LoadCrashError(ModelLoadError):
    """Loading ended the process."""

    def __init__(self, message: str, crash: Crash) -> None:
        super().__init__(message)
        self.crash = crash


class Connection:
    """A worker with its model loaded.

    Args:
        spec: What it loads.
        progress: Called with the fraction loaded.
        cancel: Ends loading, and with it the process; of no more effect once the model is there.
        deaths: How often in a row such a process has died before.

    Raises:
        ModelLoadError: As the engine itself.
        LoadCrashError: Loading ended the process.
        EngineError: Loading was cancelled.
    """

    def __init__(
        self,
        spec: EngineSpec,
        progress: Callable[[float], None] | None,
        cancel: Cancel | None = None,
        *,
        deaths: int = 0,
    ) -> None:
        self.deaths = deaths
        self._native = spec.kind
        self._memory = MemoryFacts(weights_bytes(spec.path), available_bytes(), oom_kills())
        self._progress = progress
        self._numbers = itertools.count(1)
        self._channels: dict[int, Channel] = {}
        self._lock = threading.Lock()
        self._loaded: SimpleQueue[Loaded | Failed | None] = SimpleQueue()
        self._last_words: deque[str] = deque(maxlen=20)
        self._dead = False
        self._closing = False
        self._crash: Crash | None = None
        self._process = _start()
        assert self._process.stdin is not None
        self._writer = FrameWriter(self._process.stdin)  # type: ignore[arg-type]
        # A page that ends without closing its engines must not leave workers: stdin's end tells them, and
        # this is for the case that something else still holds the pipe open.
        self._finalizer = weakref.finalize(self, _end, self._process)
        self._threads = [
            threading.Thread(target=self._read, name="worker-reader", daemon=True),
            threading.Thread(target=self._listen, name="worker-stderr", daemon=True),
        ]
        for thread in self._threads:
            thread.start()
        self.info = self._load(spec, cancel or Cancel())

    def _load(self, spec: EngineSpec, cancel: Cancel) -> EngineInfo:
        forget = cancel.on_set(self._process.kill)
        try:
            self.send(Load(spec))
            answer = self._loaded.get()
        except EngineDiedError:
            answer = None
        except BaseException:
            self.close()
            raise
        finally:
            forget()
        if isinstance(answer, Loaded):
            return answer.info
        if cancel.is_set():
            self.close()
            raise EngineError("Loading was cancelled; ask again to load the model.")
        crash = None if isinstance(answer, Failed) else self.crash()
        self.close()
        if isinstance(answer, Failed):
            raise answer.error()
        assert crash is not None
        name = os.path.basename(spec.path) or spec.kind
        raise LoadCrashError(f"{name} could not be loaded. {crash.sentence}", crash)

    @property
    def pid(self) -> int:
        """The process id."""
        return self._process.pid

    @property
    def alive(self) -> bool:
        """Whether the process runs and its pipe is open."""
        return not self._dead and self._process.poll() is None

    def channel(self) -> Channel:
        """A channel for one call."""
        with self._lock:
            channel = Channel(self, next(self._numbers))
            self._channels[channel.number] = channel
            if self._dead:
                channel.queue.put(None)
        return channel

    def forget(self, channel: Channel) -> None:
        """Drop a call's answers from now on."""
        with self._lock:
            self._channels.pop(channel.number, None)

    def send(self, request: Request) -> None:
        """Send a request; see ``Channel.send``."""
        try:
            self._writer.write(request)
        except (OSError, ValueError):
            raise EngineDiedError(self.epitaph()) from None

    def epitaph(self) -> str:
        """Why the process ended, as a sentence for a person."""
        if self._closing:
            return "The model was closed; open it again."
        said = self.crash().sentence
        if self.deaths + 1 < MOST_DEATHS:
            return f"{said} The next message loads the model again."
        return (
            f"{said} It has ended {self.deaths + 1} times in a row and is not started again by a message: "
            "unload the model and load it again, with other settings, or choose another one."
        )

    def close(self) -> None:
        """End the process and wait for it; again does nothing."""
        # One that died by itself was not closed: whoever still waits for its answers is told how it died.
        self._closing = self._closing or self.alive
        self._finalizer()
        for thread in self._threads:
            if thread is not threading.current_thread():
                thread.join(_PATIENCE_S)

    def crash(self) -> Crash:
        """How the process ended; one that only closed its pipe is ended."""
        if self._crash is None:
            code: int | None
            try:
                code = self._process.wait(_PATIENCE_S)
            except subprocess.TimeoutExpired:
                code = None
                self._process.kill()
            self._threads[1].join(_PATIENCE_S)
            self._crash = explain(code, list(self._last_words), memory=self._memory, native=self._native)
        return self._crash

    def _read(self) -> None:
        """Pass each answer to its call, until the pipe ends."""
        decoder = msgspec.msgpack.Decoder(Answer)
        pipe = self._process.stdout
        assert pipe is not None
        try:
            with pipe:
                while (frame := read_frame(pipe)) is not None:  # type: ignore[arg-type]
                    self._dispatch(decoder.decode(frame))
        except (OSError, ValueError, msgspec.DecodeError):
            pass  # closed under us, or not our protocol: either way the worker is of no more use
        finally:
            self._bury()

    def _dispatch(self, answer: Answer) -> None:
        if isinstance(answer, Loading):
            if self._progress is not None:
                self._progress(answer.fraction)
        elif isinstance(answer, Loaded) or (isinstance(answer, Failed) and answer.call == 0):
            self._loaded.put(answer)
        else:
            with self._lock:
                channel = self._channels.get(answer.call)
            if channel is not None:
                channel.queue.put(answer)

    def _bury(self) -> None:
        """Tell every open call that nothing more comes."""
        with self._lock:
            self._dead = True
            channels = list(self._channels.values())
        self._loaded.put(None)
        for channel in channels:
            channel.queue.put(None)

    def _listen(self) -> None:
        """Keep the last lines of the worker's stderr, for the epitaph."""
        pipe = self._process.stderr
        assert pipe is not None
        with pipe:
            for line in pipe:
                self._last_words.append(line.decode("utf-8", "replace"))


def _start() -> subprocess.Popen[bytes]:
    """The process, with a pipe at each of its ends."""
    # The worker must find this very package, also where it was found beside the script that was started.
    found_in = str(Path(playground.__file__).parent.parent)
    environment = {
        **os.environ,
        "PYTHONPATH": os.pathsep.join(filter(None, [os.environ.get("PYTHONPATH"), found_in])),
        # An abort in native code must end the process, not start a debugger in it.
        "GGML_NO_BACKTRACE": "1",
        "PYTHONUNBUFFERED": "1",
    }
    # A console program must not open a window beside a page without one.
    flags: int = getattr(subprocess, "CREATE_NO_WINDOW", 0)
    return subprocess.Popen(
        [sys.executable, *_COMMAND],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        env=environment,
        creationflags=flags,
    )


def _end(process: subprocess.Popen[bytes]) -> None:
    """Close the pipe, which ends the worker; kill it if it does not go, and always collect it."""
    if process.stdin is not None:
        # Where the worker is dead already, its pipe is broken.
        with contextlib.suppress(OSError):
            process.stdin.close()
    try:
        process.wait(_PATIENCE_S)
    except subprocess.TimeoutExpired:
        process.kill()
        process.wait()
