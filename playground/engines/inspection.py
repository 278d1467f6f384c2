"""Reads what a GGUF says of itself in a throw-away process, within limits of time and memory.

A file that somebody else made may be anything. What comes back is a checked value; the process that parsed
the file is gone. Run as ``python -m`` this module, asked over stdin.
"""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import tempfile
import threading
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import replace
from pathlib import Path
from typing import IO

import msgspec

import playground
from playground.engines.crashes import Crash, explain, time_out
from playground.engines.estimate import MemoryEstimate, estimate_memory
from playground.engines.llamacpp.gguf_header import GgufHeader, read_header
from playground.engines.spec import EngineSpec
from playground.errors import EngineMissingError, ModelLoadError, PlaygroundError

LONGEST_S = 60.0
_CPU_S = 20
_MEMORY_BYTES = 2 << 30
# What a header with many tensors and a long chat template comes to, many times over.
_LONGEST_ANSWER = 32 << 20


class _Question(msgspec.Struct):
    """What is to be read; with a spec, also what each of these contexts would take."""

    path: str
    spec: EngineSpec | None = None
    contexts: tuple[int, ...] = ()


class _Answer(msgspec.Struct):
    """The header, or why there is none."""

    header: GgufHeader | None = None
    estimates: tuple[MemoryEstimate, ...] = ()
    error: str = ""


def inspect_gguf(path: Path, *, timeout_s: float = LONGEST_S) -> GgufHeader:
    """The checked header of ``path``, read by another process.

    Raises:
        ModelLoadError: It is missing or no usable GGUF, or reading it took more than it may.
    """
    header = _ask(_Question(str(path)), timeout_s).header
    assert header is not None
    return header


def inspect_memory(
    spec: EngineSpec, contexts: Sequence[int] = (), *, timeout_s: float = LONGEST_S
) -> tuple[MemoryEstimate, ...]:
    """What the GGUF of ``spec`` takes once loaded, for each context; for the spec's own where none is named.

    Nothing is loaded: another process asks the library for its figures.

    Raises:
        ModelLoadError: As ``inspect_gguf``.
        EngineMissingError: llama.cpp is not installed.
    """
    return _ask(_Question(spec.path, spec, tuple(contexts)), timeout_s).estimates


def _ask(question: _Question, timeout_s: float) -> _Answer:
    name = Path(question.path).name
    found_in = str(Path(playground.__file__).parent.parent)
    search = os.pathsep.join(filter(None, [os.environ.get("PYTHONPATH"), found_in]))
    words = tempfile.TemporaryFile()  # noqa: SIM115  (closed below, with the process)
    late = threading.Event()
    process = subprocess.Popen(
        [sys.executable, "-m", "playground.engines.inspection"],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=words,
        env={**os.environ, "PYTHONPATH": search, "GGML_NO_BACKTRACE": "1"},
        creationflags=getattr(subprocess, "CREATE_NO_WINDOW", 0),
    )
    assert process.stdin is not None
    assert process.stdout is not None

    def end() -> None:
        late.set()
        process.kill()

    alarm = threading.Timer(timeout_s, end)
    alarm.start()
    try:
        with process.stdout:
            with suppress(OSError), process.stdin:
                process.stdin.write(msgspec.msgpack.encode(question))
            data = process.stdout.read(_LONGEST_ANSWER + 1)
        answer = msgspec.msgpack.decode(data, type=_Answer)
    except msgspec.DecodeError:
        crash = time_out(timeout_s, "reading the header") if late.is_set() else _crash(process, words)
        raise ModelLoadError(f"{name} could not be inspected. {crash.sentence}") from None
    finally:
        alarm.cancel()
        process.kill()
        process.wait()
        words.close()
    if answer.error:
        raise ModelLoadError(answer.error)
    return answer


def _crash(process: subprocess.Popen[bytes], words: IO[bytes]) -> Crash:
    """How the process ended that gave no answer, within its limits of time and memory."""
    try:
        code: int | None = process.wait(2)
    except subprocess.TimeoutExpired:
        code = None
    if code is not None and -code == getattr(signal, "SIGXCPU", None):
        return time_out(_CPU_S, "reading the header")
    words.seek(0)
    lines = words.read().decode("utf-8", "replace").splitlines()[-20:]
    crash = explain(code, lines, native="The GGUF reader")
    if crash.cause != "memory":
        return crash
    said = f"Reading its header took more than the {_MEMORY_BYTES / 1e9:.1f} GB that it may take."
    return replace(crash, sentence=said)


def main() -> None:
    """Answer the question on stdin."""
    pipe_in, pipe_out = os.dup(0), os.dup(1)
    # Native code may print what it likes.
    os.dup2(2, 1)
    with os.fdopen(pipe_in, "rb") as file:
        question = msgspec.msgpack.decode(file.read(), type=_Question)
    _limit()
    try:
        header = read_header(Path(question.path))
        estimates = _estimates(header, question.spec, question.contexts) if question.spec else ()
        answer = _Answer(header, estimates)
    except PlaygroundError as error:
        answer = _Answer(error=str(error))
    except OSError as error:
        answer = _Answer(error=f"{Path(question.path).name} cannot be read: {error.strerror}.")
    with os.fdopen(pipe_out, "wb") as file:
        file.write(msgspec.msgpack.encode(answer))


def _estimates(header: GgufHeader, spec: EngineSpec, contexts: Sequence[int]) -> tuple[MemoryEstimate, ...]:
    try:
        from playground.engines.llamacpp import plan, selftest
        from playground.engines.llamacpp.native import lib
        from playground.engines.llamacpp.simulation import simulate
    except ImportError as error:
        raise EngineMissingError(
            "llama.cpp is not installed; install it with: pip install llama-cpp-python"
        ) from error
    path = Path(spec.path)
    specs = [replace(spec, n_ctx=n) for n in contexts] or [spec]
    sizes = [plan.choose_n_ctx(one, header) for one in specs]
    tuning = plan.expected_tuning(spec, path, header)
    layouts = [plan.layout(one, header, n, tuning) for one, n in zip(specs, sizes, strict=True)]
    gpu_layers = 0
    if lib.llama_supports_gpu_offload():
        gpu_layers = header.number("block_count") + 1 if spec.n_gpu_layers is None else spec.n_gpu_layers
    native = simulate(
        path,
        layouts,
        n_lanes=spec.n_lanes,
        n_gpu_layers=spec.n_gpu_layers,
        extra_buffers=selftest.chosen(spec),
    )
    return tuple(
        estimate_memory(
            header,
            taken,
            n_ctx=n,
            n_cells=layout.n_cells,
            logits_rows=layout.n_batch - layout.n_seqs,
            n_gpu_layers=gpu_layers,
        )
        for taken, n, layout in zip(native, sizes, layouts, strict=True)
    )


def _limit() -> None:
    """Have the system end this process where it takes too much; Windows has the parent's clock alone."""
    with suppress(ImportError, ValueError, OSError):
        import resource

        resource.setrlimit(resource.RLIMIT_CPU, (_CPU_S, _CPU_S))
        # Not the address space: the file itself is mapped, whatever its size.
        resource.setrlimit(resource.RLIMIT_DATA, (_MEMORY_BYTES, _MEMORY_BYTES))


if __name__ == "__main__":
    main()
