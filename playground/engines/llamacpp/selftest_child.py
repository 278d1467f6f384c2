"""The throw-away process of ``selftest``: makes tiny models, decodes with them, prints JSON lines.

Run as ``python -m`` this module with ``1`` or ``0`` (extra buffers) and the quantizations to try, or
``speed``. It may die at any step, and the last ``doing`` then says at which.
"""

from __future__ import annotations

import ctypes
import json
import math
import os
import sys
import tempfile
import time
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from playground.engines.arrays import FloatArray

_PROMPT = 48
"""Tokens of the batch: more than one, because single tokens take another path through AMX and repacking."""
_LEAST_ALIKE = 0.8
"""Cosine between a quantization's logits and the f32 model's; measured 0.937 (IQ4_XS) to 1.0 (F16)."""

_LONGEST_SPEED_S = 3.0


@dataclass(frozen=True, slots=True)
class Shape:
    """Sizes of a generated model; widths are multiples of 256, the block of the K quantizations."""

    layers: int
    width: int
    feed_forward: int
    n_vocab: int = 512


TINY = Shape(layers=1, width=256, feed_forward=256)
SPEED = Shape(layers=4, width=512, feed_forward=2048)


def main(arguments: list[str]) -> None:
    """Try what is named."""
    extra_buffers, names = arguments[0] == "1", arguments[1:]
    # Native code may print what it likes.
    out = os.fdopen(os.dup(1), "w", encoding="utf-8")
    os.dup2(2, 1)

    def say(**values: object) -> None:
        out.write(json.dumps(values) + "\n")
        out.flush()

    say(doing="start")
    with tempfile.TemporaryDirectory(prefix="playground-self-test-") as folder:
        source = Path(folder) / "f32.gguf"
        if names == ["speed"]:
            write_model(source, SPEED)
            prompt, answer = _speed(_quantized(source, "Q4_0"), extra_buffers)
            say(done="speed", prompt=prompt, answer=answer)
            return
        write_model(source, TINY)
        expected = _logits(source, extra_buffers)
        for name in names:
            say(doing=name)
            found = _logits(_quantized(source, name), extra_buffers)
            say(done=name, wrong=_difference(found, expected))


def write_model(path: Path, shape: Shape) -> None:
    """A Llama of random f32 weights, always the same ones, with a vocabulary of made-up words."""
    import gguf

    draw = np.random.default_rng(1)
    writer = gguf.GGUFWriter(path, "llama")
    writer.add_context_length(512)
    writer.add_embedding_length(shape.width)
    writer.add_block_count(shape.layers)
    writer.add_feed_forward_length(shape.feed_forward)
    writer.add_head_count(4)
    writer.add_head_count_kv(4)
    writer.add_layer_norm_rms_eps(1e-5)
    writer.add_rope_dimension_count(shape.width // 4)
    writer.add_tokenizer_model("llama")
    tokens = ["<unk>", "<s>", "</s>", *(f"<0x{value:02X}>" for value in range(256))]
    tokens += [f"w{number}" for number in range(shape.n_vocab - len(tokens))]
    kinds = [gguf.TokenType.UNKNOWN, gguf.TokenType.CONTROL, gguf.TokenType.CONTROL]
    kinds += [gguf.TokenType.BYTE] * 256
    kinds += [gguf.TokenType.NORMAL] * (shape.n_vocab - len(kinds))
    writer.add_token_list(tokens)
    writer.add_token_scores([0.0] * shape.n_vocab)
    writer.add_token_types(kinds)
    writer.add_bos_token_id(1)
    writer.add_eos_token_id(2)

    def add(name: str, rows: int, columns: int) -> None:
        weights = draw.standard_normal((rows, columns), dtype=np.float32) * np.float32(columns**-0.5)
        writer.add_tensor(name, weights)

    add("token_embd.weight", shape.n_vocab, shape.width)
    add("output.weight", shape.n_vocab, shape.width)
    writer.add_tensor("output_norm.weight", np.ones(shape.width, np.float32))
    for layer in range(shape.layers):
        block = f"blk.{layer}."
        writer.add_tensor(block + "attn_norm.weight", np.ones(shape.width, np.float32))
        writer.add_tensor(block + "ffn_norm.weight", np.ones(shape.width, np.float32))
        for name in ("attn_q", "attn_k", "attn_v", "attn_output"):
            add(f"{block}{name}.weight", shape.width, shape.width)
        add(block + "ffn_gate.weight", shape.feed_forward, shape.width)
        add(block + "ffn_up.weight", shape.feed_forward, shape.width)
        add(block + "ffn_down.weight", shape.width, shape.feed_forward)
    writer.write_header_to_file()
    writer.write_kv_data_to_file()
    writer.write_tensors_to_file()
    writer.close()


def _quantized(source: Path, name: str) -> Path:
    """The model with every matrix in one precision, by llama.cpp's own call (plain C, no extra buffers)."""
    from playground.engines.llamacpp.native import lib, log

    log.start()
    target = source.with_name(f"{name}.gguf")
    params = lib.llama_model_quantize_default_params()
    ftype = {"Q4_K": "Q4_K_S", "Q5_K": "Q5_K_S"}.get(name, name)
    params.ftype = getattr(lib, f"LLAMA_FTYPE_MOSTLY_{ftype}")
    params.nthread = 1
    params.pure = True
    if lib.llama_model_quantize(os.fsencode(source), os.fsencode(target), ctypes.byref(params)):
        raise RuntimeError(f"no {name} could be made: {log.reason()}")
    return target


class _Loaded:
    """A model and a context of two threads, as a load makes them."""

    def __init__(self, path: Path, extra_buffers: bool, n_batch: int) -> None:
        from playground.engines.llamacpp.native import lib, log

        log.start()
        self.lib = lib
        params = lib.llama_model_default_params()
        params.use_extra_bufts = extra_buffers
        params.n_gpu_layers = 0
        self.model = lib.llama_model_load_from_file(os.fsencode(path), params)
        if not self.model:
            raise RuntimeError(f"{path.name} could not be loaded: {log.reason()}")
        options = lib.llama_context_default_params()
        options.n_ctx = 512
        options.n_batch = options.n_ubatch = n_batch
        # AMX keeps its configuration for each thread.
        options.n_threads = options.n_threads_batch = min(2, os.cpu_count() or 1)
        self.context = lib.llama_init_from_model(self.model, options)
        if not self.context:
            raise RuntimeError(f"no context: {log.reason()}")
        self.n_vocab = int(lib.llama_vocab_n_tokens(lib.llama_model_get_vocab(self.model)))

    def decode(self, ids: list[int]) -> FloatArray:
        """Logits ``[n_vocab]`` behind the last of ``ids``, which follow what was decoded before."""
        from playground.engines.llamacpp.native import floats_at

        array = (self.lib.llama_token * len(ids))(*ids)
        if self.lib.llama_decode(self.context, self.lib.llama_batch_get_one(array, len(ids))):
            raise RuntimeError("llama_decode failed")
        pointer = self.lib.llama_get_logits_ith(self.context, -1)
        logits: FloatArray = floats_at(ctypes.addressof(pointer.contents), 1, self.n_vocab)[0].copy()
        return logits

    def close(self) -> None:
        """Free both."""
        self.lib.llama_free(self.context)
        self.lib.llama_model_free(self.model)


def _logits(path: Path, extra_buffers: bool) -> FloatArray:
    """Logits ``[2, n_vocab]``: behind a prompt, and behind one more token."""
    loaded = _Loaded(path, extra_buffers, _PROMPT)
    try:
        after_prompt = loaded.decode([259 + (7 * number) % 250 for number in range(_PROMPT)])
        return np.stack([after_prompt, loaded.decode([300])])
    finally:
        loaded.close()


def _difference(found: FloatArray, expected: FloatArray) -> str:
    """What is wrong with logits; empty where they are the f32 model's but for rounding."""
    if not np.isfinite(found).all():
        return "logits that are not finite"
    alike = min(
        float(a @ b / (np.linalg.norm(a) * np.linalg.norm(b))) for a, b in zip(found, expected, strict=True)
    )
    return "" if alike >= _LEAST_ALIKE and not math.isnan(alike) else f"wrong numbers (cosine {alike:.2f})"


def _speed(path: Path, extra_buffers: bool) -> tuple[float, float]:
    """Tokens a second of a prompt of 256 tokens, and of 32 single tokens; the best of up to three."""
    prompt = [259 + (7 * number) % 250 for number in range(256)]
    best = [0.0, 0.0]
    until = time.perf_counter() + _LONGEST_SPEED_S
    for number in range(3):
        if number and time.perf_counter() > until:
            break  # the machine is busy: one run has to do
        loaded = _Loaded(path, extra_buffers, len(prompt))
        try:
            loaded.decode([300])
            started = time.perf_counter()
            loaded.decode(prompt)
            prefilled = time.perf_counter()
            for token in prompt[:32]:
                loaded.decode([token])
            ended = time.perf_counter()
        finally:
            loaded.close()
        best[0] = max(best[0], len(prompt) / (prefilled - started))
        best[1] = max(best[1], 32 / (ended - prefilled))
    return round(best[0], 1), round(best[1], 1)


if __name__ == "__main__":
    main(sys.argv[1:])
