"""Where llama.cpp and transformers part: largest differences of a logprob, cause by cause.

``python tests/engines/rounding.py [GGUF FOLDER]`` prints a table. The bundled base model without arguments.
What was found is in docs/log.md.
"""

from __future__ import annotations

import copy
import sys
import tempfile
from itertools import permutations
from pathlib import Path
from typing import Any

import gguf
import llama_cpp.llama_cpp as lib
import numpy as np
import torch
from transformers import AutoModelForCausalLM, AutoTokenizer

from playground.presets.library import PresetLibrary
from playground.settings import Settings

WREN = Path(__file__).parents[2] / "models" / "wren"
Logprobs = np.ndarray[Any, np.dtype[np.float64]]


def main() -> None:
    """Measure and print."""
    torch.set_num_threads(1)
    file, folder = (Path(p) for p in sys.argv[1:3] or (WREN / "wren-base-f16.gguf", WREN / "hf-base"))
    tokenizer: Any = AutoTokenizer.from_pretrained(folder)
    model: Any = AutoModelForCausalLM.from_pretrained(folder, dtype=torch.float32).eval()
    same = with_norms_of(file, copy.deepcopy(model))
    texts = arbitrary_texts() + [written(model, tokenizer, start) for start in arbitrary_texts()[:10]]
    ids = [list(tokenizer(text, add_special_tokens=False)["input_ids"])[:500] for text in texts]
    print(f"{sum(map(len, ids)):,} tokens of {len(ids)} texts, the last 10 written by the model")
    exact = [by_transformers(model, one) for one in ids]
    from_same = [by_transformers(same, one) for one in ids]
    show("transformers, the GGUF's norms", "transformers, its folder", from_same, exact)
    with tempfile.TemporaryDirectory() as work:
        wide = widened(file, Path(work) / "f32.gguf")
        for weights, path in (("f16", file), ("the same in f32", wide)):
            for kv in ("f16", "f32"):
                for flash in (False, True) if kv == "f16" else (False,):
                    name = f"llama.cpp, weights {weights}, KV {kv}{', flash attention' if flash else ''}"
                    found = by_llama(path, ids, kv=kv, flash=flash)
                    show(name, "transformers, its folder", found, exact)
                    show(name, "transformers, the GGUF's norms", found, from_same)


def with_norms_of(file: Path, model: Any) -> Any:
    """The model with the norms of the GGUF, which keeps them in f32 whatever the other weights are in."""
    norms = {"attn_norm": "input_layernorm", "ffn_norm": "post_attention_layernorm"}
    weights = model.state_dict()
    for tensor in gguf.GGUFReader(file).tensors:
        _, layer, name = ["", "", *tensor.name.removesuffix(".weight").split(".")][-3:]
        at = f"model.layers.{layer}.{norms[name]}.weight" if name in norms else "model.norm.weight"
        if name in norms or name == "output_norm":
            weights[at].copy_(torch.from_numpy(np.array(tensor.data, np.float32)))
    return model


def arbitrary_texts() -> list[str]:
    """Exchanges of the shipped presets, two at a time: most were never written by the model."""
    library = PresetLibrary(Settings.load().shipped_presets, Path())
    entries = [library.load(entry.name) for entry in library.entries() if entry.error is None]
    examples = dict.fromkeys((e.query, e.answer) for preset in entries for e in preset.examples)
    texts = [f"# Query:\n{query}\n\n# Answer:\n{answer}\n" for query, answer in examples]
    return [f"{one}\n{two}" for one, two in permutations(texts, 2)][:50]


def written(model: Any, tokenizer: Any, start: str) -> str:
    """A start and what the model goes on with."""
    ids = tokenizer(start, add_special_tokens=False, return_tensors="pt")["input_ids"]
    with torch.inference_mode():
        whole = model.generate(ids, do_sample=False, max_new_tokens=48, pad_token_id=0)[0]
    return str(tokenizer.decode(whole))


def by_transformers(model: Any, ids: list[int]) -> Logprobs:
    """Logprobs ``[n_tokens - 1]`` of each token after the first."""
    with torch.inference_mode():
        rows = torch.log_softmax(model(torch.tensor([ids]), use_cache=False).logits[0].double(), -1)
    return rows[:-1].gather(1, torch.tensor(ids)[1:, None])[:, 0].numpy()


def by_llama(path: Path, texts: list[list[int]], *, kv: str, flash: bool) -> list[Logprobs]:
    """The same by the library's own calls, so that every option can be set."""
    lib.llama_log_set(_SILENT, None)
    model = lib.llama_model_load_from_file(str(path).encode(), lib.llama_model_default_params())
    params = lib.llama_context_default_params()
    params.n_ctx = params.n_batch = params.n_ubatch = 512
    params.n_threads = params.n_threads_batch = 1
    params.type_k = params.type_v = 0 if kv == "f32" else 1
    params.flash_attn_type = (
        lib.LLAMA_FLASH_ATTN_TYPE_ENABLED if flash else lib.LLAMA_FLASH_ATTN_TYPE_DISABLED
    )
    context = lib.llama_init_from_model(model, params)
    n_vocab = lib.llama_vocab_n_tokens(lib.llama_model_get_vocab(model))
    found = []
    for ids in texts:
        lib.llama_memory_clear(lib.llama_get_memory(context), True)
        batch = lib.llama_batch_init(len(ids), 0, 1)
        batch.n_tokens = len(ids)
        for place, token in enumerate(ids):
            batch.token[place], batch.pos[place], batch.logits[place] = token, place, 1
            batch.n_seq_id[place], batch.seq_id[place][0] = 1, 0
        assert lib.llama_decode(context, batch) == 0
        rows = np.ctypeslib.as_array(lib.llama_get_logits(context), (len(ids), n_vocab)).astype(np.float64)
        lib.llama_batch_free(batch)
        rows -= rows.max(axis=1, keepdims=True)
        logprobs = rows - np.log(np.exp(rows).sum(axis=1, keepdims=True))
        found.append(logprobs[np.arange(len(ids) - 1), ids[1:]])
    lib.llama_free(context)
    lib.llama_model_free(model)
    return found


_SILENT = lib.llama_log_callback(lambda *_: None)


def widened(source: Path, target: Path) -> Path:
    """The file with every weight in f32, of the same values."""
    reader = gguf.GGUFReader(source)
    writer = gguf.GGUFWriter(target, str(reader.fields["general.architecture"].contents()))
    for name, field in reader.fields.items():
        if name.startswith("GGUF.") or name == "general.architecture":
            continue
        kind = field.types[0]
        writer.add_key_value(name, field.contents(), kind, field.types[-1] if len(field.types) > 1 else None)
    for tensor in reader.tensors:
        writer.add_tensor(tensor.name, np.array(tensor.data, np.float32))
    writer.write_header_to_file()
    writer.write_kv_data_to_file()
    writer.write_tensors_to_file()
    writer.close()
    return target


def show(one: str, other: str, found: list[Logprobs], known: list[Logprobs]) -> None:
    """One line: largest and 99th percentile, over all texts and over what the model wrote."""
    apart = [np.abs(a - b) for a, b in zip(found, known, strict=True)]
    every, own = np.concatenate(apart), np.concatenate(apart[-10:])
    likely = np.concatenate(known) > np.log(0.01)
    print(
        f"{one:58} | {other:36} | largest {every.max():.4f} | 99 % {np.quantile(every, 0.99):.4f} "
        f"| of tokens above 1 % {every[likely].max():.4f} | of its own {own.max():.4f}",
        flush=True,
    )


if __name__ == "__main__":
    main()
