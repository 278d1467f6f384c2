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
from asking import Answer, ask, request, text

from playground.engines.base import Cancel, GenerateRequest
from playground.engines.llamacpp.engine import LlamaCppEngine
from playground.engines.spec import EngineSpec

THREADS, ROUNDS = 4, 8
ROUNDING_NATS = 0.03


def numbered(engine: LlamaCppEngine, number: int) -> GenerateRequest:
    """A request that its number decides: one of three presets, some samples, some length."""
    draw = random.Random(number)
    prompt = f"Preset {number % 3}. " * draw.randint(1, 30) + f"Question {number}"
    return request(
        engine, prompt, n=draw.randint(1, 4), max_tokens=draw.randint(1, 60), seed=number, logprobs=1
    )


def misuse(engine: LlamaCppEngine, draw: random.Random, number: int) -> None:
    """Something else that goes on meanwhile: cancelled, closed, scored, warmed, exact."""
    kinds: list[Callable[[], object]] = [
        lambda: _cancel_soon(engine, number),
        lambda: _close_soon(engine, number),
        lambda: engine.score([text("Preset 1. " * draw.randint(1, 20))], [text(f"Then {number}.")], top=2),
        lambda: engine.warm([text(f"Preset {number % 3}. " * 30)]),
        lambda: ask(engine, replace(numbered(engine, number), exact=True)),
    ]
    kinds[number % len(kinds)]()


def _cancel_soon(engine: LlamaCppEngine, number: int) -> None:
    cancel = Cancel()
    for count, _ in enumerate(engine.generate([numbered(engine, number)], cancel=cancel)):
        if count == number % 5:
            cancel.set()


def _close_soon(engine: LlamaCppEngine, number: int) -> None:
    events = engine.generate([numbered(engine, number), numbered(engine, number + 1)])
    next(events)
    events.close()  # type: ignore[attr-defined]


@pytest.mark.parametrize("options", [{}, {"parked_bytes": 0}, {"parked_bytes": 300_000}])
def test_no_text_sees_anothers_past(tiny_path: Path, tmp_path: Path, options: dict[str, int]) -> None:
    spec = EngineSpec(
        path=str(tiny_path), n_threads=1, n_ctx=512, kv_cells=768, n_lanes=6, cache_dir=str(tmp_path)
    )
    crowded = LlamaCppEngine(replace(spec, **options))  # type: ignore[arg-type]
    roomy = LlamaCppEngine(EngineSpec(path=str(tiny_path), n_threads=1))
    found: list[tuple[int, list[Answer]]] = []

    def work(seed: int) -> None:
        draw = random.Random(seed)
        for _ in range(ROUNDS):
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
    assert len(found) > THREADS * ROUNDS / 4
    for number, answers in found:
        for answer, alone in zip(answers, ask(roomy, numbered(roomy, number)), strict=True):
            assert answer.end.finish_reason == alone.end.finish_reason or answer.text != alone.text
            for token, expected in zip(answer.tokens, alone.tokens, strict=False):
                assert token.entropy == pytest.approx(expected.entropy, abs=ROUNDING_NATS)
                if token.id != expected.id:
                    break
    crowded.close()
    roomy.close()


def test_a_sample_that_waited_starts_at_the_prompt(tiny_path: Path) -> None:
    """Samples that find no lane at first must not be forked from one that is under way."""
    spec = EngineSpec(path=str(tiny_path), n_threads=1, n_ctx=512, kv_cells=512, n_lanes=4)
    engine, roomy = LlamaCppEngine(spec), LlamaCppEngine(replace(spec, kv_cells=None))
    asked = request(engine, "A prompt of some length. " * 8, n=8, max_tokens=120, logprobs=1)
    for answer, alone in zip(ask(engine, asked), ask(roomy, asked), strict=True):
        for token, expected in zip(answer.tokens, alone.tokens, strict=False):
            assert token.entropy == pytest.approx(expected.entropy, abs=ROUNDING_NATS)
            if token.id != expected.id:
                break
    engine.close()
    roomy.close()
