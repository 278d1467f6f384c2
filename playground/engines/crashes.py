"""Says how a process ended: from its exit code, its last lines, and what the system counted.

Every sentence states what was observed. Only evidence names a cause: a signal, a line of the log, or the
kernel's count of processes that it killed for want of memory.
"""

from __future__ import annotations

import signal
import sys
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

Cause = Literal[
    "illegal instruction", "killed", "memory", "abort", "segmentation fault", "bus error", "signal",
    "exit", "closed", "time-out",
]  # fmt: skip

ILLEGAL_INSTRUCTION: Cause = "illegal instruction"
# NTSTATUS values that Windows gives in place of signals (ntstatus.h).
_WINDOWS: dict[int, Cause] = {
    0xC000001D: "illegal instruction",
    0xC0000005: "segmentation fault",
    0xC0000409: "abort",
    0xC0000017: "memory",
}
_SIGNALS: dict[str, Cause] = {
    "SIGILL": "illegal instruction",
    "SIGKILL": "killed",
    "SIGABRT": "abort",
    "SIGSEGV": "segmentation fault",
    "SIGBUS": "bus error",
}
_MEMORY_WORDS = ("bad_alloc", "memoryerror", "out of memory", "cannot allocate memory", "failed to allocate")
_LONGEST_LINE = 300


@dataclass(frozen=True, slots=True)
class MemoryFacts:
    """What is known of memory around a process.

    Attributes:
        weights_bytes: Size of the model's weights on disk; 0: not known.
        free_bytes: Free when the process started; None: the system does not say.
        oom_kills: The kernel's count of processes killed for memory at that time; None: not counted here.
    """

    weights_bytes: int = 0
    free_bytes: int | None = None
    oom_kills: int | None = None


@dataclass(frozen=True, slots=True)
class Crash:
    """How a process ended, and the sentence that says so to a person."""

    cause: Cause
    sentence: str
    name: str = ""
    """The signal or exit code: ``SIGILL``, ``exit code 3``."""


def oom_kills() -> int | None:
    """Processes that Linux has killed since it started because memory ran out (``/proc/vmstat``)."""
    try:
        text = Path("/proc/vmstat").read_text(encoding="ascii")
        return next(int(line.split()[1]) for line in text.splitlines() if line.startswith("oom_kill "))
    except (OSError, StopIteration, ValueError, IndexError):
        return None


def out_of_memory(text: str) -> bool:
    """Whether a message of a library says that memory could not be had."""
    lowered = text.lower()
    return any(word in lowered for word in _MEMORY_WORDS)


def explain(
    code: int | None,
    lines: Sequence[str] = (),
    *,
    memory: MemoryFacts = MemoryFacts(),
    native: str = "llama.cpp",
) -> Crash:
    """How the model's process ended.

    Args:
        code: Its exit code, negative for a signal; None: it has not ended.
        lines: Its last lines on stderr.
        memory: What was known when it started.
        native: The library that the model runs on.
    """
    if code is None:
        return Crash(
            "closed", "The model's process closed its connection without ending; it was ended from here."
        )
    last = _last_line(lines)
    cause, name = _cause(code)
    if cause in ("abort", "exit") and any(out_of_memory(line) for line in lines):
        cause = "memory"
    if cause == "killed" and _kernel_killed(memory):
        cause = "memory"
    match cause:
        case "illegal instruction":
            said = (
                f"{native} executed an instruction that this CPU does not run ({name}). "
                "Run `playground doctor`: it tests this build and says how to rebuild it."
            )
        case "memory":
            said = f"The model's process ran out of memory ({name}).{_figures(memory)}{_LESS_MEMORY}"
        case "killed":
            who = (
                "; the system does this when memory runs out, and so can another program"
                if memory.oom_kills is None
                else " by another program; the system counted no kill for lack of memory"
            )
            said = f"The model's process was killed ({name}){who}.{_figures(memory)}"
        case "abort":
            said = f"{native} stopped itself ({name}){f': {last}' if last else ', without a message'}."
        case "segmentation fault":
            said = (
                f"{native} crashed with an invalid memory access ({name})"
                f"{f'; its last message was: {last}' if last else ''}."
            )
        case "bus error":
            said = (
                f"The system could not read a part of the model file that was mapped into memory ({name}). "
                "Check that the file is complete and its disk is reachable."
            )
        case "signal":
            said = f"The model's process was ended by {name}."
        case _:
            said = f"The model's process ended with {name}{f': {last}' if last else ''}."
    return Crash(cause, said, name)


_LESS_MEMORY = " Choose a smaller model or a smaller n_ctx, or unload another model."


def time_out(seconds: float, doing: str) -> Crash:
    """What is said where a process took longer than it may."""
    return Crash(
        "time-out", f"The model's process did not finish {doing} within {seconds:g} s and was ended."
    )


def _cause(code: int) -> tuple[Cause, str]:
    """The cause that an exit code names, and the code's own name."""
    if code < 0:
        try:
            name = signal.Signals(-code).name
        except ValueError:
            name = f"signal {-code}"
        return _SIGNALS.get(name, "signal"), name
    unsigned = code & 0xFFFFFFFF
    if sys.platform == "win32" or unsigned >= 0xC0000000:
        known = _WINDOWS.get(unsigned)
        if known is not None:
            return known, f"0x{unsigned:08X}"
    return "exit", f"exit code {code}"


def _kernel_killed(memory: MemoryFacts) -> bool:
    now = oom_kills()
    return now is not None and memory.oom_kills is not None and now > memory.oom_kills


def _figures(memory: MemoryFacts) -> str:
    parts = []
    if memory.weights_bytes:
        parts.append(f"its weights take {memory.weights_bytes / 1e9:.1f} GB, its context comes on top")
    if memory.free_bytes is not None:
        parts.append(f"{memory.free_bytes / 1e9:.1f} GB was free when it started")
    said = "; ".join(parts)
    return f" {said[0].upper()}{said[1:]}." if said else ""


def _last_line(lines: Sequence[str]) -> str:
    """The line that says most: an assertion or an error, else the last one; without its dot."""
    texts = [" ".join(line.split()) for line in lines if line.strip()]
    telling = [text for text in texts if any(word in text.lower() for word in ("assert", "error", "what():"))]
    return (telling or texts or [""])[-1][:_LONGEST_LINE].rstrip(".")
