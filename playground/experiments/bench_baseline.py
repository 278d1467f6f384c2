"""The high-level ``llama_cpp.Llama`` at its best, as the benchmark's other side.

Prefix match on (it is built in), no RAM cache (which costs 0.7 s a call), the same file, threads and batch.
"""

from __future__ import annotations

import time
from pathlib import Path
from typing import Any


class HighLevel:
    """One sequence, one request at a time; a ``bench_work.Baseline``.

    Args:
        path: The model.
        n_ctx: Context in tokens.
        n_threads: Threads for native work.
        n_ubatch: Most tokens of a native pass.
        all_logits: Keep the logits of every position, which its echo with logprobs needs.
    """

    name = "llama_cpp.Llama"

    def __init__(
        self, path: Path, *, n_ctx: int, n_threads: int, n_ubatch: int, all_logits: bool = False
    ) -> None:
        from llama_cpp import Llama

        self._llama: Any = Llama(
            str(path),
            n_ctx=n_ctx,
            n_batch=512,
            n_ubatch=n_ubatch,
            n_threads=n_threads,
            n_threads_batch=n_threads,
            logits_all=all_logits,
            verbose=False,
        )

    def tokens(self, text: str) -> list[int]:
        """Token ids with BOS."""
        ids: list[int] = self._llama.tokenize(text.encode(), add_bos=True)
        return ids

    def first_token_s(self, prompt: list[int]) -> float:
        """Seconds to the first token of a continuation."""
        started = time.perf_counter()
        for _ in self._llama.generate(prompt, temp=0.0):
            break
        return time.perf_counter() - started

    def complete_s(self, prompt: list[int], n_tokens: int) -> tuple[float, float]:
        """Seconds to the first token, and from there to the last."""
        started = time.perf_counter()
        first = 0.0
        stream = self._llama.create_completion(prompt, max_tokens=n_tokens, temperature=0.0, stream=True)
        for _ in stream:
            first = first or time.perf_counter()
        return first - started, time.perf_counter() - first

    def forget(self) -> None:
        """Drop what is cached."""
        self._llama.reset()
        self._llama._ctx.kv_cache_clear()

    def score_s(self, text: str, top: int) -> float:
        """Seconds for the echo of a text with its log-probabilities."""
        self.forget()
        started = time.perf_counter()
        self._llama.create_completion(text, max_tokens=1, echo=True, logprobs=top, temperature=0.0)
        return time.perf_counter() - started

    def close(self) -> None:
        """Free it."""
        self._llama.close()
