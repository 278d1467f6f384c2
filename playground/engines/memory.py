"""How much memory is free, and whether a model fits into it, before any of it is taken."""

from __future__ import annotations

import ctypes
import os
import sys
from pathlib import Path

from playground.engines.crashes import out_of_memory

_CGROUP = Path("/sys/fs/cgroup")


def available_bytes() -> int | None:
    """Memory that can be taken without swapping, as far as it can be told; None where it cannot.

    The smaller of what the machine has and what a container's limit leaves.
    """
    if sys.platform == "win32":
        return _windows_available()
    known = [size for size in (_meminfo_available(), _cgroup_left()) if size is not None]
    return min(known) if known else _physical()


def process_bytes(pid: int) -> int | None:
    """What a process holds in memory now; None where the system does not say it in ``/proc``."""
    try:
        pages = int(Path(f"/proc/{pid}/statm").read_text(encoding="ascii").split()[1])
        return pages * os.sysconf("SC_PAGE_SIZE")
    except (AttributeError, OSError, ValueError, IndexError):
        return None


def weights_bytes(path: str) -> int:
    """Size of a model's weights on disk: a file, or the safetensors of a folder; 0 where there are none."""
    place = Path(path)
    try:
        if place.is_dir():
            return sum(file.stat().st_size for file in place.glob("*.safetensors"))
        return place.stat().st_size if path else 0
    except (OSError, ValueError):
        return 0


def load_failure(name: str, reason: str, size_bytes: int) -> str:
    """What to say where a library did not load a file, by the reason that it gave.

    Args:
        name: The file's name.
        reason: The library's words; empty where it gave none.
        size_bytes: Of the weights.
    """
    said = reason or "llama.cpp gave no reason"
    lowered = said.lower()
    if out_of_memory(said) or "mmap" in lowered:
        free = available_bytes()
        known = f", {_gigabytes(free)} is free in this system" if free is not None else ""
        limit = _address_space_limit()
        limited = f", and a limit of {_gigabytes(limit)} is set for each process (ulimit -v)" if limit else ""
        return (
            f"{name} could not be loaded because memory could not be had ({said}): its weights take "
            f"{_gigabytes(size_bytes)}{known}{limited}. Choose a smaller model, or raise the limit."
        )
    if "unknown model architecture" in lowered or "unknown pre-tokenizer" in lowered:
        return (
            f"{name} could not be loaded: {said}. The installed llama.cpp does not know this kind of model; "
            "install a newer one with: pip install --upgrade llama-cpp-python"
        )
    return f"{name} could not be loaded: {said}. Download or convert it again."


def _address_space_limit() -> int | None:
    """Bytes of address space that a process may have, where somebody limited it."""
    try:
        import resource

        soft, _ = resource.getrlimit(resource.RLIMIT_AS)
    except (ImportError, AttributeError, ValueError, OSError):
        return None
    return None if soft == resource.RLIM_INFINITY else soft


def fit_refusal(
    name: str, *, weights_bytes: int, context_bytes: int, available: int | None, n_ctx: int
) -> str | None:
    """Why a model cannot be loaded, with the figures, or None if it fits (or nobody can tell)."""
    needed = weights_bytes + context_bytes
    if available is None or needed <= available:
        return None
    return (
        f"{name} needs about {_gigabytes(needed)} of memory ({_gigabytes(weights_bytes)} for its weights, "
        f"{_gigabytes(context_bytes)} for a context of {n_ctx:,} tokens) and {_gigabytes(available)} is "
        "free; choose a smaller model or n_ctx, or unload another one."
    )


def _gigabytes(size: int) -> str:
    return f"{size / 1e9:.1f} GB"


def _meminfo_available() -> int | None:
    try:
        lines = Path("/proc/meminfo").read_text(encoding="ascii").splitlines()
        line = next(line for line in lines if line.startswith("MemAvailable:"))
        return int(line.split()[1]) * 1024
    except (OSError, StopIteration, ValueError, IndexError):
        return None


def _cgroup_left() -> int | None:
    """What a container's limit leaves, files that can be dropped from memory not counted as used."""
    try:
        limit = (_CGROUP / "memory.max").read_text(encoding="ascii").strip()
        used = int((_CGROUP / "memory.current").read_text(encoding="ascii"))
        stat = (_CGROUP / "memory.stat").read_text(encoding="ascii").split()
        files = int(stat[stat.index("file") + 1])
        return None if limit == "max" else max(int(limit) - used + files, 0)
    except (OSError, ValueError, IndexError):
        return None


def _physical() -> int | None:
    """All memory of the machine, where nothing better is known."""
    try:
        return os.sysconf("SC_PHYS_PAGES") * os.sysconf("SC_PAGE_SIZE")
    except (AttributeError, ValueError, OSError):
        return None


class _MemoryStatus(ctypes.Structure):
    """MEMORYSTATUSEX of the Windows API."""

    _fields_ = (
        ("length", ctypes.c_uint32),
        ("load", ctypes.c_uint32),
        ("total", ctypes.c_uint64),
        ("available", ctypes.c_uint64),
        ("total_page_file", ctypes.c_uint64),
        ("available_page_file", ctypes.c_uint64),
        ("total_virtual", ctypes.c_uint64),
        ("available_virtual", ctypes.c_uint64),
        ("available_extended", ctypes.c_uint64),
    )


def _windows_available() -> int | None:
    status = _MemoryStatus(length=ctypes.sizeof(_MemoryStatus))
    kernel = getattr(ctypes, "windll", None)
    if kernel is None or not kernel.kernel32.GlobalMemoryStatusEx(ctypes.byref(status)):
        return None
    return int(status.available)
