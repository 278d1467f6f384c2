"""The trained weights as f16 GGUF for llama.cpp and as safetensors for transformers.

Names and layouts follow `gguf-py` (MODEL_ARCH.LLAMA) and transformers' `LlamaForCausalLM`. Two
things differ between them and are easy to get silently wrong: llama.cpp rotates neighbouring
channels, so the rows of q and k are permuted; and it needs the tokenizer's kind spelt out.
"""

from __future__ import annotations

import json
from pathlib import Path

import gguf
import numpy as np
import torch
from numpy.typing import NDArray
from tokenizers import Tokenizer
from torch import Tensor

from models.wren.network import Llama, Shape
from models.wren.recipe import Recipe
from models.wren.tokenizer import (
    END_OF_TEXT,
    EOT_ID,
    SPECIALS,
    TURN_END,
    TURN_END_ID,
    load_or_train,
)
from models.wren.tune import load_base

CHAT_TEMPLATE = (
    "{% for message in messages %}"
    "{{ '<|im_start|>' + message['role'] + '\\n' + message['content'] + '<|im_end|>' + '\\n' }}"
    "{% endfor %}"
    "{% if add_generation_prompt %}{{ '<|im_start|>assistant\\n' }}{% endif %}"
)
FILE_TYPE_F16 = 1


def permute_rotary(weight: Tensor, heads: int) -> Tensor:
    """Rows of a q or k projection `[heads * width, in]` from half-split to interleaved order."""
    rows, columns = weight.shape
    return weight.reshape(heads, 2, rows // heads // 2, columns).swapaxes(1, 2).reshape(rows, columns)


def _f16(weight: Tensor) -> NDArray[np.float16]:
    array: NDArray[np.float16] = weight.detach().float().numpy().astype(np.float16)
    return array


def write_gguf(model: Llama, tokenizer: Tokenizer, path: Path, *, chat: bool) -> None:
    """Write `model` to `path`; `chat` adds the chat template and ends turns at `<|im_end|>`."""
    shape = model.shape
    writer = gguf.GGUFWriter(str(path), "llama")
    writer.add_name(f"wren {'instruct' if chat else 'base'}")
    writer.add_license("apache-2.0")
    writer.add_context_length(shape.context)
    writer.add_embedding_length(shape.width)
    writer.add_block_count(shape.layers)
    writer.add_feed_forward_length(shape.hidden)
    writer.add_head_count(shape.heads)
    writer.add_head_count_kv(shape.kv_heads)
    writer.add_layer_norm_rms_eps(shape.epsilon)
    writer.add_rope_dimension_count(shape.head_width)
    writer.add_rope_freq_base(shape.rope_base)
    writer.add_vocab_size(shape.vocabulary)
    writer.add_file_type(FILE_TYPE_F16)
    _write_tokenizer(writer, tokenizer, shape, chat=chat)
    writer.add_tensor("token_embd.weight", _f16(model.embedding.weight))
    writer.add_tensor("output_norm.weight", model.norm.weight.detach().float().numpy())
    for i, block in enumerate(model.blocks):
        state = block.state_dict()
        for ours, theirs in (("attention_norm", "attn_norm"), ("mlp_norm", "ffn_norm")):
            gain = state[f"{ours}.weight"].float().numpy()
            writer.add_tensor(f"blk.{i}.{theirs}.weight", gain)
        matrices = {
            "attn_q": permute_rotary(state["q.weight"], shape.heads),
            "attn_k": permute_rotary(state["k.weight"], shape.kv_heads),
            "attn_v": state["v.weight"],
            "attn_output": state["o.weight"],
            "ffn_gate": state["gate.weight"],
            "ffn_up": state["up.weight"],
            "ffn_down": state["down.weight"],
        }
        for name, matrix in matrices.items():
            writer.add_tensor(f"blk.{i}.{name}.weight", _f16(matrix))
    writer.write_header_to_file()
    writer.write_kv_data_to_file()
    writer.write_tensors_to_file()
    writer.close()


def _write_tokenizer(writer: gguf.GGUFWriter, tokenizer: Tokenizer, shape: Shape, *, chat: bool) -> None:
    spec = json.loads(tokenizer.to_str())["model"]
    tokens = [token for token, _ in sorted(spec["vocab"].items(), key=lambda item: item[1])]
    if len(tokens) != shape.vocabulary:
        raise ValueError(f"the tokenizer has {len(tokens)} tokens, the model {shape.vocabulary}")
    types = [gguf.TokenType.CONTROL if token in SPECIALS else gguf.TokenType.NORMAL for token in tokens]
    merges = [pair if isinstance(pair, str) else " ".join(pair) for pair in spec["merges"]]
    writer.add_tokenizer_model("gpt2")
    writer.add_tokenizer_pre("gpt-2")
    writer.add_token_list(tokens)
    writer.add_token_types(types)
    writer.add_token_merges(merges)
    writer.add_bos_token_id(EOT_ID)
    writer.add_eos_token_id(TURN_END_ID if chat else EOT_ID)
    writer.add_pad_token_id(EOT_ID)
    writer.add_add_bos_token(False)
    writer.add_add_eos_token(False)
    if chat:
        writer.add_chat_template(CHAT_TEMPLATE)


def write_transformers(model: Llama, tokenizer: Tokenizer, folder: Path, *, chat: bool) -> None:
    """Write `model` and its tokenizer as transformers reads them, in f16."""
    from transformers import LlamaConfig, LlamaForCausalLM, PreTrainedTokenizerFast

    shape = model.shape
    config = LlamaConfig(
        vocab_size=shape.vocabulary,
        hidden_size=shape.width,
        intermediate_size=shape.hidden,
        num_hidden_layers=shape.layers,
        num_attention_heads=shape.heads,
        num_key_value_heads=shape.kv_heads,
        max_position_embeddings=shape.context,
        rms_norm_eps=shape.epsilon,
        rope_parameters={"rope_type": "default", "rope_theta": shape.rope_base},
        tie_word_embeddings=True,
        bos_token_id=EOT_ID,
        eos_token_id=TURN_END_ID if chat else EOT_ID,
        pad_token_id=EOT_ID,
    )
    theirs = LlamaForCausalLM(config)
    state = {"model.embed_tokens.weight": model.embedding.weight}
    state["model.norm.weight"] = model.norm.weight
    names = {
        "attention_norm": "input_layernorm",
        "mlp_norm": "post_attention_layernorm",
        "q": "self_attn.q_proj",
        "k": "self_attn.k_proj",
        "v": "self_attn.v_proj",
        "o": "self_attn.o_proj",
        "gate": "mlp.gate_proj",
        "up": "mlp.up_proj",
        "down": "mlp.down_proj",
    }
    for i, block in enumerate(model.blocks):
        for key, weight in block.state_dict().items():
            name = names[key.removesuffix(".weight")]
            state[f"model.layers.{i}.{name}.weight"] = weight
    state["lm_head.weight"] = model.embedding.weight
    theirs.load_state_dict({key: value.detach() for key, value in state.items()})
    theirs.to(torch.float16)
    theirs.save_pretrained(folder)
    wrapped = PreTrainedTokenizerFast(
        tokenizer_object=tokenizer,
        bos_token=END_OF_TEXT,
        eos_token=TURN_END if chat else END_OF_TEXT,
        pad_token=END_OF_TEXT,
        clean_up_tokenization_spaces=False,
        model_max_length=shape.context,
    )
    if chat:
        wrapped.chat_template = CHAT_TEMPLATE
    wrapped.save_pretrained(folder)


def export_model(model: Llama, tokenizer: Tokenizer, folder: Path, *, chat: bool) -> None:
    """Write both formats to `folder`: `wren-<role>-f16.gguf` and `hf-<role>/`.

    Every weight of `model` is rounded to f16 first, in place. The GGUF keeps norms in f32, the safetensors
    in f16; rounded like this both hold the same numbers.
    """
    role = "instruct" if chat else "base"
    folder.mkdir(parents=True, exist_ok=True)
    model = model.to("cpu")
    with torch.no_grad():
        for parameter in model.parameters():
            parameter.copy_(parameter.half().float())
    path = folder / f"wren-{role}-f16.gguf"
    partial = path.with_suffix(".partial")
    write_gguf(model, tokenizer, partial, chat=chat)
    partial.replace(path)  # a running program may have the old file mapped into memory
    write_transformers(model, tokenizer, folder / f"hf-{role}", chat=chat)


def export_pair(recipe: Recipe, folder: Path, out: Path, *, base_checkpoint: Path | None = None) -> None:
    """Write the models of the checkpoints in `folder` to `out`: the base, and the instruct if tuned."""
    tokenizer = load_or_train(folder, recipe.seed, recipe.shape.vocabulary)
    base = load_base(recipe, folder, base_checkpoint)
    export_model(base, tokenizer, out, chat=False)
    tuned = folder / f"{recipe.tuning.name}.pt"
    if tuned.exists():
        export_model(load_base(recipe, folder, tuned), tokenizer, out, chat=True)
