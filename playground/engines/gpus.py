"""Which GPUs there are and what memory they have free, asked of the driver's own tool."""

from __future__ import annotations

import shutil
import subprocess
from dataclasses import dataclass

from playground.engines.llamacpp.installed import installed_build

_PATIENCE_S = 10.0


@dataclass(frozen=True, slots=True)
class Gpu:
    """A GPU and its memory in bytes."""

    name: str
    total_bytes: int
    free_bytes: int


def find_gpus() -> list[Gpu]:
    """The NVIDIA GPUs that the driver shows; none where there is no driver, or it does not answer."""
    tool = shutil.which("nvidia-smi")
    if tool is None:
        return []
    query = ["--query-gpu=name,memory.total,memory.free", "--format=csv,noheader,nounits"]
    try:
        done = subprocess.run(
            [tool, *query], capture_output=True, text=True, timeout=_PATIENCE_S, check=False
        )
    except (OSError, subprocess.SubprocessError):
        return []
    return parse_gpus(done.stdout) if done.returncode == 0 else []


def parse_gpus(answer: str) -> list[Gpu]:
    """What the tool's lines ``name, total, free`` (MiB) say; a line that does not is passed over."""
    gpus = []
    for line in answer.splitlines():
        name, *sizes = (part.strip() for part in line.rsplit(",", 2))
        if len(sizes) == 2 and all(size.isdigit() for size in sizes):
            gpus.append(Gpu(name, int(sizes[0]) * 2**20, int(sizes[1]) * 2**20))
    return gpus


def offload_support() -> bool | None:
    """Whether llama.cpp was built to use a GPU, asked in another process; None where it is not installed."""
    build = installed_build()
    return None if build is None else build.offload
