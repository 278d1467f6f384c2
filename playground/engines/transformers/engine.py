"""Opens a model folder as an engine: layout of the context, and a check that batching changes nothing."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import replace

import numpy as np
import torch

from playground.engines.arrays import FloatArray, IntArray
from playground.engines.base import NO_EMBEDDINGS, EngineInfo
from playground.engines.batching.engine import BatchedEngine
from playground.engines.batching.exact import CHUNK
from playground.engines.batching.lines import LineStore
from playground.engines.batching.loop import DecodeLoop
from playground.engines.spec import EngineSpec
from playground.engines.transformers.context import TorchContext, TorchOptions
from playground.engines.transformers.model import TorchModel
from playground.errors import ModelLoadError

_KV_BYTES_CPU = 512 * 2**20
# Of a GPU's memory that is free once the weights are there.
_KV_SHARE_GPU = 0.5
_KNOWN_LAYERS = frozenset({"full_attention", "sliding_attention"})
# Largest difference of two logits, relative to their spread: rounding, and no more.
_TOLERANCE = {torch.float32: 1e-3, torch.bfloat16: 0.2, torch.float16: 0.05}


class TransformersEngine(BatchedEngine):
    """A transformers model in this process.

    Args:
        spec: The folder or repository, and how to run it.
        progress: Called with the fraction loaded, 0 to 1.
        model: Loaded already, in place of what the spec names; for measurements.

    Raises:
        ModelLoadError: With one sentence that says what is wrong.
    """

    def __init__(
        self,
        spec: EngineSpec,
        *,
        progress: Callable[[float], None] | None = None,
        model: TorchModel | None = None,
    ) -> None:
        started = time.perf_counter()
        model = model or TorchModel(spec, progress=progress)
        n_ctx = spec.context(model.n_ctx_train)
        options = _options(spec, model, n_ctx)
        context = TorchContext(model.model, options)
        threads = context.threads = spec.n_threads or torch.get_num_threads()
        check_batching(model, context)
        store = LineStore(context, parked_bytes=0, can_rewind=True)
        exact: list[TorchContext] = []

        def open_exact() -> TorchContext:
            exact.append(TorchContext(model.model, replace(options, n_cells=n_ctx, n_seqs=1, n_batch=CHUNK)))
            # Its floats depend on the number of threads, which others may change.
            exact[0].threads = threads
            return exact[0]

        loop = DecodeLoop(
            context, store, model.vocab, n_ctx=n_ctx, n_lanes=spec.n_lanes, open_exact=open_exact
        )

        def free() -> None:
            for one in (context, *exact):
                one.close()
            model.model = None
            if model.device.type == "cuda":
                torch.cuda.empty_cache()

        info = engine_info(model, n_ctx=n_ctx, load_s=time.perf_counter() - started)
        super().__init__(info, model.vocab, loop, free)
        self._context = context

    def set_threads(self, count: int) -> None:
        """Use this many threads from the next step on; exact mode keeps its own."""
        self._context.threads = max(1, count)


def _options(spec: EngineSpec, model: TorchModel, n_ctx: int) -> TorchOptions:
    if n_ctx < 16:
        raise ModelLoadError(f"A context of {n_ctx} tokens is too small to work with; use 16 or more.")
    unknown = model.layer_kinds - _KNOWN_LAYERS
    if unknown:
        raise ModelLoadError(
            f"{model.name} has layers of the kind {', '.join(sorted(unknown))}, which this engine cannot "
            "batch; use its GGUF with llama.cpp."
        )
    if model.device.type == "cuda":
        free, _ = torch.cuda.mem_get_info(model.device)
        budget = int(free * _KV_SHARE_GPU)
        most = 64 * n_ctx
    else:
        budget, most = _KV_BYTES_CPU, 4 * n_ctx
    cells = spec.kv_cells or max(n_ctx, min(most, budget // max(model.kv_bytes_per_token, 1)))
    sliding = model.sliding if "sliding_attention" in model.layer_kinds else None
    return TorchOptions(
        n_cells=max(cells, n_ctx),
        n_seqs=max(256, 4 * spec.n_lanes),
        n_batch=max(spec.n_batch, spec.n_lanes + 8),
        n_layers=model.n_layers,
        n_vocab=model.n_vocab,
        sliding=sliding,
        mixed=len(model.layer_kinds) > 1,
        bool_mask=getattr(model.config, "_attn_implementation", "") == "sdpa",
    )


def check_batching(model: TorchModel, context: TorchContext) -> None:
    """Run a short text whole, and again in pieces beside another; leaves the context empty.

    Raises:
        ModelLoadError: The two differ by more than rounding: the model keeps a state, or sees positions,
            that this engine does not know of.
    """
    tokens = (np.arange(12, dtype=np.int32) * 37 + 11) % min(model.vocab.size, 4096)
    try:
        with torch.inference_mode():
            ids = torch.from_numpy(tokens.astype(np.int64)).to(model.device)[None]
            whole: FloatArray = (
                model.model(input_ids=ids, use_cache=False).logits[0, -1].float().cpu().numpy()
            )
        pieces = _run_in_pieces(context, tokens)
    except ModelLoadError:
        raise
    except Exception as error:  # whatever it is, the model cannot be run here
        raise ModelLoadError(
            f"{model.name} cannot be run by this engine ({type(error).__name__}: {error}); "
            "use its GGUF with llama.cpp."
        ) from error
    spread = max(float(whole.max() - whole.min()), 1e-6)
    worst = max(float(np.abs(row - whole).max()) for row in pieces) / spread
    if not worst <= _TOLERANCE[model.dtype]:
        raise ModelLoadError(
            f"{model.name} gives other answers in a batch than alone (by {worst:.1%} of the logits' spread); "
            "use its GGUF with llama.cpp."
        )


def _run_in_pieces(context: TorchContext, tokens: IntArray) -> FloatArray:
    """The last token's logits from two sequences that share a beginning and run beside each other."""
    half, last = len(tokens) // 2, len(tokens) - 1
    context.clear_batch()
    context.add(0, 0, tokens[:half], logits_from=half)
    context.decode()
    context.share(0, 1, 0, half)
    context.clear_batch()
    context.add(0, half, tokens[half:last], logits_from=last - half)
    context.add(1, half, tokens[half:last], logits_from=last - half)
    context.decode()
    context.clear_batch()
    context.add_one(0, last, int(tokens[last]))
    context.add_one(1, last, int(tokens[last]))
    context.decode()
    rows = context.logits(2).copy()
    context.clear_batch()
    context.clear()
    return rows


def engine_info(model: TorchModel, *, n_ctx: int, load_s: float) -> EngineInfo:
    """What an engine over a loaded model says of itself."""
    vocab = model.vocab
    return EngineInfo(
        name=model.name,
        engine="transformers",
        n_ctx=n_ctx,
        n_ctx_train=model.n_ctx_train or n_ctx,
        n_vocab=model.n_vocab,
        add_bos=vocab.add_bos,
        bos_id=vocab.bos,
        eos_ids=vocab.eog,
        special_tokens=vocab.special_texts,
        chat_template=model.chat_template,
        bos_text=vocab.text(vocab.bos),
        eos_text=vocab.text(vocab.eos),
        architecture=str(getattr(model.config, "model_type", "")),
        parameters=sum(tensor.numel() for tensor in model.model.parameters()),
        size_bytes=model.size_bytes,
        load_s=load_s,
        capabilities=("generate", "resume", "score", "score_full", "logprobs", "exact"),
        lacks=(("embed", NO_EMBEDDINGS),),
        device=str(model.device),
        dtype=str(model.dtype).removeprefix("torch."),
    )
