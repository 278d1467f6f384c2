"""Plain ``transformers.generate`` as the benchmark's other side, and a random model's folder for both.

What somebody with a safetensors model does without this program: one prompt after the other, or prompts of
one length in a batch. ``generate`` begins each prompt from its first token.
"""

from __future__ import annotations

import json
import time
from pathlib import Path
from typing import Any

import torch
from tokenizers import Tokenizer, decoders, models, pre_tokenizers, processors
from transformers import AutoModelForCausalLM, AutoTokenizer, LlamaConfig, LlamaForCausalLM
from transformers.utils import logging as transformers_logging

from playground.experiments.bench_model import BOS, ModelShape, vocabulary


def write_random_folder(folder: Path, shape: ModelShape) -> Path:
    """Write a model with random weights unless it is there, and return its folder.

    In bfloat16, so that it takes half the room on disk; no token ends a text.
    """
    if (folder / "config.json").exists():
        return folder
    folder.mkdir(parents=True, exist_ok=True)
    tokens = vocabulary(shape.n_vocab)
    transformers_logging.disable_progress_bar()
    torch.manual_seed(0)
    config = LlamaConfig(
        vocab_size=shape.n_vocab,
        hidden_size=shape.width,
        intermediate_size=shape.feed_forward,
        num_hidden_layers=shape.layers,
        num_attention_heads=shape.heads,
        num_key_value_heads=shape.kv_heads,
        max_position_embeddings=shape.n_ctx,
        tie_word_embeddings=True,
        bos_token_id=tokens.index(BOS),
        eos_token_id=None,
    )
    backend = Tokenizer(models.BPE({token: number for number, token in enumerate(tokens)}, []))
    backend.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
    backend.decoder = decoders.ByteLevel()
    backend.add_special_tokens([BOS])
    template = processors.TemplateProcessing(single=f"{BOS} $A", special_tokens=[(BOS, tokens.index(BOS))])
    backend.post_processor = template
    backend.save(str(folder / "tokenizer.json"))
    described = {"bos_token": BOS, "tokenizer_class": "PreTrainedTokenizerFast"}
    (folder / "tokenizer_config.json").write_text(json.dumps(described), encoding="utf-8")
    # The configuration comes last: a folder that has one is whole.
    model: Any = LlamaForCausalLM(config).to(torch.bfloat16)
    whole = folder.with_name(folder.name + ".part")
    model.save_pretrained(whole)
    for path in sorted(whole.iterdir(), key=lambda path: path.name == "config.json"):
        path.replace(folder / path.name)
    whole.rmdir()
    return folder


class Generate:
    """A model behind ``generate``; a ``bench_work.Baseline``.

    Args:
        folder: The model.
        device: As torch names it. dtype: As torch names it.
        n_threads: Threads of a CPU.
    """

    name = "generate"

    def __init__(self, folder: Path, *, device: str, dtype: str, n_threads: int) -> None:
        torch.set_num_threads(n_threads)
        self._device = torch.device(device)
        self._tokenizer: Any = AutoTokenizer.from_pretrained(folder, local_files_only=True)
        model: Any = AutoModelForCausalLM.from_pretrained(
            folder, dtype=getattr(torch, dtype), use_safetensors=True, local_files_only=True
        )
        self._model: Any = model.to(self._device).eval()

    def tokens(self, text: str) -> list[int]:
        """Token ids with BOS."""
        ids: list[int] = self._tokenizer(text)["input_ids"]
        return ids

    def first_token_s(self, prompt: list[int]) -> float:
        """Seconds to the first token of a continuation."""
        return self.complete_s(prompt, 1)[0]

    def complete_s(self, prompt: list[int], n_tokens: int, *, samples: int = 1) -> tuple[float, float]:
        """Seconds to the first token, and from there to the last, of all samples in one batch."""
        clock = _Clock()
        self._generate(
            [prompt], n_tokens, streamer=clock, do_sample=samples > 1, num_return_sequences=samples
        )
        return clock.times[1] - clock.times[0], clock.times[-1] - clock.times[1]

    def batch_s(self, prompts: list[list[int]], n_tokens: int) -> float:
        """Seconds for prompts in one batch, padded on the left to the longest."""
        started = time.perf_counter()
        self._generate(prompts, n_tokens, do_sample=False)
        return time.perf_counter() - started

    def _generate(self, prompts: list[list[int]], n_tokens: int, **options: Any) -> None:
        longest = max(map(len, prompts))
        rows = [[0] * (longest - len(prompt)) + prompt for prompt in prompts]
        seen = [[0] * (longest - len(prompt)) + [1] * len(prompt) for prompt in prompts]
        with torch.inference_mode():
            found = self._model.generate(
                torch.tensor(rows, device=self._device),
                attention_mask=torch.tensor(seen, device=self._device),
                max_new_tokens=n_tokens,
                min_new_tokens=n_tokens,
                pad_token_id=0,
                **options,
            )
        # Copying them here waits for the device.
        found.cpu()

    def score_s(self, text: str, top: int) -> float:
        """Seconds for one forward pass and what is to be told of each token: the plain formulas in torch."""
        started = time.perf_counter()
        with torch.inference_mode():
            ids = torch.tensor([self.tokens(text)], device=self._device)
            rows = torch.log_softmax(self._model(ids, use_cache=False).logits[0, :-1].float(), -1)
            mine = rows.gather(1, ids[0, 1:, None])
            ranks = (rows > mine).sum(1) + 1
            entropies = -(rows.exp() * rows).sum(1)
            best = rows.topk(top, 1)
            for told in (mine, ranks, entropies, best.values, best.indices):
                told.cpu()
        return time.perf_counter() - started

    def close(self) -> None:
        """Free it."""
        self._model = None


class _Clock:
    """What ``generate`` calls with the prompt, and then with each token: keeps the times."""

    def __init__(self) -> None:
        self.times: list[float] = []

    def put(self, value: torch.Tensor) -> None:
        """A token is there."""
        self.times.append(time.perf_counter())

    def end(self) -> None:
        """There are no more."""
