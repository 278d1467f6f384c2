"""Names for a model file and a machine that change when what was measured or computed on them would."""

from __future__ import annotations

import hashlib
import os
import platform
from pathlib import Path

_SAMPLES = 32
_SAMPLE_BYTES = 64 * 1024


def file_fingerprint(path: Path) -> str:
    """A hash over the size and 32 stretches of the file: some milliseconds whatever its size.

    Every trained weight differs from one model to the next, so that stretches tell them apart; the check of
    a download is another matter and reads everything.
    """
    size = path.stat().st_size
    digest = hashlib.sha256(str(size).encode())
    with path.open("rb") as file:
        for sample in range(_SAMPLES):
            file.seek(max(size - _SAMPLE_BYTES, 0) * sample // (_SAMPLES - 1))
            digest.update(file.read(_SAMPLE_BYTES))
    return digest.hexdigest()[:32]


def machine() -> str:
    """The kind of machine, as far as speed depends on it."""
    return f"{platform.system()} {platform.machine()} {_processor()} x{os.cpu_count()}"


def _processor() -> str:
    """The processor's name."""
    try:
        lines = Path("/proc/cpuinfo").read_text(encoding="utf-8", errors="replace").splitlines()
    except OSError:
        return platform.processor()
    return next((line.split(":", 1)[1].strip() for line in lines if line.startswith("model name")), "")
