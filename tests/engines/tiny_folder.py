"""Writes the model of ``tiny_model`` as a transformers folder: the same weights, vocabulary and merges.

What the two engines say of a text can then be compared number by number, with no trained model.
"""

from __future__ import annotations

import json
from pathlib import Path

import gguf
import numpy as np
from safetensors.numpy import save_file
from tiny_model import BOS, EOS, MERGES, TINY, TURN, Shape, vocabulary

_NAMES = {
    "attn_norm": "input_layernorm",
    "ffn_norm": "post_attention_layernorm",
    "attn_q": "self_attn.q_proj",
    "attn_k": "self_attn.k_proj",
    "attn_v": "self_attn.v_proj",
    "attn_output": "self_attn.o_proj",
    "ffn_gate": "mlp.gate_proj",
    "ffn_up": "mlp.up_proj",
    "ffn_down": "mlp.down_proj",
}
_OUTER = {
    "token_embd.weight": "model.embed_tokens.weight",
    "output.weight": "lm_head.weight",
    "output_norm.weight": "model.norm.weight",
}


def _half_rotated(weights: np.ndarray, heads: int) -> np.ndarray:
    """Rows reordered from llama.cpp's pairs of neighbours to transformers' two halves of a head."""
    rows, columns = weights.shape
    return weights.reshape(heads, rows // heads // 2, 2, columns).swapaxes(1, 2).reshape(rows, columns)


def write_folder(folder: Path, source: Path, shape: Shape = TINY, *, add_bos: bool = True) -> Path:
    """Write the GGUF ``source`` to ``folder`` as safetensors, config and tokenizer; returns the folder."""
    folder.mkdir(parents=True, exist_ok=True)
    tensors: dict[str, np.ndarray] = {}
    for tensor in gguf.GGUFReader(source).tensors:
        weights = np.array(tensor.data, np.float32).reshape(tensor.shape[::-1])
        if tensor.name in _OUTER:
            tensors[_OUTER[tensor.name]] = weights
            continue
        _, layer, name, _ = tensor.name.split(".")
        if name in ("attn_q", "attn_k"):
            weights = _half_rotated(weights, shape.heads if name == "attn_q" else shape.kv_heads)
        tensors[f"model.layers.{layer}.{_NAMES[name]}.weight"] = np.ascontiguousarray(weights)
    save_file(tensors, folder / "model.safetensors", metadata={"format": "pt"})
    _write(folder / "config.json", config_of(shape))
    write_tokenizer(folder, shape, add_bos=add_bos)
    return folder


def write_tokenizer(
    folder: Path, shape: Shape = TINY, *, add_bos: bool = True, with_eos: bool = True
) -> None:
    """Write ``tokenizer.json`` and its configuration."""
    _write(folder / "tokenizer.json", _tokenizer(vocabulary(shape), add_bos=add_bos))
    options = {"bos_token": BOS, "tokenizer_class": "PreTrainedTokenizerFast"}
    options |= {"eos_token": EOS} if with_eos else {}
    _write(folder / "tokenizer_config.json", {**options, "clean_up_tokenization_spaces": False})


def config_of(shape: Shape = TINY) -> dict[str, object]:
    """``config.json`` of a shape."""
    n_vocab = len(vocabulary(shape))
    return {
        "architectures": ["LlamaForCausalLM"],
        "model_type": "llama",
        "vocab_size": n_vocab,
        "hidden_size": shape.width,
        "intermediate_size": shape.feed_forward,
        "num_hidden_layers": shape.layers,
        "num_attention_heads": shape.heads,
        "num_key_value_heads": shape.kv_heads,
        "max_position_embeddings": shape.n_ctx,
        "rms_norm_eps": 1e-5,
        "rope_theta": 10000.0,
        "tie_word_embeddings": False,
        "bos_token_id": n_vocab - 3,
        "eos_token_id": n_vocab - 2,
        "dtype": "float32",
    }


def _tokenizer(tokens: list[str], *, add_bos: bool) -> dict[str, object]:
    controls = [{"id": tokens.index(text), "content": text} for text in (BOS, EOS, TURN)]
    flags = {"single_word": False, "lstrip": False, "rstrip": False, "normalized": False, "special": True}
    byte_level = {"type": "ByteLevel", "add_prefix_space": False, "trim_offsets": True, "use_regex": True}
    bos = {"SpecialToken": {"id": BOS, "type_id": 0}}
    text, other = ({"Sequence": {"id": name, "type_id": kind}} for kind, name in enumerate("AB"))
    template = {
        "type": "TemplateProcessing",
        "single": [bos, text] if add_bos else [text],
        "pair": [bos, text, other] if add_bos else [text, other],
        "special_tokens": {BOS: {"id": BOS, "ids": [tokens.index(BOS)], "tokens": [BOS]}},
    }
    return {
        "version": "1.0",
        "truncation": None,
        "padding": None,
        "added_tokens": [{**control, **flags} for control in controls],
        "normalizer": None,
        "pre_tokenizer": byte_level,
        "post_processor": template,
        "decoder": byte_level,
        "model": {
            "type": "BPE",
            "dropout": None,
            "unk_token": None,
            "continuing_subword_prefix": None,
            "end_of_word_suffix": None,
            "fuse_unk": False,
            "byte_fallback": False,
            "ignore_merges": False,
            "vocab": {token: number for number, token in enumerate(tokens)},
            "merges": [merge.split(" ") for merge in MERGES],
        },
    }


def _write(path: Path, value: object) -> None:
    path.write_text(json.dumps(value, ensure_ascii=False), encoding="utf-8")
