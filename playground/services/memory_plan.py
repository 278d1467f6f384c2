"""What a model will take before it is loaded, for several contexts, and how much of it a GPU can hold."""

from __future__ import annotations

import threading
from collections.abc import Sequence
from dataclasses import dataclass, replace

from playground.engines.estimate import MemoryEstimate, suggest_gpu_layers
from playground.engines.gpus import Gpu, find_gpus, offload_support
from playground.engines.inspection import inspect_memory
from playground.engines.llamacpp.gguf_header import GgufHeader
from playground.engines.memory import available_bytes
from playground.engines.spec import EngineSpec

_SMALLEST_CONTEXT = 512
# Where a file does not say what it was trained for.
_UNKNOWN_CONTEXT = 32_768


@dataclass(frozen=True, slots=True)
class MemoryPlan:
    """A GGUF's memory and layers.

    Attributes:
        estimates: One a context.
        n_layers: Of the model; one more, the output layer, can lie on a GPU.
        gpu_layers: How many layers fit on the GPUs, one a context; empty where there is no GPU that
            llama.cpp was built to use.
        free_bytes: Of the machine's memory; None where nobody can tell.
        gpus: What the driver shows.
    """

    estimates: tuple[MemoryEstimate, ...]
    n_layers: int
    gpu_layers: tuple[int, ...]
    free_bytes: int | None
    gpus: tuple[Gpu, ...] = ()


class MemoryPlanner:
    """Makes plans; remembers whether llama.cpp can use a GPU at all. Thread-safe."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._offloads: bool | None = None

    def plan(self, spec: EngineSpec, header: GgufHeader, contexts: Sequence[int] = ()) -> MemoryPlan:
        """The memory of ``spec`` with each context; with its own where none is named.

        Layers are suggested from figures in which all lie in the machine's own memory.

        Raises:
            ModelLoadError: It is no usable GGUF, or cannot be run so.
        """
        estimates = inspect_memory(spec, contexts)
        gpus = tuple(find_gpus())
        layers: tuple[int, ...] = ()
        if gpus and self._can_offload():
            free = sum(gpu.free_bytes for gpu in gpus)
            unloaded = inspect_memory(replace(spec, n_gpu_layers=0), contexts)
            layers = tuple(suggest_gpu_layers(header, one, free) for one in unloaded)
        return MemoryPlan(estimates, header.number("block_count"), layers, available_bytes(), gpus)

    def _can_offload(self) -> bool:
        with self._lock:
            if self._offloads is None:
                self._offloads = bool(offload_support())
            return self._offloads


def usual_contexts(spec: EngineSpec, header: GgufHeader) -> list[int]:
    """Contexts to choose from: powers of two below the trained context, that, and the spec's own."""
    trained = header.number("context_length")
    most = trained or _UNKNOWN_CONTEXT
    own = spec.context(trained)
    steps = [_SMALLEST_CONTEXT << n for n in range(16) if _SMALLEST_CONTEXT << n < most]
    return sorted({*steps, most, own})
