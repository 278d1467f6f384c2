"""The engine against the high-level library, on random-weight models of real sizes.

Rules: same file, same threads, same batch, wall clock, the two sides interleaved, the median of some rounds.
Each row is one kind of work that the program is made of; ``Row.goal`` is what it must reach.
"""

from __future__ import annotations

import json
import statistics
import tempfile
import threading
import time
from collections.abc import Callable, Iterator
from dataclasses import asdict, dataclass
from pathlib import Path

from playground.engines.base import Delta, Engine, Finished, GenerateRequest
from playground.engines.load import EngineSpec, open_engine
from playground.experiments.bench_baseline import HighLevel
from playground.experiments.bench_model import SMALL, WIDE, ModelShape, write_random_model
from playground.experiments.bench_peer import Peer
from playground.types import Origin, Piece, SamplingParams

_ORIGIN = Origin("turn", "query")


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
        model: A real file instead of ``narrow``.
        peer: Address of a llama-server that has the same file loaded; measured too where it is given.
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


@dataclass(frozen=True, slots=True)
class Row:
    """One line of the table: ``ratio`` is how many times better ours is, or their plain ratio.

    Attributes:
        work: What was done. unit: Of both figures. ours, other: Medians.
        ratio: Of the two, above 1 where ours is better. goal: What it must reach; None for information.
        against: What ``other`` is.
    """

    work: str
    unit: str
    ours: float
    other: float
    ratio: float
    goal: float | None
    against: str = "llama_cpp.Llama"

    @property
    def reached(self) -> bool:
        """Whether the goal is met."""
        return self.goal is None or self.ratio >= self.goal


def run_bench(options: BenchOptions, *, only: tuple[str, ...] = ()) -> Iterator[Row]:
    """Measure row after row.

    Args:
        options: What, and how large.
        only: Names of groups; all without it: preset, stream, questions, score, disk, edit, worker, peer.
    """
    narrow = options.model or write_random_model(
        options.folder / f"random-{options.narrow.name}.gguf", options.narrow
    )
    groups: dict[str, Callable[[BenchOptions, Path], Iterator[Row]]] = {
        "preset": _presets,
        "stream": _streams,
        "questions": _questions,
        "score": _scoring,
        "disk": _disk,
        "edit": _edit,
        "worker": _worker,
        "peer": _peer,
    }
    for name, group in groups.items():
        if not only or name in only:
            yield from group(options, narrow)


def table(rows: list[Row]) -> str:
    """The rows for a person."""
    lines = [f"{'work':58} {'ours':>10} {'other':>10} {'ratio':>8} {'goal':>6}  against"]
    for row in rows:
        goal = "" if row.goal is None else f"{row.goal:g}"
        mark = "" if row.reached else "  MISSED"
        lines.append(
            f"{row.work + ', ' + row.unit:58} {row.ours:10.4g} {row.other:10.4g} {row.ratio:8.2f} {goal:>6}  "
            f"{row.against}{mark}"
        )
    return "\n".join(lines)


def json_line(rows: list[Row]) -> str:
    """The rows for a machine, on one line."""
    return json.dumps({"rows": [asdict(row) | {"reached": row.reached} for row in rows]})


# --- material


def _text(name: str, tokens: int) -> str:
    """A text of exactly ``tokens`` ASCII characters, which are as many tokens of a random model."""
    return (f"{name}. " * (tokens // (len(name) + 2) + 1))[:tokens]


class _Material:
    """Presets, questions and conversations that no two measurements share by accident."""

    def __init__(self, options: BenchOptions) -> None:
        self._options = options
        self._count = 0

    def preset(self, name: str) -> str:
        # One less, for the BOS.
        return _text(f"Preset {name}", self._options.prefix - 1)

    def question(self) -> str:
        self._count += 1
        return _text(f"{self._count:06} asks what", self._options.question)


def _ask(text: str, *, n: int = 1, reply: int = 1, temperature: float = 0.0) -> GenerateRequest:
    sampling = SamplingParams(temperature=temperature, max_tokens=reply, seed=1)
    return GenerateRequest((Piece(text, _ORIGIN),), sampling, n=n)


def _first_s(engine: Engine, text: str) -> float:
    """Seconds to the first token."""
    started = time.perf_counter()
    for _ in engine.generate([_ask(text)]):
        return time.perf_counter() - started
    return float("nan")


def _rate(engine: Engine, request: GenerateRequest) -> float:
    """Tokens per second after the first one, of all samples together."""
    tokens, first = 0, 0.0
    for event in engine.generate([request]):
        first = first or time.perf_counter()
        if isinstance(event, Finished):
            tokens += event.usage.completion_tokens - 1
    return tokens / (time.perf_counter() - first)


def _all_s(engine: Engine, texts: list[str], reply: int) -> float:
    """Seconds for all questions together."""
    started = time.perf_counter()
    for _ in engine.generate([_ask(text, reply=reply) for text in texts]):
        pass
    return time.perf_counter() - started


def _spec(options: BenchOptions, path: Path, *, cache_dir: str = "") -> EngineSpec:
    n_ctx = options.prefix + 2 * options.history + options.question + 2 * options.reply + 64
    return EngineSpec(
        path=str(path), n_ctx=n_ctx, n_threads=options.n_threads, n_ubatch=options.n_ubatch, flash_attn=False,
        kv_cells=n_ctx + options.questions * (options.question + options.reply),
        cache_dir=cache_dir,
    )  # fmt: skip


def _other(options: BenchOptions, path: Path) -> HighLevel:
    n_ctx = options.prefix + 2 * options.history + options.question + 2 * options.reply + 64
    return HighLevel(path, n_ctx=n_ctx, n_threads=options.n_threads, n_ubatch=options.n_ubatch)


def _row(
    work: str,
    unit: str,
    ours: list[float],
    other: list[float],
    goal: float | None,
    *,
    against: str = "llama_cpp.Llama",
) -> Row:
    mine, theirs = statistics.median(ours), statistics.median(other)
    ratio = mine / theirs if unit == "tok/s" else theirs / mine
    return Row(work, unit, mine, theirs, ratio, goal, against)


# --- the rows


def _presets(options: BenchOptions, path: Path) -> Iterator[Row]:
    """Switching between known presets, and between known conversations."""
    material = _Material(options)
    engine, other = open_engine(_spec(options, path)), _other(options, path)
    presets = [material.preset(name) for name in "AB"]
    talks = [
        presets[0] + _text(f"Talk {number} so far", options.history) for number in range(options.rounds + 1)
    ]
    for text in (*presets, *talks):
        _first_s(engine, text + material.question())
    other.first_token_s(other.tokens(presets[0]))
    switch: tuple[list[float], list[float]] = ([], [])
    again: tuple[list[float], list[float]] = ([], [])
    for number in range(options.rounds):
        for preset in presets:
            text = preset + material.question()
            switch[0].append(_first_s(engine, text))
            switch[1].append(other.first_token_s(other.tokens(text)))
        _first_s(engine, talks[-1] + material.question())
        other.first_token_s(other.tokens(talks[-1]))
        # The very text that was asked before: all but its last token is known.
        again[0].append(_first_s(engine, talks[number]))
        again[1].append(other.first_token_s(other.tokens(talks[number])))
    engine.close()
    other.close()
    yield _row("switch to a known preset, first token", "s", *switch, 25)
    yield _row("ask again in a known conversation, first token", "s", *again, 25)


def _streams(options: BenchOptions, path: Path) -> Iterator[Row]:
    """One stream, and several samples of one prompt."""
    material = _Material(options)
    engine, other = open_engine(_spec(options, path)), _other(options, path)
    text = material.preset("A") + material.question()
    prompt = other.tokens(text)
    _first_s(engine, text)
    other.first_token_s(prompt)
    single: tuple[list[float], list[float]] = ([], [])
    samples: list[float] = []
    for _ in range(options.rounds):
        single[0].append(_rate(engine, _ask(text, reply=options.reply)))
        _, decode_s = other.complete_s(prompt, options.reply)
        single[1].append((options.reply - 1) / decode_s)
        together = _ask(text, n=options.samples, reply=options.reply, temperature=1.0)
        samples.append(_rate(engine, together))
    engine.close()
    other.close()
    yield _row("single stream through the worker", "tok/s", *single, 0.95)
    yield _row(f"{options.samples} samples together", "tok/s", samples, single[1], 1.7)


def _questions(options: BenchOptions, path: Path) -> Iterator[Row]:
    """Many questions behind one preset, warm and from cold."""
    material = _Material(options)
    other = _other(options, path)
    warm: tuple[list[float], list[float]] = ([], [])
    cold: tuple[list[float], list[float]] = ([], [])
    for number in range(max(1, options.rounds // 2)):
        engine = open_engine(_spec(options, path))
        preset = material.preset(f"number {number}")
        batches = [[preset + material.question() for _ in range(options.questions)] for _ in range(2)]
        cold[0].append(_all_s(engine, batches[0], options.reply) / options.questions)
        warm[0].append(_all_s(engine, batches[1], options.reply) / options.questions)
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
    yield _row(f"{options.questions} questions, warm prefix, each", "s", *warm, 1.5)
    against = "llama_cpp.Llama without any cache"
    yield _row(f"{options.questions} questions, from cold, each", "s", *cold, 8, against=against)


def _scoring(options: BenchOptions, path: Path) -> Iterator[Row]:
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
        text = _text(f"Text {number} to be scored", options.scored)
        started = time.perf_counter()
        engine.score([], [Piece(text, _ORIGIN)], top=10)
        times[0].append(time.perf_counter() - started)
        times[1].append(other.score_s(text, 10))
    engine.close()
    other.close()
    against = "its echo with logprobs"
    yield _row(f"score {options.scored} tokens, wide vocabulary", "s", *times, 12, against=against)


def _disk(options: BenchOptions, path: Path) -> Iterator[Row]:
    """A preset of the last session."""
    material = _Material(options)
    preset = material.preset("A")
    restored: list[float] = []
    cold: list[float] = []
    with tempfile.TemporaryDirectory() as folder:
        spec = _spec(options, path, cache_dir=folder)
        for number in range(options.rounds):
            engine = open_engine(spec, in_process=True)
            started = time.perf_counter()
            engine.warm([Piece(preset, _ORIGIN)])
            (restored if number else cold).append(time.perf_counter() - started)
            for _ in range(2 if not number else 0):
                _first_s(engine, preset + material.question())
            engine.close()
    against = "its cold prefill"
    yield _row("preset from disk, checksum included", "s", restored, cold, 60, against=against)


def _edit(options: BenchOptions, path: Path) -> Iterator[Row]:
    """The first token after an edit of the last example, warmed in the pause."""
    material = _Material(options)
    engine = open_engine(_spec(options, path))
    preset = material.preset("A")
    _first_s(engine, preset + material.question())
    edited_s: list[float] = []
    plain_s: list[float] = []
    for number in range(options.rounds):
        plain_s.append(_first_s(engine, preset + material.question()))
        edited = preset[:-32] + _text(f"{number} edited", 32)
        warming = threading.Thread(target=engine.warm, args=([Piece(edited, _ORIGIN)],))
        warming.start()
        warming.join(timeout=1.5)
        edited_s.append(_first_s(engine, edited + material.question()))
        warming.join()
    engine.close()
    against = "without an edit"
    yield _row("first token after an edit and a pause", "s", edited_s, plain_s, 1 / 1.2, against=against)


def _peer(options: BenchOptions, path: Path) -> Iterator[Row]:
    """A llama-server over HTTP in the same run; goals are against its defaults."""
    if not options.peer:
        return
    material = _Material(options)
    peer, engine = Peer(options.peer), open_engine(_spec(options, path))
    preset = material.preset("A")
    _first_s(engine, preset + material.question())
    peer.first_token_s(preset + material.question())
    first: tuple[list[float], list[float]] = ([], [])
    single: tuple[list[float], list[float]] = ([], [])
    many: tuple[list[float], list[float]] = ([], [])
    for _ in range(options.rounds):
        text = preset + material.question()
        first[0].append(_first_s(engine, text))
        first[1].append(peer.first_token_s(text))
        single[0].append(_rate(engine, _ask(text, reply=options.reply)))
        single[1].append(peer.rate(text, options.reply))
    for _ in range(max(1, options.rounds // 2)):
        texts = [preset + material.question() for _ in range(options.questions)]
        many[0].append(_all_s(engine, texts, options.reply) / options.questions)
        many[1].append(peer.all_s(texts, options.reply) / options.questions)
    engine.close()
    yield _row("warm prefix, first token", "s", *first, 1.7, against="llama-server")
    yield _row("single stream", "tok/s", *single, 1.2, against="llama-server")
    yield _row(f"{options.questions} questions, warm prefix, each", "s", *many, 1.8, against="llama-server")


def _worker(options: BenchOptions, path: Path) -> Iterator[Row]:
    """What the worker process and Python cost."""
    material = _Material(options)
    from playground.engines.llamacpp.engine import LlamaCppEngine

    piped, here = open_engine(_spec(options, path)), LlamaCppEngine(_spec(options, path))
    text = material.preset("A") + material.question()
    for engine in (piped, here):
        _first_s(engine, text)
    rates: tuple[list[float], list[float]] = ([], [])
    shares: list[float] = []
    request = _ask(text, reply=2 * options.reply)
    for _ in range(options.rounds):
        rates[0].append(_rate(piped, request))
        native = here.native_s
        started, first = 0.0, 0.0
        for event in here.generate([request]):
            if isinstance(event, Delta) and not started:
                started, native = time.perf_counter(), here.native_s
            first = time.perf_counter()
        shares.append((here.native_s - native) / (first - started))
        rates[1].append(_rate(here, request))
    piped.close()
    here.close()
    against = "the engine in place"
    yield _row("worker and pipe, single stream", "tok/s", *rates, 0.97, against=against)
    share = statistics.median(shares)
    yield Row("time inside llama_decode, single stream", "share", share, 1.0, share, 0.95, "wall time")
