"""A model of any Llama shape with random weights in memory, and a small folder of the same tokenizer."""

from __future__ import annotations

import sys
from pathlib import Path
from types import ModuleType, SimpleNamespace
from typing import Any

import torch
from transformers import AutoTokenizer, LlamaConfig, LlamaForCausalLM

sys.path.insert(0, str(Path(__file__).parents[1] / "engines"))
# The GPU machine need not have gguf, which only writing GGUFs takes.
sys.modules.setdefault("gguf", ModuleType("gguf"))
if not hasattr(sys.modules["gguf"], "GGUFWriter"):
    sys.modules["gguf"].GGUFWriter = SimpleNamespace  # type: ignore[attr-defined]

from tiny_folder import write_tokenizer  # noqa: E402
from tiny_model import TINY, vocabulary  # noqa: E402

from playground.engines.transformers.model import TorchModel  # noqa: E402
from playground.engines.transformers.vocab import Vocab  # noqa: E402

N_TOKENS = len(vocabulary(TINY))


def llama_7b(n_ctx: int = 2048) -> LlamaConfig:
    """Llama 2 7B's shape (arXiv 2307.09288)."""
    return LlamaConfig(
        vocab_size=32_000,
        hidden_size=4096,
        intermediate_size=11_008,
        num_hidden_layers=32,
        num_attention_heads=32,
        num_key_value_heads=32,
        max_position_embeddings=n_ctx,
        bos_token_id=N_TOKENS - 3,
        eos_token_id=None,
    )


def small(n_ctx: int = 2048) -> LlamaConfig:
    """A shape that a CPU runs in no time, to see that the measurement itself works."""
    return LlamaConfig(
        vocab_size=320,
        hidden_size=64,
        intermediate_size=128,
        num_hidden_layers=2,
        num_attention_heads=4,
        num_key_value_heads=2,
        max_position_embeddings=n_ctx,
        bos_token_id=N_TOKENS - 3,
        eos_token_id=None,
    )


class RandomModel(TorchModel):
    """As ``TorchModel`` loads one, without a file; no token ends a text."""

    def __init__(self, config: LlamaConfig, folder: Path, *, device: str, dtype: torch.dtype) -> None:
        self.name = "random"
        self.device = torch.device(device)
        self.dtype = dtype
        self.config = config
        torch.manual_seed(0)
        with torch.device(device):
            before = torch.get_default_dtype()
            torch.set_default_dtype(dtype)
            try:
                self.model: Any = LlamaForCausalLM._from_config(config, attn_implementation="sdpa")
            finally:
                torch.set_default_dtype(before)
        self.model = self.model.eval()
        self._text = config
        self.n_vocab = config.vocab_size
        write_tokenizer(folder, with_eos=False)
        self.vocab = Vocab(AutoTokenizer.from_pretrained(folder), self.n_vocab, [])
        self.chat_template = None
        self.load_s = 0.0
