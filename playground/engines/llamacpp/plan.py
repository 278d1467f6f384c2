"""What a spec leaves open about a llama.cpp engine, chosen before and while the model is loaded."""

from __future__ import annotations

from pathlib import Path

from playground.engines.batching.snapshots import SnapshotStore
from playground.engines.llamacpp.context import ContextOptions
from playground.engines.llamacpp.fingerprint import file_fingerprint, machine
from playground.engines.llamacpp.gguf_header import GgufHeader
from playground.engines.llamacpp.model import Model
from playground.engines.llamacpp.native import library_version
from playground.engines.llamacpp.probe import Tuning, Wishes, recall, tune
from playground.engines.memory import available_bytes, fit_refusal
from playground.engines.spec import EngineSpec
from playground.errors import ModelLoadError

# A smaller model answers at once either way, and should load at once too.
SMALLEST_PROBED_BYTES = 32 * 2**20
_MOST_EXACT_BYTES = 256 * 2**20
# Room for several texts at once: four contexts, as far as they take no more than this.
_KV_BYTES = 512 * 2**20
_GRANULE = 256
# Lanes of calls that have none yet, idle lines that still lie in the context, and one to copy with.
_SPARE_SEQS = 24


def choose_n_ctx(spec: EngineSpec, header: GgufHeader) -> int:
    """Most tokens of one text: as asked for, or what was trained, at most ``DEFAULT_N_CTX``."""
    n_ctx = spec.context(header.number("context_length"))
    if n_ctx < 16:
        raise ModelLoadError(f"A context of {n_ctx} tokens is too small to work with; use 16 or more.")
    return n_ctx


def check_memory(spec: EngineSpec, header: GgufHeader, name: str, n_ctx: int) -> None:
    """Refuse a model that cannot fit, before memory is taken for it.

    Raises:
        ModelLoadError: With what it needs and what is free.
    """
    per_token = header.kv_bytes_per_token(spec.k_type, spec.v_type)
    logits_bytes = spec.n_batch * header.array_lengths.get("tokenizer.ggml.tokens", 0) * 4
    refusal = fit_refusal(
        name,
        weights_bytes=header.size_bytes,
        context_bytes=n_cells(spec, header, n_ctx) * per_token + logits_bytes,
        available=available_bytes(),
        n_ctx=n_ctx,
    )
    if refusal is not None:
        raise ModelLoadError(refusal)


def n_cells(spec: EngineSpec, header: GgufHeader, n_ctx: int) -> int:
    """Tokens that the KV cache holds; the library rounds up to whole granules."""
    affordable = _KV_BYTES // max(header.kv_bytes_per_token(spec.k_type, spec.v_type), 1)
    cells = spec.kv_cells or max(n_ctx, min(4 * n_ctx, affordable))
    return -(-max(cells, n_ctx) // _GRANULE) * _GRANULE


def choose_tuning(spec: EngineSpec, model: Model) -> Tuning:
    """The fastest layout as far as the spec leaves it open; remembered in the spec's folder."""
    file, key = _memory_of_tunings(spec, model.path, model.header)
    return tune(model, _wishes(spec, model.header), remembered_in=file, key=key)


def expected_tuning(spec: EngineSpec, path: Path, header: GgufHeader) -> Tuning:
    """What ``choose_tuning`` will say, as far as that is known before the model is loaded."""
    file, key = _memory_of_tunings(spec, path, header)
    wishes = _wishes(spec, header)
    return recall(wishes, remembered_in=file, key=key) or wishes.default()


def most_threads(spec: EngineSpec, header: GgufHeader) -> int | None:
    """The threads that a model too small to be probed is held to, unless the spec names them.

    Its steps take some hundred microseconds, of which a second thread saves little; but on a busy machine
    each waits for the other at every layer, until the system gives both a core at once.
    """
    return 1 if spec.n_threads is None and header.size_bytes < SMALLEST_PROBED_BYTES else None


def _wishes(spec: EngineSpec, header: GgufHeader) -> Wishes:
    # The library quantizes V with flash attention alone.
    flash_attn = True if spec.v_type != "f16" else spec.flash_attn
    return Wishes(flash_attn, spec.n_ubatch, spec.n_threads or most_threads(spec, header))


def _memory_of_tunings(spec: EngineSpec, path: Path, header: GgufHeader) -> tuple[Path | None, str]:
    """The file of what was measured, None for models too small to measure, and this model's key there."""
    if not spec.cache_dir or header.size_bytes < SMALLEST_PROBED_BYTES:
        return None, ""
    return Path(spec.cache_dir) / "tuning.json", f"{file_fingerprint(path)} {library_version()} {machine()}"


def layout(spec: EngineSpec, header: GgufHeader, n_ctx: int, tuning: Tuning) -> ContextOptions:
    """The layout of the context that all lanes share."""
    n_seqs = min(256, 2 * spec.n_lanes + _SPARE_SEQS)
    return ContextOptions(
        n_cells=n_cells(spec, header, n_ctx),
        n_seqs=n_seqs,
        # The library aborts where a batch cannot hold a token of every sequence.
        n_batch=max(spec.n_batch, n_seqs),
        n_ubatch=tuning.n_ubatch,
        n_threads=tuning.n_threads,
        flash_attn=tuning.flash_attn,
        k_type=spec.k_type,
        v_type=spec.v_type,
    )


def exact_layout(header: GgufHeader, n_ctx: int, chunk: int, n_threads: int) -> ContextOptions:
    """The layout of exact mode: one text, whole chunks, nothing that a probe has found.

    Its KV is in f32 where that takes little: rounding it to f16 is a good part of what llama.cpp's floats
    differ by from transformers' (docs/log.md), and a text alone needs nothing that rounding would hide.
    """
    wide = 2 * header.kv_bytes_per_token() * n_ctx <= _MOST_EXACT_BYTES
    return ContextOptions(
        n_cells=-(-n_ctx // _GRANULE) * _GRANULE,
        n_seqs=1,
        n_batch=chunk,
        n_ubatch=chunk,
        n_threads=n_threads,
        flash_attn=False,
        k_type="f32" if wide else "f16",
        v_type="f32" if wide else "f16",
    )


def layout_facts(
    header: GgufHeader, n_ctx: int, chunk: int, options: ContextOptions
) -> tuple[tuple[str, str | int | bool], ...]:
    """What the floats of a loaded model depend on, in ordinary and in exact mode, for the record of a run."""
    exact = exact_layout(header, n_ctx, chunk, options.n_threads)
    return (
        ("n_threads", options.n_threads),
        ("n_batch", options.n_batch),
        ("n_ubatch", options.n_ubatch),
        ("flash_attn", options.flash_attn),
        ("k_type", options.k_type),
        ("v_type", options.v_type),
        ("exact_n_ubatch", exact.n_ubatch),
        ("exact_flash_attn", exact.flash_attn),
        ("exact_k_type", exact.k_type),
        ("exact_v_type", exact.v_type),
    )


def open_snapshots(spec: EngineSpec, model: Model, options: ContextOptions) -> SnapshotStore | None:
    """Where this model's prefixes are kept on disk, if anywhere."""
    if not spec.cache_dir or spec.snapshot_bytes <= 0 or not model.can_rewind:
        return None
    # Everything that shapes the KV: another layout must not find what this one wrote.
    key = (
        f"{file_fingerprint(model.path)} {library_version()} flash_attn={options.flash_attn} "
        f"kv={options.k_type},{options.v_type} unified rope=model"
    )
    return SnapshotStore(Path(spec.cache_dir) / "prefixes", key=key, budget_bytes=spec.snapshot_bytes)
