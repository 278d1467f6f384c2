"""What a run was made with: packages and machine, for its manifest."""

from __future__ import annotations

import os
import platform
import sys
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path

from playground import __version__
from playground.experiments.assistants import Tag

_PACKAGES = ("llama-cpp-python", "torch", "transformers", "numpy", "openai", "rouge-score", "bm25s")


def machine() -> dict[str, Tag]:
    """The system, the processor and the version of Python."""
    return {
        "system": platform.platform(),
        "processor": _processor(),
        "cores": os.cpu_count() or 0,
        "python": sys.version.split()[0],
    }


def versions() -> dict[str, Tag]:
    """The version of this program and of each package that shapes figures, where it is installed."""
    found: dict[str, Tag] = {"icl-playground": __version__}
    for package in _PACKAGES:
        try:
            found[package] = version(package)
        except PackageNotFoundError:
            continue
    return found


def _processor() -> str:
    try:
        lines = Path("/proc/cpuinfo").read_text(encoding="utf-8", errors="replace").splitlines()
    except OSError:
        return platform.processor()
    return next((line.split(":", 1)[1].strip() for line in lines if line.startswith("model name")), "")
