"""How llama.cpp is best compiled on this machine: CMake's flags, a compiler's fault, and the command.

Standard library alone, because the installer runs this before anything is installed.
"""

from __future__ import annotations

import os
import re
import shlex
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path

PACKAGE = "llama-cpp-python"
# Without its multimodal part it builds a sixth faster (docs/decisions.md).
_ALWAYS = ("-DLLAVA_BUILD=OFF",)
_NO_AMX = "-mno-amx-tile -mno-amx-int8 -mno-amx-bf16"
_COMPILERS = ("c++", "g++", "clang++")
_PATIENCE_S = 60.0
# A tile configuration whose stores a broken compiler drops: 91 (0x5b) is one of them.
_TILE_CONFIG = """
#include <immintrin.h>
#include <stdint.h>
struct config { uint8_t palette, start_row, reserved[14]; uint16_t colsb[16]; uint8_t rows[16]; };
void load(void) {
    alignas(64) struct config c = {};
    c.palette = 1;
    c.rows[7] = 91;
    _tile_loadconfig(&c);
}
"""


def compiler() -> str | None:
    """The C++ compiler that a build would use; None where there is none. Windows finds its own."""
    named = os.environ.get("CXX", "").split()
    return next(filter(None, map(shutil.which, (*named[:1], *_COMPILERS))), None)


def compiler_name(path: str) -> str:
    """The first line that a compiler says of itself, such as ``g++ (Debian 12.2.0-14) 12.2.0``."""
    try:
        done = subprocess.run(
            [path, "--version"], capture_output=True, text=True, timeout=_PATIENCE_S, check=False
        )
    except (OSError, subprocess.SubprocessError):
        return Path(path).name
    return (done.stdout.splitlines() or [Path(path).name])[0].strip()


def has_amx(cpuinfo: str | None = None) -> bool:
    """Whether the system says that this CPU has AMX tiles.

    Args:
        cpuinfo: Text of ``/proc/cpuinfo``, in place of this machine's. Other systems than Linux compile
            without AMX by default.
    """
    if cpuinfo is None:
        try:
            cpuinfo = Path("/proc/cpuinfo").read_text(encoding="utf-8", errors="replace")
        except OSError:
            return False
    return re.search(r"\bamx_(tile|int8)\b", cpuinfo) is not None


def breaks_amx(path: str) -> bool:
    """Whether a compiler drops stores into an AMX tile configuration, which makes llama.cpp die of SIGILL.

    The ``amxtileintrin.h`` of GCC 12.2 declares that ``_tile_loadconfig`` reads 8 of its 64 bytes, so that
    the optimizer removes the stores into the others (ggml-org/llama.cpp PR 26954). Later ones use a
    builtin. It is tried, not looked up: a few lines are compiled to assembly.
    One that cannot compile them at all has no AMX to break.
    """
    with tempfile.TemporaryDirectory() as folder:
        source = Path(folder) / "tiles.cpp"
        source.write_text(_TILE_CONFIG, encoding="ascii")
        command = [path, "-O3", "-std=c++17", "-mamx-tile", "-S", "-o", "-", str(source)]
        try:
            done = subprocess.run(command, capture_output=True, text=True, timeout=_PATIENCE_S, check=False)
        except (OSError, subprocess.SubprocessError):
            return False
    if done.returncode:
        return False
    return "ldtilecfg" in done.stdout and re.search(r"\$(91|0x5b)\b", done.stdout) is None


def cmake_args(*, cpuinfo: str | None = None, cxx: str | None = None) -> str:
    """The flags for ``CMAKE_ARGS``: those of the environment where it names some, else what suits here.

    Native code for this CPU, but without AMX where the compiler breaks it. What each choice costs in tokens a
    second is in docs/benchmarks.md.
    """
    said = os.environ.get("CMAKE_ARGS", "").strip()
    if said:
        return said
    flags = list(_ALWAYS)
    path = cxx or compiler()
    if path is not None and has_amx(cpuinfo) and breaks_amx(path):
        flags += [f"-DCMAKE_C_FLAGS='{_NO_AMX}'", f"-DCMAKE_CXX_FLAGS='{_NO_AMX}'"]
    return " ".join(flags)


def rebuild_command(version: str, *, gpu: str = "") -> str:
    """The command that compiles this version for this machine and puts it in place of what is installed.

    Args:
        version: Of llama-cpp-python; empty for the newest.
        gpu: A CMake flag for a GPU, such as ``-DGGML_CUDA=on``.
    """
    flags = " ".join(filter(None, (cmake_args(), gpu)))
    package = f"{PACKAGE}=={version}" if version else PACKAGE
    options = f"--no-deps --force-reinstall --no-cache-dir --no-binary {PACKAGE} {package}"
    if sys.platform == "win32":
        return f'set "CMAKE_ARGS={flags}" && "{sys.executable}" -m pip install {options}'
    return f"CMAKE_ARGS={shlex.quote(flags)} {shlex.quote(sys.executable)} -m pip install {options}"


def compiler_advice() -> str:
    """How to get a C++ compiler on this system."""
    if sys.platform == "darwin":
        return "Install Apple's compiler with: xcode-select --install"
    if sys.platform == "win32":
        return (
            "Install the Build Tools for Visual Studio with the C++ workload, from visualstudio.microsoft.com"
        )
    by_tool = {
        "apt-get": "sudo apt-get install g++",
        "dnf": "sudo dnf install gcc-c++",
        "pacman": "sudo pacman -S gcc",
        "zypper": "sudo zypper install gcc-c++",
        "apk": "sudo apk add g++",
    }
    command = next((said for tool, said in by_tool.items() if shutil.which(tool)), "")
    return f"Install one with: {command}" if command else "Install g++ or clang++ with the system's packages"
