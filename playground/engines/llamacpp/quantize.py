"""Writes a quantized copy of a GGUF, by llama.cpp's own call."""

from __future__ import annotations

import ctypes
import os
from pathlib import Path
from typing import Literal

from playground.engines.llamacpp.native import lib, log
from playground.errors import EngineError

Quantization = Literal["Q8_0", "Q6_K", "Q5_K_M", "Q4_K_M", "Q4_0"]


def quantize(source: Path, target: Path, kind: Quantization, *, threads: int = 0) -> None:
    """Write ``source`` to ``target`` in another precision; tensors whose width does not allow it stay f16.

    Args:
        source: A GGUF in f16, bf16 or f32.
        target: Where to write; replaced only when the whole file is there.
        kind: The precision's usual name.
        threads: For the work; 0 takes all cores.

    Raises:
        EngineError: The library refused, or the file could not be written.
    """
    log.start()
    log.mark()
    params = lib.llama_model_quantize_default_params()
    params.ftype = getattr(lib, f"LLAMA_FTYPE_MOSTLY_{kind}")
    params.nthread = threads
    part = target.with_name(target.name + ".part")
    try:
        failed = lib.llama_model_quantize(os.fsencode(source), os.fsencode(part), ctypes.byref(params))
        if failed:
            reason = log.reason() or "the library gave no reason"
            raise EngineError(
                f"{source.name} could not be quantized to {kind}: {reason}. "
                "It must be a GGUF in f16, bf16 or f32."
            )
        os.replace(part, target)
    finally:
        part.unlink(missing_ok=True)
