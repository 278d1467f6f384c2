"""The worker process: one engine, asked over a pipe. Started by ``client`` as ``python -m`` this module.

Runs any engine; knows no model. It ends when its stdin does, and so never outlives whoever started it.
Native code may print what it likes: file descriptor 1 is turned into stderr before anything is loaded.
"""

from __future__ import annotations

import os
import signal
import sys
import threading
from collections.abc import Callable
from typing import BinaryIO

import msgspec

from playground.engines.base import Cancel, Delta, Engine
from playground.engines.cores import Threaded
from playground.engines.protocol import (
    CancelCall,
    Detokenize,
    Done,
    Ended,
    Failed,
    FrameWriter,
    Generate,
    Ids,
    Load,
    Loaded,
    Loading,
    Progressed,
    Request,
    Score,
    Scored,
    SetThreads,
    Text,
    Tokenize,
    TokenSizes,
    Warm,
    read_frame,
)


def main() -> None:
    """Serve one engine over stdin and stdout until stdin ends."""
    # Ctrl-C in a terminal reaches the whole group; the parent decides what it means.
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    pipe_in, pipe_out = _take_pipes()
    try:
        Worker(pipe_in, pipe_out).serve()
    finally:
        # Threads may be inside native code; there is nothing left to be saved.
        os._exit(0)


def _take_pipes() -> tuple[BinaryIO, BinaryIO]:
    """The pipes to the parent, with the standard descriptors pointed elsewhere."""
    if sys.platform == "win32":
        import msvcrt

        msvcrt.setmode(0, os.O_BINARY)
        msvcrt.setmode(1, os.O_BINARY)
    pipe_in, pipe_out = os.dup(0), os.dup(1)
    nothing = os.open(os.devnull, os.O_RDONLY)
    os.dup2(nothing, 0)
    os.close(nothing)
    os.dup2(2, 1)
    return os.fdopen(pipe_in, "rb"), os.fdopen(pipe_out, "wb")


class Worker:
    """Reads requests, and answers each in a thread of its own where it may take time."""

    def __init__(self, pipe_in: BinaryIO, pipe_out: BinaryIO) -> None:
        self._in = pipe_in
        self._out = FrameWriter(pipe_out)
        self._decoder = msgspec.msgpack.Decoder(Request)
        self._cancels: dict[int, Cancel] = {}
        self._lock = threading.Lock()

    def serve(self) -> None:
        """Load, then answer until the pipe ends."""
        first = self._next()
        if not isinstance(first, Load):
            return
        try:
            engine = self._open(first)
        except Exception as error:  # noqa: BLE001  whatever it is, the parent must hear of it
            self._out.write(Failed.of(0, error))
            return
        self._out.write(Loaded(engine.info))
        while (request := self._next()) is not None:
            self._answer(engine, request)

    def _open(self, load: Load) -> Engine:
        # Here and not above: what an engine imports is paid for by its process alone.
        from playground.engines.load import open_in_process

        def report(fraction: float) -> None:
            self._out.write(Loading(fraction))

        return open_in_process(load.spec, progress=report, die=die)

    def _next(self) -> Request | None:
        frame = read_frame(self._in)
        if frame is None:
            return None
        request: Request = self._decoder.decode(frame)
        return request

    def _answer(self, engine: Engine, request: Request) -> None:
        match request:
            case CancelCall():
                with self._lock:
                    cancel = self._cancels.get(request.call)
                if cancel is not None:
                    cancel.set()
            case Tokenize():
                # In this thread: it takes no longer than starting one.
                self._guarded(
                    request.call,
                    lambda: self._out.write(
                        Ids(request.call, engine.tokenize(request.pieces, add_bos=request.add_bos))
                    ),
                )
            case Detokenize():
                self._guarded(
                    request.call,
                    lambda: self._out.write(Text(request.call, engine.detokenize(request.ids))),
                )
            case TokenSizes():
                self._guarded(
                    request.call,
                    lambda: self._out.write(Ids(request.call, engine.token_sizes(request.ids))),
                )
            case Generate() | Score() | Warm():
                cancel = Cancel()
                with self._lock:
                    self._cancels[request.call] = cancel
                threading.Thread(
                    target=self._run, args=(engine, request, cancel), name=f"call-{request.call}", daemon=True
                ).start()
            case SetThreads():
                if isinstance(engine, Threaded):
                    engine.set_threads(request.count)
            case Load():
                self._out.write(Failed(0, "EngineError", "The worker has a model already."))

    def _run(self, engine: Engine, request: Generate | Score | Warm, cancel: Cancel) -> None:
        def work() -> None:
            if isinstance(request, Generate):
                for event in engine.generate(request.requests, cancel=cancel):
                    if isinstance(event, Delta):
                        self._out.write(Progressed(request.call, event))
                    else:
                        self._out.write(Ended(request.call, event))
                self._out.write(Done(request.call))
            elif isinstance(request, Score):
                scores = engine.score(
                    request.context,
                    request.target,
                    top=request.top,
                    full=request.full,
                    exact=request.exact,
                    cancel=cancel,
                )
                self._out.write(Scored.of(request.call, scores))
            else:
                engine.warm(request.pieces, cancel=cancel)
                self._out.write(Done(request.call))

        try:
            self._guarded(request.call, work)
        finally:
            with self._lock:
                self._cancels.pop(request.call, None)

    def _guarded(self, call: int, work: Callable[[], None]) -> None:
        try:
            work()
        except OSError:
            os._exit(0)  # the parent is gone, or its pipe is: there is nobody to work for
        except Exception as error:  # noqa: BLE001  one call's failure is not the worker's
            self._out.write(Failed.of(call, error))


def die() -> None:
    """End this process as a crash would; what a fake engine's script may ask for."""
    os.kill(os.getpid(), signal.SIGTERM if sys.platform == "win32" else signal.SIGKILL)


if __name__ == "__main__":
    main()
