"""What the platform's package does to a decorated generator on ZeroGPU, as far as it can be seen without one.

Off the platform the real package returns the function unchanged. On it, each call is run by a forked process:
arguments and what is yielded are pickled through pipes, the generator runs in a thread of that process, a
caller that closes its side has the generator closed behind its next step, and nothing else crosses. Each call
is noted as a line of JSON in the file that SPACES_LOG names.
"""

from __future__ import annotations

import inspect
import json
import multiprocessing
import os
import pickle
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from functools import partial, wraps
from multiprocessing.connection import Connection
from typing import Any

_FORK = multiprocessing.get_context("fork")
_Task = Callable[..., Iterator[Any]]


def GPU(task: _Task | None = None, *, duration: int = 60) -> Any:
    """The decorator: of a generator, never of an async function."""
    if task is None:
        return partial(GPU, duration=duration)
    assert inspect.isgeneratorfunction(task), "only plain functions and generators are taken"

    @wraps(task)
    def lent(*arguments: object) -> Iterator[Any]:
        here, there = _FORK.Pipe()
        stopped = _FORK.Event()
        began = time.monotonic()
        process = _FORK.Process(target=_serve, args=(task, there, stopped), daemon=True)
        process.start()
        there.close()
        steps = 0
        try:
            here.send_bytes(pickle.dumps(arguments))
            while True:
                kind, value = pickle.loads(here.recv_bytes())
                if kind == "end":
                    return
                if kind == "failed":
                    raise RuntimeError(f"ZeroGPU worker error: {value}")
                steps += 1
                yield value
        except EOFError:
            raise RuntimeError("GPU task aborted") from None
        except GeneratorExit:
            stopped.set()
            raise
        finally:
            while process.is_alive() and here.poll(5):  # what it still says is for nobody
                try:
                    here.recv_bytes()
                except EOFError:
                    break
            process.join(5)
            _note(
                parent=os.getpid(),
                child=process.pid,
                steps=steps,
                stopped=stopped.is_set(),
                exit=process.exitcode,
                s=time.monotonic() - began,
            )

    return lent


def _serve(task: _Task, pipe: Connection, stopped: Any) -> None:
    arguments = pickle.loads(pipe.recv_bytes())

    def run() -> None:
        steps = task(*arguments)
        try:
            for value in steps:
                if stopped.is_set():
                    steps.close()  # type: ignore[attr-defined]
                    break
                pipe.send_bytes(pickle.dumps(("value", value)))
        except Exception as error:  # noqa: BLE001
            pipe.send_bytes(pickle.dumps(("failed", type(error).__name__)))
            return
        pipe.send_bytes(pickle.dumps(("end", None)))

    with ThreadPoolExecutor(1) as pool:
        pool.submit(run).result()
    pipe.close()
    os._exit(0)


def _note(**values: object) -> None:
    if log := os.environ.get("SPACES_LOG"):
        with open(log, "a", encoding="utf-8") as file:
            file.write(json.dumps(values) + "\n")
