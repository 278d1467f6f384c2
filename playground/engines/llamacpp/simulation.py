"""What llama.cpp would take for a context: its own figures, from a load that takes no memory.

The library goes through loading with ``no_alloc`` and logs the size of each buffer; no call tells them.
"""

from __future__ import annotations

import os
import re
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

from playground.engines.estimate import NativeSizes
from playground.engines.llamacpp.context import ContextOptions, native_params
from playground.engines.llamacpp.native import lib, log, read_whole_file
from playground.engines.memory import load_failure
from playground.errors import ModelLoadError

_BUFFER = re.compile(r"(\S+)\s+(compute|output) buffer size\s*=\s*([\d.]+) MiB")
_KV = re.compile(r"size\s*=\s*([\d.]+) MiB \(\s*\d+ cells")


def simulate(
    path: Path,
    layouts: Sequence[ContextOptions],
    *,
    n_lanes: int,
    n_gpu_layers: int | None,
    extra_buffers: bool | None = None,
) -> list[NativeSizes]:
    """The buffers of a context of each layout.

    Args:
        path: The GGUF.
        layouts: Of the contexts.
        n_lanes: Samples that are decoded together; scoring wants logits for every token instead.
        n_gpu_layers: Layers that a GPU holds; None leaves it to the library.
        extra_buffers: Whether weights are laid out anew for this CPU; None leaves it to the library.

    Raises:
        ModelLoadError: The library cannot load the file, or make such a context of it.
    """
    log.start()
    log.mark()
    params = lib.llama_model_default_params()
    params.no_alloc = True
    read_whole_file(params)
    if extra_buffers is not None:
        params.use_extra_bufts = extra_buffers
    if n_gpu_layers is not None:
        params.n_gpu_layers = n_gpu_layers
    model = lib.llama_model_load_from_file(os.fsencode(path), params)
    if not model:
        raise ModelLoadError(load_failure(path.name, log.reason(), path.stat().st_size))
    try:
        repacks = any("CPU_REPACK model buffer" in line for line in log.lines())
        return [_sizes(path, model, options, n_lanes, repacks) for options in layouts]
    finally:
        lib.llama_model_free(model)


def _sizes(path: Path, model: object, options: ContextOptions, n_lanes: int, repacks: bool) -> NativeSizes:
    n_lanes = min(n_lanes, options.n_seqs)
    generating, kv = _buffers(path, model, replace(options, n_seqs=n_lanes), n_outputs=n_lanes)
    scoring, _ = _buffers(path, model, options, n_outputs=0)
    more = sum(scoring.values()) - sum(generating.values())
    return NativeSizes(generating, kv, max(more, 0), repacks)


def _buffers(
    path: Path, model: object, options: ContextOptions, *, n_outputs: int
) -> tuple[dict[str, int], int]:
    """Buffers by device and the KV, of a context whose passes have logits for so many tokens (0: for all)."""
    log.mark()
    params: Any = native_params(options)
    params.n_outputs_max = n_outputs
    context = lib.llama_init_from_model(model, params)
    lines = log.lines()
    if not context:
        raise ModelLoadError(
            f"{path.name} could not be run with a context of {options.n_cells:,} tokens: "
            f"{log.reason() or 'the library gave no reason'}. Choose a smaller n_ctx."
        )
    lib.llama_free(context)
    buffers: dict[str, int] = {}
    kv = 0
    for line in lines:
        if found := _BUFFER.search(line):
            buffers[found[1]] = buffers.get(found[1], 0) + round(float(found[3]) * 2**20)
        elif found := _KV.search(line):
            kv += round(float(found[1]) * 2**20)
    return buffers, kv
