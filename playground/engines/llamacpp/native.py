"""The one door to the native library: its functions, its log, and views of its memory.

``lib`` is ``llama_cpp.llama_cpp``: ctypes functions whose annotations a type checker cannot use, hence Any.
"""

from __future__ import annotations

import ctypes
import sys
import threading
from collections import deque
from importlib import metadata
from typing import Any, Final

import llama_cpp.llama_cpp as _llama_cpp
import numpy as np

from playground.engines.arrays import FloatArray
from playground.engines.arrays import IntArray as IntArray
from playground.errors import EngineError

lib: Final[Any] = _llama_cpp


def library_version() -> str:
    """The version of the bindings, and with it that of the native library."""
    return metadata.version("llama-cpp-python")


def read_whole_file(params: Any) -> None:
    """Have a model read into memory at once, not mapped; llama-cpp-python 0.3.35 renamed the parameter."""
    if hasattr(lib, "LLAMA_LOAD_MODE_NONE"):
        params.load_mode = lib.LLAMA_LOAD_MODE_NONE
    else:
        params.use_mmap = False


class NativeLog:
    """The library's last log lines, kept for error messages instead of printed.

    One for the process, because the library has one log. Lines come from any native thread.
    """

    def __init__(self) -> None:
        self._lines: deque[str] = deque(maxlen=4000)
        self._part = ""
        self._lock = threading.Lock()
        self._started = False
        # The library keeps only the address: the object must outlive every call.
        self._callback = lib.llama_log_callback(self._take)

    def start(self) -> None:
        """Send the library's log here, and initialise the library; again does nothing."""
        with self._lock:
            if self._started:
                return
            self._started = True
        lib.llama_log_set(self._callback, None)
        lib.llama_backend_init()

    def mark(self) -> None:
        """Forget what was logged so far, before work whose failure is to be explained."""
        with self._lock:
            self._lines.clear()

    def lines(self) -> list[str]:
        """What was logged since the mark, as far as it is kept."""
        with self._lock:
            return list(self._lines)

    def reason(self) -> str:
        """The line that best explains a failure, or an empty text."""
        errors = [line for line in self.lines() if "error" in line.lower() or "fail" in line.lower()]
        if not errors:
            return ""
        # The first line says what was wrong; those after it only pass the failure on.
        text = errors[0]
        for prefix in ("llama_model_load:", "error loading model:", "llama_model_loader:"):
            text = text.replace(prefix, "")
        return " ".join(text.split()).strip(" .:")

    def _take(self, level: int, text: bytes, _data: object) -> None:
        with self._lock:
            self._part += text.decode("utf-8", "replace")
            *lines, self._part = self._part.split("\n")
            self._lines.extend(line for line in lines if line.strip(" ."))


log: Final = NativeLog()


class AbortFlag:
    """Ends native work from any thread without running Python in it.

    The library asks a C function between graph nodes whether to go on; ``strlen`` over a two-byte buffer
    answers 1 or 0, so that one written byte is enough.
    """

    def __init__(self) -> None:
        self._buffer = ctypes.create_string_buffer(2)
        c = ctypes.cdll.msvcrt if sys.platform == "win32" else ctypes.CDLL(None)
        self._function = ctypes.cast(c.strlen, lib.ggml_abort_callback)

    def attach(self, context: object) -> None:
        """Have ``context`` ask this flag while it computes."""
        lib.llama_set_abort_callback(context, self._function, ctypes.addressof(self._buffer))

    def set(self) -> None:
        """Stop the native work in progress, and any that starts before ``clear``."""
        self._buffer[0] = b"\x01"

    def clear(self) -> None:
        """Allow work again."""
        self._buffer[0] = b"\x00"


def floats_at(address: int, rows: int, columns: int) -> FloatArray:
    """``[rows, columns]`` floats of native memory, without a copy; valid while the memory is."""
    if not address:
        raise EngineError("The native library returned no logits; this is a bug, please report it.")
    memory: Any = (ctypes.c_float * (rows * columns)).from_address(address)
    view: FloatArray = np.frombuffer(memory, dtype=np.float32).reshape(rows, columns)
    return view
