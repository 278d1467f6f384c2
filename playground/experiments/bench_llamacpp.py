"""The llama.cpp engine against the high-level library, on random-weight models of real sizes.

Rules: same file, same threads, same batch, wall clock, the two sides interleaved, the median of some rounds.
"""

from __future__ import annotations

import statistics
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import numpy as np

from playground.engines.base import Delta
from playground.engines.batching.stats import rank_of, row_stats
from playground.engines.load import EngineSpec, open_engine
from playground.experiments.bench_baseline import HighLevel
from playground.experiments.bench_model import write_random_model
from playground.experiments.bench_peer import Peer
from playground.experiments.bench_report import Group, Row, median_row
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


@contextmanager
def groups(options: BenchOptions) -> Iterator[dict[str, Group]]:
    """The rows by the names of their groups; they can be measured while the block runs."""
    path = options.model or write_random_model(
        options.folder / f"random-{options.narrow.name}.gguf", options.narrow
    )
    yield {
        "preset": lambda: _presets(options, path),
        "stream": lambda: _streams(options, path),
        "questions": lambda: _questions(options, path),
        "score": lambda: _scoring(options),
        "disk": lambda: _disk(options, path),
        "edit": lambda: _edit(options, path),
        "worker": lambda: _worker(options, path),
        "peer": lambda: _peer(options, path),
    }


def _high_level(options: BenchOptions, path: Path) -> HighLevel:
    """The baseline, with the engine's context."""
    return HighLevel(path, n_ctx=options.n_ctx, n_threads=options.n_threads, n_ubatch=options.n_ubatch)


def _presets(options: BenchOptions, path: Path) -> Iterator[Row]:
    engine, other = open_engine(spec_for(options, path)), _high_level(options, path)
    yield from known_texts(options, engine, other, goals=(25, 25))
    engine.close()
    other.close()


def _edit(options: BenchOptions, path: Path) -> Iterator[Row]:
    engine = open_engine(spec_for(options, path))
    yield from edited_text(options, engine)
    engine.close()


def _streams(options: BenchOptions, path: Path) -> Iterator[Row]:
    """One stream, and several samples of one prompt."""
    material = Material(options)
    engine, other = open_engine(spec_for(options, path)), _high_level(options, path)
    text = material.preset("A") + material.question()
    prompt = other.tokens(text)
    first_token_s(engine, text)
    other.first_token_s(prompt)
    single: tuple[list[float], list[float]] = ([], [])
    samples: list[float] = []
    for _ in range(options.rounds):
        single[0].append(tokens_per_s(engine, request_for(text, reply=options.reply)))
        _, decode_s = other.complete_s(prompt, options.reply)
        single[1].append((options.reply - 1) / decode_s)
        together = request_for(text, n=options.samples, reply=options.reply, temperature=1.0)
        samples.append(tokens_per_s(engine, together))
    engine.close()
    other.close()
    yield median_row("single stream through the worker", "tok/s", *single, 0.95)
    yield median_row(f"{options.samples} samples together", "tok/s", samples, single[1], 1.7)


def _questions(options: BenchOptions, path: Path) -> Iterator[Row]:
    """Many questions behind one preset, warm and from cold."""
    material = Material(options)
    other = _high_level(options, path)
    warm: tuple[list[float], list[float]] = ([], [])
    cold: tuple[list[float], list[float]] = ([], [])
    for number in range(max(1, options.rounds // 2)):
        engine = open_engine(spec_for(options, path))
        preset = material.preset(f"number {number}")
        batches = [[preset + material.question() for _ in range(options.questions)] for _ in range(2)]
        cold[0].append(all_s(engine, batches[0], options.reply) / options.questions)
        warm[0].append(all_s(engine, batches[1], options.reply) / options.questions)
        engine.close()
        started = time.perf_counter()
        # Without any cache each question costs the same, so that two of them tell.
        for text in batches[0][:2]:
            other.forget()
            other.complete_s(other.tokens(text), options.reply)
        cold[1].append((time.perf_counter() - started) / 2)
        started = time.perf_counter()
        for text in batches[1]:
            other.complete_s(other.tokens(text), options.reply)
        warm[1].append((time.perf_counter() - started) / options.questions)
    other.close()
    yield median_row(f"{options.questions} questions, warm prefix, each", "s", *warm, 1.5)
    against = "llama_cpp.Llama without any cache"
    yield median_row(f"{options.questions} questions, from cold, each", "s", *cold, 8, against=against)


def _scoring(options: BenchOptions) -> Iterator[Row]:
    """Ranks, entropy and alternatives over a text, with a wide vocabulary."""
    wide = write_random_model(options.folder / f"random-{options.wide.name}.gguf", options.wide)
    n_ctx = options.scored + 64
    spec = EngineSpec(path=str(wide), n_ctx=n_ctx, n_threads=options.n_threads, n_ubatch=options.n_ubatch)
    engine = open_engine(spec)
    other = HighLevel(
        wide, n_ctx=n_ctx, n_threads=options.n_threads, n_ubatch=options.n_ubatch, all_logits=True
    )
    times: tuple[list[float], list[float]] = ([], [])
    for number in range(max(1, options.rounds // 2)):
        text = text_of(f"Text {number} to be scored", options.scored)
        started = time.perf_counter()
        engine.score([], [piece(text)], top=10)
        times[0].append(time.perf_counter() - started)
        times[1].append(other.score_s(text, 10))
    engine.close()
    other.close()
    against = "its echo with logprobs"
    yield median_row(f"score {options.scored} tokens, wide vocabulary", "s", *times, 12, against=against)
    numpy_s = describing_s(options.scored, options.wide.n_vocab)
    whole_s = statistics.median(times[0])
    work = "of that, numpy: ranks, entropies, alternatives"
    yield Row(work, "s", numpy_s, whole_s, whole_s / numpy_s, 20, "the whole scoring")


def describing_s(n_tokens: int, n_vocab: int) -> float:
    """Seconds that ranks, entropies and ten alternatives take over random logits ``[n_tokens, n_vocab]``."""
    row = np.random.default_rng(1).normal(size=n_vocab).astype(np.float32)
    started = time.perf_counter()
    for token in range(n_tokens):
        row_stats(row, 10)
        rank_of(row, token)
    return time.perf_counter() - started


def _disk(options: BenchOptions, path: Path) -> Iterator[Row]:
    """A preset of the last session."""
    material = Material(options)
    preset = material.preset("A")
    restored: list[float] = []
    cold: list[float] = []
    with tempfile.TemporaryDirectory() as folder:
        spec = spec_for(options, path, cache_dir=folder)
        for number in range(options.rounds):
            engine = open_engine(spec, in_process=True)
            started = time.perf_counter()
            engine.warm([piece(preset)])
            (restored if number else cold).append(time.perf_counter() - started)
            for _ in range(2 if not number else 0):
                first_token_s(engine, preset + material.question())
            engine.close()
    against = "its cold prefill"
    yield median_row("preset from disk, checksum included", "s", restored, cold, 60, against=against)


def _peer(options: BenchOptions, path: Path) -> Iterator[Row]:
    """A llama-server over HTTP in the same run; goals are against its defaults."""
    if not options.peer:
        return
    material = Material(options)
    peer, engine = Peer(options.peer), open_engine(spec_for(options, path))
    preset = material.preset("A")
    first_token_s(engine, preset + material.question())
    peer.first_token_s(preset + material.question())
    first: tuple[list[float], list[float]] = ([], [])
    single: tuple[list[float], list[float]] = ([], [])
    many: tuple[list[float], list[float]] = ([], [])
    for _ in range(options.rounds):
        text = preset + material.question()
        first[0].append(first_token_s(engine, text))
        first[1].append(peer.first_token_s(text))
        single[0].append(tokens_per_s(engine, request_for(text, reply=options.reply)))
        single[1].append(peer.rate(text, options.reply))
    for _ in range(max(1, options.rounds // 2)):
        texts = [preset + material.question() for _ in range(options.questions)]
        many[0].append(all_s(engine, texts, options.reply) / options.questions)
        many[1].append(peer.all_s(texts, options.reply) / options.questions)
    engine.close()
    yield median_row("warm prefix, first token", "s", *first, 1.7, against="llama-server")
    yield median_row("single stream", "tok/s", *single, 1.2, against="llama-server")
    yield median_row(
        f"{options.questions} questions, warm prefix, each", "s", *many, 1.8, against="llama-server"
    )


def _worker(options: BenchOptions, path: Path) -> Iterator[Row]:
    """What the worker process and Python cost."""
    material = Material(options)
    from playground.engines.llamacpp.engine import LlamaCppEngine

    piped, here = open_engine(spec_for(options, path)), LlamaCppEngine(spec_for(options, path))
    text = material.preset("A") + material.question()
    for engine in (piped, here):
        first_token_s(engine, text)
    rates: tuple[list[float], list[float]] = ([], [])
    shares: list[float] = []
    request = request_for(text, reply=2 * options.reply)
    for _ in range(options.rounds):
        rates[0].append(tokens_per_s(piped, request))
        native = here.native_s
        started, first = 0.0, 0.0
        for event in here.generate([request]):
            if isinstance(event, Delta) and not started:
                started, native = time.perf_counter(), here.native_s
            first = time.perf_counter()
        shares.append((here.native_s - native) / (first - started))
        rates[1].append(tokens_per_s(here, request))
    piped.close()
    here.close()
    against = "the engine in place"
    yield median_row("worker and pipe, single stream", "tok/s", *rates, 0.97, against=against)
    share = statistics.median(shares)
    yield Row("time inside llama_decode, single stream", "share", share, 1.0, share, 0.95, "wall time")
