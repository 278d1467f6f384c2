"""The work that the benchmark measures: how large, on which texts, and how it is timed."""

from __future__ import annotations

import time
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Literal, Protocol

from playground.engines.base import Engine, Finished, GenerateRequest
from playground.engines.load import EngineSpec
from playground.experiments.bench_model import SMALL, TINY, TINY_WIDE, WIDE, ModelShape
from playground.types import Origin, Piece, SamplingParams

_ORIGIN = Origin("turn", "query")


def piece(text: str) -> Piece:
    """A piece of a prompt."""
    return Piece(text, _ORIGIN)


@dataclass(frozen=True, slots=True)
class BenchOptions:
    """What is measured, and how large.

    Attributes:
        folder: For the models, which are written once.
        rounds: Of each row; the median counts.
        prefix: Tokens of a preset. question, reply: Tokens of each. history: Of a known conversation.
        questions: Behind one preset. samples: Of one prompt.
        scored: Tokens of a text that is scored.
        n_threads: For both sides. n_ubatch: For both sides.
        narrow: The model of most rows. wide: The one with the wide vocabulary.
        model: A real file (or folder, for transformers) instead of ``narrow``.
        peer: Address of a llama-server that has the same file loaded; measured too where it is given.
        engine: Which one is measured. device, dtype: For transformers.
        padded: Rows of a padded batch, for transformers.
    """

    folder: Path
    rounds: int = 5
    prefix: int = 1024
    question: int = 24
    reply: int = 32
    history: int = 192
    questions: int = 32
    samples: int = 8
    scored: int = 200
    n_threads: int = 1
    n_ubatch: int = 128
    narrow: ModelShape = SMALL
    wide: ModelShape = WIDE
    model: Path | None = None
    peer: str = ""
    engine: Literal["llama.cpp", "transformers"] = "llama.cpp"
    device: str | None = None
    dtype: str | None = None
    padded: int = 16

    @property
    def n_ctx(self) -> int:
        """As much context as the work needs, for both sides."""
        return self.prefix + 2 * self.history + self.question + 2 * self.reply + 64

    def tiny(self) -> BenchOptions:
        """The same on models and texts that take no time: shows that it runs, and nothing else."""
        return replace(
            self, rounds=min(self.rounds, 2), prefix=256, question=12, reply=6, history=48, questions=4,
            samples=3, scored=40, narrow=TINY, wide=TINY_WIDE, padded=2,
        )  # fmt: skip


class Baseline(Protocol):
    """What people do without this engine."""

    @property
    def name(self) -> str:
        """For the table."""
        ...

    def tokens(self, text: str) -> list[int]:
        """Token ids with BOS."""
        ...

    def first_token_s(self, prompt: list[int]) -> float:
        """Seconds to the first token of a continuation."""
        ...


def text_of(name: str, tokens: int) -> str:
    """A text of exactly ``tokens`` ASCII characters, which are as many tokens of a random model."""
    return (f"{name}. " * (tokens // (len(name) + 2) + 1))[:tokens]


class Material:
    """Presets, questions and conversations that no two measurements share by accident."""

    def __init__(self, options: BenchOptions) -> None:
        self._options = options
        self._count = 0

    def preset(self, name: str) -> str:
        """A preset's text."""
        # One less, for the BOS.
        return text_of(f"Preset {name}", self._options.prefix - 1)

    def question(self) -> str:
        """A question that was never asked before; its first token is not that of the 93 before it either."""
        self._count += 1
        first = chr(ord("!") + self._count % 94)
        return text_of(f"{first}{self._count:06} asks what", self._options.question)


def request_for(text: str, *, n: int = 1, reply: int = 1, temperature: float = 0.0) -> GenerateRequest:
    """A continuation of a text."""
    sampling = SamplingParams(temperature=temperature, max_tokens=reply, seed=1)
    return GenerateRequest((piece(text),), sampling, n=n)


def first_token_s(engine: Engine, text: str) -> float:
    """Seconds to the first token."""
    started = time.perf_counter()
    for _ in engine.generate([request_for(text)]):
        return time.perf_counter() - started
    return float("nan")


def tokens_per_s(engine: Engine, request: GenerateRequest) -> float:
    """Tokens per second after the first one, of all samples together."""
    tokens, first = 0, 0.0
    for event in engine.generate([request]):
        first = first or time.perf_counter()
        if isinstance(event, Finished):
            tokens += event.usage.completion_tokens - 1
    return tokens / (time.perf_counter() - first)


def all_s(engine: Engine, texts: list[str], reply: int) -> float:
    """Seconds for all questions together."""
    started = time.perf_counter()
    for _ in engine.generate([request_for(text, reply=reply) for text in texts]):
        pass
    return time.perf_counter() - started


def spec_for(options: BenchOptions, path: Path, *, cache_dir: str = "") -> EngineSpec:
    """How the engine is opened: the baseline's context, and room for all questions at once."""
    cells = options.n_ctx + options.questions * (options.question + options.reply)
    return EngineSpec(
        kind=options.engine, path=str(path), n_ctx=options.n_ctx, n_threads=options.n_threads,
        n_ubatch=options.n_ubatch, flash_attn=False, device=options.device, dtype=options.dtype,
        kv_cells=None if options.engine == "transformers" else cells, cache_dir=cache_dir,
    )  # fmt: skip
