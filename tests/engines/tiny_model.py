"""Writes small GGUFs with random weights, so that engine tests need no trained model.

Llama architecture, byte-level BPE with a few merges, three control tokens. Speed and failure do not
depend on the weights; what a test needs from the text it brings about with stop rules and logit bias.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import gguf
import numpy as np

BOS, EOS, TURN = "<|bos|>", "<|eos|>", "<|turn|>"
MERGES = ("t h", "th e", "Ġ t", "i n", "e r", "Ġ a", "o n", "Ġ s", "a n", "Ġ the", "l l", "o u")


@dataclass(frozen=True)
class Shape:
    """Sizes of a model."""

    layers: int = 2
    width: int = 64
    heads: int = 4
    kv_heads: int = 2
    feed_forward: int = 128
    n_ctx: int = 512
    extra_tokens: int = 0


TINY = Shape()
# Some milliseconds a token: long enough to be cancelled in the middle.
SLOW = Shape(layers=8, width=384, heads=6, kv_heads=2, feed_forward=1536, n_ctx=4096, extra_tokens=2000)


def byte_characters() -> list[str]:
    """GPT-2's printable character for each byte value."""
    printable = [*range(33, 127), *range(161, 173), *range(174, 256)]
    table = {value: chr(value) for value in printable}
    following = 256
    for value in range(256):
        if value not in table:
            table[value] = chr(following)
            following += 1
    return [table[value] for value in range(256)]


def vocabulary(shape: Shape) -> list[str]:
    """Texts of all tokens: bytes, merges, fillers, controls."""
    tokens = byte_characters()
    tokens += [merge.replace(" ", "") for merge in MERGES]
    tokens += [f"filler{number}" for number in range(shape.extra_tokens)]
    return [*tokens, BOS, EOS, TURN]


def _add_byte_level_tokenizer(writer: gguf.GGUFWriter, shape: Shape) -> list[str]:
    tokens = vocabulary(shape)
    writer.add_tokenizer_model("gpt2")
    writer.add_tokenizer_pre("gpt-2")
    writer.add_token_list(tokens)
    kinds = [gguf.TokenType.NORMAL] * (len(tokens) - 3) + [gguf.TokenType.CONTROL] * 3
    writer.add_token_types(kinds)
    writer.add_token_merges(list(MERGES))
    writer.add_bos_token_id(len(tokens) - 3)
    writer.add_eos_token_id(len(tokens) - 2)
    return tokens


def _add_sentence_piece_tokenizer(writer: gguf.GGUFWriter) -> list[str]:
    """Llama 2's kind: a space in front of the text, bytes where no token fits, and a scored vocabulary.

    ``</s`` and ``s>`` are tokens, so that merging could make the control token out of plain text.
    """
    pieces = ["▁", "▁the", "he", "th", "the", "▁t", "</", "s>", "</s", *"abcdefghijklmnopqrstuvwxyz<>/."]
    tokens = ["<unk>", "<s>", "</s>", *(f"<0x{value:02X}>" for value in range(256)), *pieces]
    kinds = [gguf.TokenType.UNKNOWN, gguf.TokenType.CONTROL, gguf.TokenType.CONTROL]
    kinds += [gguf.TokenType.BYTE] * 256 + [gguf.TokenType.NORMAL] * len(pieces)
    writer.add_tokenizer_model("llama")
    writer.add_token_list(tokens)
    writer.add_token_scores([0.0] * 259 + [-float(number) for number in range(len(pieces))])
    writer.add_token_types(kinds)
    writer.add_bos_token_id(1)
    writer.add_eos_token_id(2)
    writer.add_add_space_prefix(True)
    return tokens


def write_model(
    path: Path,
    shape: Shape = TINY,
    *,
    seed: int = 0,
    add_bos: bool = True,
    sentence_piece: bool = False,
    tensors_a_part: int = 0,
) -> Path:
    """Write a GGUF with random weights to ``path`` and return it; where it is split, its first part."""
    draw = np.random.default_rng(seed)
    writer = gguf.GGUFWriter(path, "llama", split_max_tensors=tensors_a_part)
    writer.add_name("tiny random")
    writer.add_context_length(shape.n_ctx)
    writer.add_embedding_length(shape.width)
    writer.add_block_count(shape.layers)
    writer.add_feed_forward_length(shape.feed_forward)
    writer.add_head_count(shape.heads)
    writer.add_head_count_kv(shape.kv_heads)
    writer.add_layer_norm_rms_eps(1e-5)
    writer.add_rope_dimension_count(shape.width // shape.heads)
    tokens = (
        _add_sentence_piece_tokenizer(writer) if sentence_piece else _add_byte_level_tokenizer(writer, shape)
    )
    writer.add_add_bos_token(add_bos)

    def add(name: str, rows: int, columns: int, scale: float) -> None:
        weights = draw.standard_normal((rows, columns)).astype(np.float32) * scale
        writer.add_tensor(name, weights.astype(np.float16))

    kv_width = shape.width * shape.kv_heads // shape.heads
    inner = shape.width**-0.5
    add("token_embd.weight", len(tokens), shape.width, 1.0)
    add("output.weight", len(tokens), shape.width, 2 * inner)
    writer.add_tensor("output_norm.weight", np.ones(shape.width, np.float32))
    for layer in range(shape.layers):
        block = f"blk.{layer}."
        writer.add_tensor(block + "attn_norm.weight", np.ones(shape.width, np.float32))
        writer.add_tensor(block + "ffn_norm.weight", np.ones(shape.width, np.float32))
        add(block + "attn_q.weight", shape.width, shape.width, inner)
        add(block + "attn_k.weight", kv_width, shape.width, inner)
        add(block + "attn_v.weight", kv_width, shape.width, inner)
        add(block + "attn_output.weight", shape.width, shape.width, inner)
        add(block + "ffn_gate.weight", shape.feed_forward, shape.width, inner)
        add(block + "ffn_up.weight", shape.feed_forward, shape.width, inner)
        add(block + "ffn_down.weight", shape.width, shape.feed_forward, shape.feed_forward**-0.5)
    writer.write_header_to_file()
    writer.write_kv_data_to_file()
    writer.write_tensors_to_file()
    writer.close()
    return next(path.parent.glob(f"{path.stem}-00001-of-*.gguf")) if tensors_a_part else path
