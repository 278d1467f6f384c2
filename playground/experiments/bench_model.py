"""Writes GGUFs of real sizes with random weights: speed does not depend on the weights.

The format is ggml's (docs/gguf.md in its repository); quantized blocks are drawn directly, as nothing is to
be kept. The tokenizer is byte-level BPE, so that a text of n ASCII characters has n tokens.
"""

from __future__ import annotations

import struct
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import BinaryIO, Literal

import numpy as np

WeightType = Literal["F16", "Q8_0", "Q4_0"]
_TYPE_IDS = {"F32": 0, "F16": 1, "Q4_0": 2, "Q8_0": 8}
_ALIGNMENT = 32
_BLOCK = 32
BOS, EOS = "<|bos|>", "<|eos|>"
_U32, _F32, _BOOL, _STRING, _ARRAY, _I32 = 4, 6, 7, 8, 9, 5


@dataclass(frozen=True, slots=True)
class ModelShape:
    """Sizes of a llama-like model with tied embeddings."""

    name: str
    layers: int
    width: int
    heads: int
    kv_heads: int
    feed_forward: int
    n_vocab: int
    weights: WeightType
    n_ctx: int = 8192


SMALL = ModelShape("135M", 30, 576, 9, 3, 1536, 49_152, "Q8_0")
WIDE = ModelShape("0.5B", 24, 896, 14, 2, 4864, 151_936, "Q4_0")
# These take no time, and what is measured on them means nothing.
TINY = ModelShape("tiny", 2, 64, 4, 2, 128, 400, "Q8_0", n_ctx=1024)
TINY_WIDE = ModelShape("tiny wide", 1, 64, 2, 1, 64, 2000, "Q4_0", n_ctx=1024)


@dataclass(frozen=True, slots=True)
class _Tensor:
    name: str
    rows: int
    columns: int
    kind: str

    @property
    def size_bytes(self) -> int:
        count = max(self.rows, 1) * self.columns
        per_block = {"F32": 4 * _BLOCK, "F16": 2 * _BLOCK, "Q8_0": 2 + _BLOCK, "Q4_0": 2 + _BLOCK // 2}
        return count // _BLOCK * per_block[self.kind]


def write_random_model(path: Path, shape: ModelShape, *, seed: int = 0) -> Path:
    """Write the model unless it is there, and return its path."""
    if path.exists():
        return path
    path.parent.mkdir(parents=True, exist_ok=True)
    part = path.with_suffix(".part")
    tensors = list(_tensors(shape))
    values = list(_metadata(shape))
    with part.open("wb") as file:
        file.write(struct.pack("<4sIQQ", b"GGUF", 3, len(tensors), len(values)))
        for key, value in values:
            file.write(_string(key) + value)
        offset = 0
        for tensor in tensors:
            dims = (tensor.columns, tensor.rows) if tensor.rows else (tensor.columns,)
            file.write(_string(tensor.name) + struct.pack("<I", len(dims)))
            file.write(struct.pack(f"<{len(dims)}Q", *dims))
            file.write(struct.pack("<IQ", _TYPE_IDS[tensor.kind], offset))
            offset += -(-tensor.size_bytes // _ALIGNMENT) * _ALIGNMENT
        draw = np.random.default_rng(seed)
        for tensor in tensors:
            _pad(file)
            file.write(_weights(tensor, draw))
        _pad(file)
    part.replace(path)
    return path


def _tensors(shape: ModelShape) -> Iterator[_Tensor]:
    kind, kv = shape.weights, shape.width * shape.kv_heads // shape.heads
    yield _Tensor("token_embd.weight", shape.n_vocab, shape.width, kind)
    yield _Tensor("output_norm.weight", 0, shape.width, "F32")
    for layer in range(shape.layers):
        block = f"blk.{layer}."
        yield _Tensor(block + "attn_norm.weight", 0, shape.width, "F32")
        yield _Tensor(block + "ffn_norm.weight", 0, shape.width, "F32")
        yield _Tensor(block + "attn_q.weight", shape.width, shape.width, kind)
        yield _Tensor(block + "attn_k.weight", kv, shape.width, kind)
        yield _Tensor(block + "attn_v.weight", kv, shape.width, kind)
        yield _Tensor(block + "attn_output.weight", shape.width, shape.width, kind)
        yield _Tensor(block + "ffn_gate.weight", shape.feed_forward, shape.width, kind)
        yield _Tensor(block + "ffn_up.weight", shape.feed_forward, shape.width, kind)
        yield _Tensor(block + "ffn_down.weight", shape.width, shape.feed_forward, kind)


def _weights(tensor: _Tensor, draw: np.random.Generator) -> bytes:
    """Random weights of a spread that keeps activations finite."""
    if tensor.kind == "F32":
        return np.ones(tensor.columns, np.float32).tobytes()
    spread = tensor.columns**-0.5
    if tensor.kind == "F16":
        values = draw.standard_normal(tensor.rows * tensor.columns, np.float32) * spread
        halves: bytes = values.astype(np.float16).tobytes()
        return halves
    blocks = tensor.rows * tensor.columns // _BLOCK
    width = _BLOCK if tensor.kind == "Q8_0" else _BLOCK // 2
    # A uniform byte has a spread of 74 steps, a uniform nibble of 4.6.
    scale = np.float16(spread / (74 if tensor.kind == "Q8_0" else 4.6))
    table = np.empty((blocks, 2 + width), np.uint8)
    table[:, :2] = np.frombuffer(scale.tobytes(), np.uint8)
    table[:, 2:] = np.frombuffer(draw.bytes(blocks * width), np.uint8).reshape(blocks, width)
    data: bytes = table.tobytes()
    return data


def _metadata(shape: ModelShape) -> Iterator[tuple[str, bytes]]:
    """Keys and packed values, type first."""
    yield "general.architecture", _text("llama")
    yield "general.name", _text(f"random {shape.name}")
    for key, number in (
        ("context_length", shape.n_ctx),
        ("embedding_length", shape.width),
        ("block_count", shape.layers),
        ("feed_forward_length", shape.feed_forward),
        ("attention.head_count", shape.heads),
        ("attention.head_count_kv", shape.kv_heads),
        ("rope.dimension_count", shape.width // shape.heads),
    ):
        yield f"llama.{key}", struct.pack("<II", _U32, number)
    yield "llama.attention.layer_norm_rms_epsilon", struct.pack("<If", _F32, 1e-5)
    tokens = vocabulary(shape.n_vocab)
    yield "tokenizer.ggml.model", _text("gpt2")
    yield "tokenizer.ggml.pre", _text("gpt-2")
    yield "tokenizer.ggml.tokens", _texts(tokens)
    kinds = np.ones(len(tokens), np.int32)
    kinds[-2:] = 3
    yield "tokenizer.ggml.token_type", struct.pack("<IIQ", _ARRAY, _I32, len(kinds)) + kinds.tobytes()
    yield "tokenizer.ggml.merges", _texts([f"{tokens[0]} {tokens[1]}"])
    yield "tokenizer.ggml.bos_token_id", struct.pack("<II", _U32, len(tokens) - 2)
    yield "tokenizer.ggml.eos_token_id", struct.pack("<II", _U32, len(tokens) - 1)
    yield "tokenizer.ggml.add_bos_token", struct.pack("<I?", _BOOL, True)


def vocabulary(size: int) -> list[str]:
    """``size`` tokens: each byte in GPT-2's alphabet, the merge of the first two, fillers, BOS and EOS."""
    printable = {*range(33, 127), *range(161, 173), *range(174, 256)}
    unprintable = [value for value in range(256) if value not in printable]
    alphabet = [
        chr(value) if value in printable else chr(256 + unprintable.index(value)) for value in range(256)
    ]
    fillers = [f"filler{number}" for number in range(size - 259)]
    return [*alphabet, alphabet[0] + alphabet[1], *fillers, BOS, EOS]


def _string(text: str) -> bytes:
    data = text.encode()
    return struct.pack("<Q", len(data)) + data


def _text(text: str) -> bytes:
    return struct.pack("<I", _STRING) + _string(text)


def _texts(texts: list[str]) -> bytes:
    return struct.pack("<IIQ", _ARRAY, _STRING, len(texts)) + b"".join(map(_string, texts))


def _pad(file: BinaryIO) -> None:
    file.write(b"\x00" * (-file.tell() % _ALIGNMENT))
