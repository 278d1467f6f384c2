"""Exact mode of the llama.cpp engine: the same floats in any company."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import numpy as np
from asking import Answer, ask, fold, request, text

from playground.engines.base import Cancel, GenerateRequest
from playground.engines.llamacpp.engine import LlamaCppEngine
from playground.engines.load import EngineSpec
from playground.types import SamplingParams, StopRule


def exactly(asked: GenerateRequest) -> GenerateRequest:
    """The same request in exact mode, with what the model thought."""
    return replace(asked, exact=True, logprobs=3)


def test_exact_mode_gives_the_same_floats_whatever_else_runs(opened: Callable[..., LlamaCppEngine]) -> None:
    engine = opened()
    prefix = "Some prefix that is longer than one chunk of tokens. " * 5
    asked = [
        exactly(request(engine, prefix + "One?", temperature=0)),
        exactly(request(engine, prefix + "Two?", n=2)),
    ]
    cold = ask(opened(), *asked)
    # In company, then warm, then with another order of things in the cache.
    company = engine.generate([request(engine, f"{number}", max_tokens=300) for number in range(6)])
    next(company)
    assert [a.tokens for a in ask(engine, *asked)] == [a.tokens for a in cold]
    list(company)
    for _ in range(2):
        found = ask(engine, *reversed(asked))
        assert [a.tokens for a in found] == [a.tokens for a in (cold[1], cold[2], cold[0])]
        ask(engine, exactly(request(engine, prefix[:300] + "Something else", max_tokens=20)))


def test_exact_scores_are_bit_equal(opened: Callable[..., LlamaCppEngine]) -> None:
    engine = opened()
    context, target = [text("Some context. " * 12)], [text("And what follows it. " * 10)]
    cold = opened().score(context, target, full=True, exact=True)
    busy = engine.generate([request(engine, n=4, max_tokens=400)])
    next(busy)
    for _ in range(2):
        found = engine.score(context, target, full=True, exact=True)
        assert cold.full is not None
        np.testing.assert_array_equal(found.full, cold.full)
    assert fold(busy)[0, 3].end.finish_reason in ("length", "stop")


def test_exact_work_can_be_cancelled_and_closed(slow_path: Path) -> None:
    engine = LlamaCppEngine(EngineSpec(path=str(slow_path), n_threads=1))
    cancel = Cancel()
    running = engine.generate([exactly(request(engine, n=2, max_tokens=4000))], cancel=cancel)
    next(running)
    cancel.set()
    assert {a.end.finish_reason for a in fold(running).values()} == {"cancelled"}
    running = engine.generate([exactly(request(engine, n=2, max_tokens=4000))])
    next(running)
    engine.close()
    assert {a.end.finish_reason for a in fold(running).values()} == {"error"}


COUNTRIES = (
    "Peru Kenya Cuba Estonia Qatar Malaysia Uganda Norway Poland Egypt Japan France Italy Spain Chile Iran"
)
CLOSE_CALL = 0.02  # nats


def _bundled(repository: Path) -> LlamaCppEngine:
    path = repository / "models" / "wren" / "wren-base-f16.gguf"
    return LlamaCppEngine(EngineSpec(path=str(path), n_threads=1))


def _asked(questions: list[str], *stop: StopRule) -> list[GenerateRequest]:
    turn = "# Query:\n```\n{}\n```\n\n# Answer:\n```\n"
    shared = turn.format("Who are you?") + "I am Wren, a small assistant.\n```\n\n"
    sampling = SamplingParams(max_tokens=24)
    return [GenerateRequest((text(shared + turn.format(one)),), sampling, stop, 1, 3) for one in questions]


def _assert_differs_at_a_close_call(found: Answer, other: Answer) -> None:
    pairs = zip(found.tokens, other.tokens, strict=False)
    first = next(((one, two) for one, two in pairs if one.id != two.id), None)
    if first is None:
        assert found.text == other.text
        return
    one, two = first
    thought = {alternative.id: alternative.logprob for alternative in one.alternatives}
    assert abs(thought[one.id] - thought[two.id]) < CLOSE_CALL


def test_the_bundled_model_answers_the_same_cold_warm_and_in_a_batch_of_sixteen(repository: Path) -> None:
    """On trained weights and what they know, where the likeliest token is no close call."""
    asked = _asked([f"What is the capital of {name}?" for name in COUNTRIES.split()], StopRule("```"))
    engine = _bundled(repository)
    together = [answer.text for answer in ask(engine, *asked)]
    assert [answer.text for answer in ask(engine, *asked)] == together
    assert [ask(engine, one)[0].text for one in asked] == together
    exact = [answer.text for answer in ask(engine, *[replace(one, exact=True) for one in asked])]
    assert exact == together
    engine.close()
    cold = _bundled(repository)
    assert ask(cold, asked[9])[0].text == together[9]
    cold.close()


def test_where_a_batch_differs_it_was_a_close_call_and_exact_mode_does_not(repository: Path) -> None:
    """Sums that it does not know, and then whatever it makes up.

    A batch may differ by rounding: KV is kept in 16 bits and sums depend on the batch's shape (some 0.002
    nats), so that a tie may tip over, and all that follows with it; in exact mode nothing does.
    """
    asked = _asked([f"What is {number} plus one?" for number in range(16)])
    engine = _bundled(repository)
    together = ask(engine, *asked)
    for found, one in zip(together, asked, strict=True):
        _assert_differs_at_a_close_call(found, ask(engine, one)[0])
    exact = [replace(one, exact=True) for one in asked]
    warm = [answer.tokens for answer in ask(engine, *exact)]
    assert [ask(engine, one)[0].tokens for one in exact] == warm
    engine.close()
    cold = _bundled(repository)
    assert ask(cold, exact[11])[0].tokens == warm[11]
    cold.close()
