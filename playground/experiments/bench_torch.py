"""The transformers engine against plain ``generate``, on a random-weight model of a real size.

Rules: same folder, dtype and threads, wall clock, the two sides interleaved, the median of some rounds. One
engine in its worker and one model here serve all rows. Goals hold for a CUDA device and a model whose
arithmetic, not Python, takes the time; elsewhere the rows are information.
"""

from __future__ import annotations

import time
from collections.abc import Iterator
from contextlib import contextmanager
from functools import cached_property
from pathlib import Path

from playground.engines.base import Engine
from playground.engines.load import open_engine
from playground.errors import EngineMissingError
from playground.experiments.bench_model import ModelShape
from playground.experiments.bench_report import Group, LeftOut, Row, median_row
from playground.experiments.bench_shared import edited_text, known_texts
from playground.experiments.bench_work import (
    BenchOptions,
    Material,
    all_s,
    first_token_s,
    piece,
    request_for,
    spec_for,
    text_of,
    tokens_per_s,
)
from playground.extras import install_command

try:
    from playground.experiments.bench_generate import Generate, write_random_folder
except ImportError as error:
    raise EngineMissingError(
        "Measuring the transformers engine needs torch and transformers; "
        f"install them with: {install_command('torch')}"
    ) from error


@contextmanager
def groups(options: BenchOptions) -> Iterator[dict[str, Group]]:
    """The rows by the names of their groups; they can be measured while the block runs."""
    sides = _Sides(options)
    yield {
        "preset": lambda: known_texts(options, sides.engine, sides.other, goals=(None, None)),
        "stream": lambda: _streams(options, sides),
        "questions": lambda: _questions(options, sides),
        "score": lambda: _scoring(options),
        "disk": _disk,
        "edit": lambda: edited_text(options, sides.engine),
        "worker": lambda: _worker(options, sides),
        "peer": lambda: _peer(options),
    }
    sides.close()


class _Sides:
    """The engine and the baseline, opened when a row first needs them."""

    def __init__(self, options: BenchOptions, shape: ModelShape | None = None) -> None:
        self._options = options
        self._shape = shape or options.narrow

    @cached_property
    def folder(self) -> Path:
        options = self._options
        if options.model is not None and self._shape is options.narrow:
            return options.model
        return write_random_folder(options.folder / f"random-{self._shape.name}", self._shape)

    @cached_property
    def engine(self) -> Engine:
        return open_engine(spec_for(self._options, self.folder))

    @cached_property
    def other(self) -> Generate:
        info = self.engine.info
        threads = self._options.n_threads
        other = Generate(self.folder, device=info.device, dtype=info.dtype, n_threads=threads)
        # The first call of each is slower than those that follow.
        other.first_token_s(other.tokens("Hello"))
        first_token_s(self.engine, "Hello")
        return other

    @property
    def on_gpu(self) -> bool:
        return self.engine.info.device.startswith("cuda")

    def close(self) -> None:
        """Free what was opened."""
        for name in ("engine", "other"):
            if name in self.__dict__:
                getattr(self, name).close()


def _streams(options: BenchOptions, sides: _Sides) -> Iterator[Row]:
    """One stream, and several samples of one prompt."""
    material = Material(options)
    text = material.preset("A") + material.question()
    prompt = sides.other.tokens(text)
    single: tuple[list[float], list[float]] = ([], [])
    samples: tuple[list[float], list[float]] = ([], [])
    together = request_for(text, n=options.samples, reply=options.reply, temperature=1.0)
    for _ in range(options.rounds):
        single[0].append(tokens_per_s(sides.engine, request_for(text, reply=options.reply)))
        single[1].append((options.reply - 1) / sides.other.complete_s(prompt, options.reply)[1])
        samples[0].append(tokens_per_s(sides.engine, together))
        _, decode_s = sides.other.complete_s(prompt, options.reply, samples=options.samples)
        samples[1].append(options.samples * (options.reply - 1) / decode_s)
    goal = 1.0 if sides.on_gpu else None
    yield median_row("single stream through the worker", "tok/s", *single, goal, against="generate")
    against = "generate, num_return_sequences"
    yield median_row(f"{options.samples} samples together", "tok/s", *samples, None, against=against)


def _questions(options: BenchOptions, sides: _Sides) -> Iterator[Row]:
    """Many questions behind one preset, warm and from cold, against one by one and padded batches."""
    material = Material(options)
    count, other = options.questions, sides.other
    warm: list[float] = []
    cold: list[float] = []
    one_by_one: list[float] = []
    padded: list[float] = []
    for number in range(max(1, options.rounds // 2)):
        preset = material.preset(f"number {number}")
        batches = [[preset + material.question() for _ in range(count)] for _ in range(2)]
        cold.append(all_s(sides.engine, batches[0], options.reply) / count)
        warm.append(all_s(sides.engine, batches[1], options.reply) / count)
        # Each question costs the same, so that two of them, and one batch, tell.
        prompts = [other.tokens(text) for text in batches[0]]
        started = time.perf_counter()
        for prompt in prompts[:2]:
            other.complete_s(prompt, options.reply)
        one_by_one.append((time.perf_counter() - started) / 2)
        together = prompts[: options.padded]
        padded.append(other.batch_s(together, options.reply) / len(together))
    goals = (10.0, 1.5) if sides.on_gpu else (None, None)
    one, batch = "generate, one by one", f"generate, padded batches of {options.padded}"
    yield median_row(f"{count} questions, warm prefix, each", "s", warm, one_by_one, None, against=one)
    yield median_row(f"{count} questions, warm prefix, each", "s", warm, padded, None, against=batch)
    yield median_row(f"{count} questions, from cold, each", "s", cold, one_by_one, goals[0], against=one)
    yield median_row(f"{count} questions, from cold, each", "s", cold, padded, goals[1], against=batch)


def _scoring(options: BenchOptions) -> Iterator[Row]:
    """Ranks, entropy and alternatives over a text, with a wide vocabulary."""
    sides = _Sides(options, options.wide)
    engine, other = sides.engine, sides.other
    times: tuple[list[float], list[float]] = ([], [])
    for number in range(max(1, options.rounds // 2)):
        text = text_of(f"Text {number} to be scored", options.scored)
        started = time.perf_counter()
        engine.score([], [piece(text)], top=10)
        times[0].append(time.perf_counter() - started)
        times[1].append(other.score_s(text, 10))
    sides.close()
    against = "one forward pass and torch"
    yield median_row(f"score {options.scored} tokens, wide vocabulary", "s", *times, None, against=against)


def _disk() -> Iterator[LeftOut]:
    yield LeftOut("preset from disk", "this engine keeps no prefixes on disk")


def _worker(options: BenchOptions, sides: _Sides) -> Iterator[Row | LeftOut]:
    """What the worker process and its pipe cost."""
    material = Material(options)
    here = open_engine(spec_for(options, sides.folder), in_process=True)
    text = material.preset("A") + material.question()
    for engine in (sides.engine, here):
        first_token_s(engine, text)
    rates: tuple[list[float], list[float]] = ([], [])
    request = request_for(text, reply=2 * options.reply)
    for _ in range(options.rounds):
        rates[0].append(tokens_per_s(sides.engine, request))
        rates[1].append(tokens_per_s(here, request))
    here.close()
    against = "the engine in place"
    yield median_row("worker and pipe, single stream", "tok/s", *rates, 0.97, against=against)
    yield LeftOut("time inside the native decode", "there is none: Python runs every layer")


def _peer(options: BenchOptions) -> Iterator[LeftOut]:
    if options.peer:
        yield LeftOut("against a llama-server", "it serves GGUF files; measure it with --engine llama.cpp")
