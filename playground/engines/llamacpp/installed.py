"""What the installed llama.cpp was built for, asked in another process, since importing it may crash."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from dataclasses import dataclass

_PATIENCE_S = 60.0
_GPU_BACKENDS = ("CUDA", "METAL", "VULKAN", "ROCM", "HIP", "SYCL", "MUSA", "CANN", "OPENCL")
_CODE = """
import json
from importlib import metadata
from llama_cpp import llama_cpp as lib
lib.llama_backend_init()
print()
print(json.dumps({
    "version": metadata.version("llama-cpp-python"),
    "info": lib.llama_print_system_info().decode("utf-8", "replace"),
    "offload": bool(lib.llama_supports_gpu_offload()),
}))
"""


@dataclass(frozen=True, slots=True)
class InstalledBuild:
    """A build of llama.cpp.

    Attributes:
        version: Of llama-cpp-python.
        features: What each backend was compiled with, such as ``{"CPU": ("AVX2", "FMA")}``.
        offload: Whether it can use a GPU.
    """

    version: str
    features: dict[str, tuple[str, ...]]
    offload: bool

    @property
    def gpu_backends(self) -> tuple[str, ...]:
        """The GPU backends in it: ``CUDA``, ``METAL`` ..."""
        return tuple(name for name in self.features if name.upper().rstrip("0123456789") in _GPU_BACKENDS)


def installed_build() -> InstalledBuild | None:
    """The build that is installed, or None where it is not, or cannot be imported."""
    try:
        done = subprocess.run(
            [sys.executable, "-c", _CODE],
            capture_output=True,
            text=True,
            timeout=_PATIENCE_S,
            check=False,
            env={**os.environ, "GGML_NO_BACKTRACE": "1"},
            creationflags=getattr(subprocess, "CREATE_NO_WINDOW", 0),
        )
        answer = json.loads(done.stdout.strip().rpartition("\n")[2])
        return InstalledBuild(str(answer["version"]), parse_info(answer["info"]), bool(answer["offload"]))
    except (OSError, subprocess.SubprocessError, ValueError, KeyError, TypeError):
        return None


def parse_info(info: str) -> dict[str, tuple[str, ...]]:
    """Features by backend of ``llama_print_system_info``, ``CPU : AVX2 = 1 | CUDA : ARCHS = 890 |``."""
    found: dict[str, list[str]] = {}
    backend = ""
    for part in info.split("|"):
        before, colon, after = part.partition(" : ")
        if colon:
            backend, part = before.strip(), after
            found.setdefault(backend, [])
        name, equals, value = (text.strip() for text in part.partition("="))
        if not equals or value in ("", "0"):
            continue
        found.setdefault(backend, []).append(name if value == "1" else f"{name}={value}")
    return {name: tuple(features) for name, features in found.items() if name}
