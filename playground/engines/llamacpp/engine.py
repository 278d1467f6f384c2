"""Opens a GGUF as an engine: the model, its context, the store of its lines, and the loop over them."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

from playground.engines.batching.engine import BatchedEngine
from playground.engines.batching.exact import CHUNK
from playground.engines.batching.lines import LineStore
from playground.engines.batching.loop import DecodeLoop
from playground.engines.llamacpp import plan, selftest
from playground.engines.llamacpp.context import Context
from playground.engines.llamacpp.gguf_header import read_header
from playground.engines.llamacpp.model import Model
from playground.engines.spec import EngineSpec


class LlamaCppEngine(BatchedEngine):
    """A GGUF model in this process.

    Args:
        spec: The file and how to run it.
        progress: Called with the fraction loaded, 0 to 1.

    Raises:
        ModelLoadError: With one sentence that says what is wrong.
    """

    def __init__(self, spec: EngineSpec, *, progress: Callable[[float], None] | None = None) -> None:
        started = time.perf_counter()
        self._exact_context: Context | None = None
        path = Path(spec.path)
        header = read_header(path)
        self._n_ctx = plan.choose_n_ctx(spec, header)
        self._most_threads = plan.most_threads(spec, header)
        plan.check_memory(spec, header, path.name, self._n_ctx)
        self._model = Model(
            path,
            header,
            check_tensors=spec.check_tensors,
            n_gpu_layers=spec.n_gpu_layers,
            extra_buffers=selftest.chosen(spec),
            use_mmap=spec.use_mmap,
            progress=progress,
        )
        try:
            tuning = plan.choose_tuning(spec, self._model)
            options = plan.layout(spec, header, self._n_ctx, tuning)
            self._context = Context(self._model, options)
        except BaseException:
            self._model.close()
            raise
        self._snapshots = plan.open_snapshots(spec, self._model, options)
        store = LineStore(
            self._context,
            parked_bytes=spec.parked_bytes,
            can_rewind=self._model.can_rewind,
            disk=self._snapshots,
        )
        loop = DecodeLoop(
            self._context,
            store,
            self._model.vocab,
            n_ctx=self._n_ctx,
            n_lanes=spec.n_lanes,
            open_exact=self._open_exact,
        )
        info = self._model.info(n_ctx=self._n_ctx, load_s=time.perf_counter() - started)
        info = replace(info, layout=plan.layout_facts(header, self._n_ctx, CHUNK, options))
        super().__init__(info, self._model.vocab, loop, self._free_all)

    @property
    def native_s(self) -> float:
        """Seconds spent inside the native decode so far; for benchmarks."""
        return self._context.native_s

    def set_threads(self, count: int) -> None:
        """Use this many threads from the next step on; exact mode keeps its own, and a tiny model one."""
        self._context.threads = max(1, min(count, self._most_threads or count))

    def _free_all(self) -> None:
        """Free what is native; the loop has ended."""
        if self._snapshots is not None:
            self._snapshots.close()
        self._context.close()
        if self._exact_context is not None:
            self._exact_context.close()
        self._model.close()

    def _open_exact(self) -> Context:
        """The context of exact mode; called in the loop's thread."""
        options = plan.exact_layout(self._model.header, self._n_ctx, CHUNK, self._context.options.n_threads)
        self._exact_context = Context(self._model, options)
        return self._exact_context
