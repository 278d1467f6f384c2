"""Reads what a GGUF says of itself in a throw-away process, within limits of time and memory.

A file that somebody else made may be anything. What comes back is a checked value; the process that parsed
the file is gone. Run by ``inspect_gguf`` as ``python -m`` this module with the path as its argument.
"""

from __future__ import annotations

import os
import subprocess
import sys
import threading
from contextlib import suppress
from pathlib import Path

import msgspec

import playground
from playground.engines.llamacpp.gguf_header import GgufHeader, read_header
from playground.errors import ModelLoadError, PlaygroundError

_LONGEST_S = 30.0
_CPU_S = 20
_MEMORY_BYTES = 2 << 30
# What a header with many tensors and a long chat template comes to, many times over.
_LONGEST_ANSWER = 32 << 20


class _Answer(msgspec.Struct):
    """The header, or why there is none."""

    header: GgufHeader | None = None
    error: str = ""


def inspect_gguf(path: Path, *, timeout_s: float = _LONGEST_S) -> GgufHeader:
    """The checked header of ``path``, read by another process.

    Raises:
        ModelLoadError: It is missing or no usable GGUF, or reading it took more than it may.
    """
    too_much = ModelLoadError(
        f"{path.name} is not a usable GGUF model: reading what it says of itself took more time or "
        "memory than any model's does. Download or convert it again."
    )
    found_in = str(Path(playground.__file__).parent.parent)
    search = os.pathsep.join(filter(None, [os.environ.get("PYTHONPATH"), found_in]))
    process = subprocess.Popen(
        [sys.executable, "-m", "playground.engines.inspection", str(path)],
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
        env={**os.environ, "PYTHONPATH": search},
        creationflags=getattr(subprocess, "CREATE_NO_WINDOW", 0),
    )
    assert process.stdout is not None
    alarm = threading.Timer(timeout_s, process.kill)
    alarm.start()
    try:
        with process.stdout:
            data = process.stdout.read(_LONGEST_ANSWER + 1)
    finally:
        alarm.cancel()
        process.kill()
        process.wait()
    try:
        answer = msgspec.msgpack.decode(data, type=_Answer)
    except msgspec.DecodeError:
        raise too_much from None
    if answer.header is None:
        raise ModelLoadError(answer.error)
    return answer.header


def main() -> None:
    """Print the header of the file that is named on the command line."""
    _limit()
    try:
        answer = _Answer(read_header(Path(sys.argv[1])))
    except PlaygroundError as error:
        answer = _Answer(error=str(error))
    except OSError as error:
        answer = _Answer(error=f"{Path(sys.argv[1]).name} cannot be read: {error.strerror}.")
    sys.stdout.buffer.write(msgspec.msgpack.encode(answer))


def _limit() -> None:
    """Have the system end this process where it takes too much; Windows has the parent's clock alone."""
    with suppress(ImportError, ValueError, OSError):
        import resource

        resource.setrlimit(resource.RLIMIT_CPU, (_CPU_S, _CPU_S))
        # Not the address space: the file itself is mapped, whatever its size.
        resource.setrlimit(resource.RLIMIT_DATA, (_MEMORY_BYTES, _MEMORY_BYTES))


if __name__ == "__main__":
    main()
