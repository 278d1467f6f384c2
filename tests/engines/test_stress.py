"""Everything at once in too small a cache: no text may ever see another one's past.

Floats differ a little with the company that a text keeps, and a draw may tip over; but wherever two runs
have the same tokens so far, they must agree on the distribution. A sequence with wrong cells in it is off
by whole nats.
"""

from __future__ import annotations

import random
import threading
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest
from asking import Answer, ask, text
from asking import request as asked_of

from playground.engines.base import Cancel, Engine, GenerateRequest
from playground.engines.load import EngineSpec, open_engine

THREADS, ROUNDS = 4, 8
ROUNDING_NATS = 0.03


def numbered(engine: Engine, number: int) -> GenerateRequest:
    """A request that its number decides: one of three presets, some samples, some length."""
    draw = random.Random(number)
    prompt = f"Preset {number % 3}. " * draw.randint(1, 30) + f"Question {number}"
    return asked_of(
        engine, prompt, n=draw.randint(1, 4), max_tokens=draw.randint(1, 60), seed=number, logprobs=1
    )


def misuse(engine: Engine, draw: random.Random, number: int) -> None:
    """Something else that goes on meanwhile: cancelled, closed, scored, warmed, exact."""
    kinds: list[Callable[[], object]] = [
        lambda: _cancel_soon(engine, number),
        lambda: _close_soon(engine, number),
        lambda: engine.score([text("Preset 1. " * draw.randint(1, 20))], [text(f"Then {number}.")], top=2),
        lambda: engine.warm([text(f"Preset {number % 3}. " * 30)]),
        lambda: ask(engine, replace(numbered(engine, number), exact=True)),
    ]
    kinds[number % len(kinds)]()


def _cancel_soon(engine: Engine, number: int) -> None:
    cancel = Cancel()
    for count, _ in enumerate(engine.generate([numbered(engine, number)], cancel=cancel)):
        if count == number % 5:
            cancel.set()


def _close_soon(engine: Engine, number: int) -> None:
    events = engine.generate([numbered(engine, number), numbered(engine, number + 1)])
    next(events)
    events.close()  # type: ignore[attr-defined]


@pytest.fixture
def llama(tiny_path: Path) -> EngineSpec:
    return EngineSpec(path=str(tiny_path), n_threads=1, n_ctx=512)


@pytest.fixture
def torch(tiny_folder: Path) -> EngineSpec:
    return EngineSpec(kind="transformers", path=str(tiny_folder), n_threads=1, n_ctx=512)


@pytest.mark.parametrize(
    ("kind", "options"),
    [
        ("llama", {}),
        ("llama", {"parked_bytes": 0}),
        ("llama", {"parked_bytes": 300_000}),
        ("torch", {}),
    ],
)
def test_no_text_sees_anothers_past(
    request: pytest.FixtureRequest, tmp_path: Path, kind: str, options: dict[str, int]
) -> None:
    spec: EngineSpec = request.getfixturevalue(kind)
    narrow = replace(spec, kv_cells=768, n_lanes=6, cache_dir=str(tmp_path), **options)  # type: ignore[arg-type]
    crowded = open_engine(narrow, in_process=True)
    roomy = open_engine(spec, in_process=True)
    rounds = ROUNDS if kind == "llama" else ROUNDS // 2
    found: list[tuple[int, list[Answer]]] = []

    def work(seed: int) -> None:
        draw = random.Random(seed)
        for _ in range(rounds):
            number = draw.randint(0, 400)
            if draw.random() < 0.5:
                misuse(crowded, draw, number)
            else:
                found.append((number, ask(crowded, numbered(crowded, number))))

    threads = [threading.Thread(target=work, args=(seed,)) for seed in range(THREADS)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(found) > THREADS * rounds / 4
    for number, answers in found:
        for answer, alone in zip(answers, ask(roomy, numbered(roomy, number)), strict=True):
            assert answer.end.finish_reason == alone.end.finish_reason or answer.text != alone.text
            for token, expected in zip(answer.tokens, alone.tokens, strict=False):
                assert token.entropy == pytest.approx(expected.entropy, abs=ROUNDING_NATS)
                if token.id != expected.id:
                    break
    crowded.close()
    roomy.close()


@pytest.mark.parametrize("kind", ["llama", "torch"])
def test_a_sample_that_waited_starts_at_the_prompt(request: pytest.FixtureRequest, kind: str) -> None:
    """Samples that find no lane at first must not be forked from one that is under way."""
    spec: EngineSpec = request.getfixturevalue(kind)
    engine = open_engine(replace(spec, kv_cells=512, n_lanes=4), in_process=True)
    roomy = open_engine(replace(spec, n_lanes=4), in_process=True)
    asked = asked_of(engine, "A prompt of some length. " * 8, n=8, max_tokens=120, logprobs=1)
    for answer, alone in zip(ask(engine, asked), ask(roomy, asked), strict=True):
        for token, expected in zip(answer.tokens, alone.tokens, strict=False):
            assert token.entropy == pytest.approx(expected.entropy, abs=ROUNDING_NATS)
            if token.id != expected.id:
                break
    engine.close()
    roomy.close()
