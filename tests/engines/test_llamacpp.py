"""What only the llama.cpp engine does: shared prefixes, lanes, limits."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from asking import ask, assert_same_past, fold, letters_only, request, text
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from tiny_model import write_model

from playground.engines.base import GenerateRequest
from playground.engines.llamacpp.engine import LlamaCppEngine
from playground.engines.load import EngineSpec
from playground.types import Piece, SamplingParams


@settings(max_examples=100, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(parts=st.lists(st.tuples(st.text("<|turneosb>\nthe in", max_size=12), st.booleans()), max_size=6))
def test_only_template_pieces_make_special_tokens(
    opened: Callable[..., LlamaCppEngine], parts: list[tuple[str, bool]]
) -> None:
    engine = _shared(opened)
    pieces = [text(content, special=special) for content, special in parts]
    ids = engine.tokenize(pieces, add_bos=False)
    joined = "".join(content for content, _ in parts)
    assert engine.detokenize(ids) == joined.encode()
    if not any(special for _, special in parts):
        plain = set(ids) & {engine.tokenize([text(s, special=True)])[-1] for s in engine.info.special_tokens}
        assert not plain
    everywhere = engine.tokenize([text(joined, special=True)], add_bos=False)
    if all(special for _, special in parts):
        assert ids == everywhere


_ENGINES: dict[int, LlamaCppEngine] = {}


def _shared(opened: Callable[..., LlamaCppEngine]) -> LlamaCppEngine:
    """One engine for all examples of a property."""
    return _ENGINES.setdefault(id(opened), opened())


def test_a_known_prefix_is_not_computed_again(opened: Callable[..., LlamaCppEngine]) -> None:
    engine = opened()
    prefix = "A long constant prefix with examples. " * 5
    first, second = request(engine, prefix + "One?"), request(engine, prefix + "Two?")
    (cold,) = ask(engine, first)
    assert cold.end.usage.cached_tokens == 0
    (warm,) = ask(engine, second)
    shared = len(engine.tokenize([text(prefix)]))
    assert shared - 2 <= warm.end.usage.cached_tokens <= shared
    (again,) = ask(engine, first)
    assert again.end.usage.cached_tokens == again.end.usage.prompt_tokens - 1
    assert again.text == cold.text


def test_a_conversation_goes_on_from_its_own_answer(opened: Callable[..., LlamaCppEngine]) -> None:
    engine = opened()
    prompt = "Question: who are you? Answer:"
    (answer,) = ask(engine, request(engine, prompt, max_tokens=30))
    (following,) = ask(engine, request(engine, prompt + answer.text + "\nQuestion: and now?"))
    spoken = len(engine.tokenize([text(prompt + answer.text)]))
    # Where letters merge into tokens, the tokens of what was said differ a little from those of its text.
    assert following.end.usage.cached_tokens >= len(engine.tokenize([text(prompt)])) - 1
    assert following.end.usage.cached_tokens <= spoken


def test_parked_lines_come_back(opened: Callable[..., LlamaCppEngine]) -> None:
    """Two presets in turn, each asked again after the other has taken the context."""
    engine = opened()
    prefixes = ["First preset. " * 10, "Another one altogether. " * 7]
    cold = [ask(engine, request(engine, prefix + "Well?"))[0] for prefix in prefixes]
    for _ in range(3):
        for prefix, before in zip(prefixes, cold, strict=True):
            (answer,) = ask(engine, request(engine, prefix + "Well?"))
            assert answer.text == before.text
            assert answer.end.usage.cached_tokens == answer.end.usage.prompt_tokens - 1


def test_without_memory_for_parking_answers_are_the_same(opened: Callable[..., LlamaCppEngine]) -> None:
    rich, poor = opened(), opened(parked_bytes=0)
    for question in ("One?", "Two?", "One?"):
        asked = request(rich, "A prefix that both of them share. " + question)
        assert ask(rich, asked)[0].text == ask(poor, asked)[0].text


def test_greedy_is_the_same_cold_warm_and_in_company(opened: Callable[..., LlamaCppEngine]) -> None:
    engine = opened()
    prompts = [f"Prefix of all of them, number {number}:" for number in range(16)]
    asked = [request(engine, prompt, temperature=0, max_tokens=24) for prompt in prompts]
    alone = []
    for one in asked:
        fresh = opened()
        alone.append(ask(fresh, one)[0].text)
        fresh.close()
    assert [answer.text for answer in ask(engine, *asked)] == alone
    assert [answer.text for answer in ask(engine, *asked)] == alone
    assert [ask(engine, one)[0].text for one in asked] == alone


def test_many_questions_compute_their_prefix_once(opened: Callable[..., LlamaCppEngine]) -> None:
    engine = opened()
    prefix = "Examples that are the same for all. " * 8
    asked = [request(engine, f"{prefix}{number}", max_tokens=4) for number in range(40)]
    answers = ask(engine, *asked)
    length = len(engine.tokenize([text(prefix)]))
    computed = sum(a.end.usage.prompt_tokens - a.end.usage.cached_tokens for a in answers)
    assert computed < length + 40 * 4


def test_more_samples_than_lanes(opened: Callable[..., LlamaCppEngine]) -> None:
    engine = opened(n_lanes=3)
    answers = ask(engine, request(engine, n=10, seed=50, max_tokens=12))
    assert [answer.end.seed for answer in answers] == list(range(50, 60))
    for number, answer in enumerate(answers):
        assert ask(engine, request(engine, seed=50 + number, max_tokens=12))[0].text == answer.text


def test_a_full_cache_makes_lanes_wait_and_loses_nothing(opened: Callable[..., LlamaCppEngine]) -> None:
    """Eight texts of 200 tokens in a cache of 512."""
    small, large = opened(kv_cells=512, n_ctx=512), opened()
    asked = [
        request(large, f"{number} is a text", max_tokens=200, seed=number, logprobs=1) for number in range(8)
    ]
    for found, expected in zip(ask(small, *asked), ask(large, *asked), strict=True):
        assert_same_past(found, expected)


def test_a_newcomer_is_not_starved_by_a_long_batch(opened: Callable[..., LlamaCppEngine]) -> None:
    engine = opened(n_lanes=2)
    batch = engine.generate([request(engine, f"{n}", max_tokens=100, seed=n) for n in range(30)])
    next(batch)
    (answer,) = ask(engine, request(engine, "Me too", max_tokens=5))
    assert answer.end.finish_reason == "length"
    left = fold(batch)
    assert sum(bool(answer.finished) for answer in left.values()) == 30


def test_logprobs_do_not_change_what_is_drawn_and_agree_with_score(
    opened: Callable[..., LlamaCppEngine],
) -> None:
    engine = opened()
    for penalty in (1.0, 1.3):
        sampling = SamplingParams(
            temperature=0.0, max_tokens=8, repetition_penalty=penalty, logit_bias=letters_only(engine)
        )
        plain = GenerateRequest((text("The "),), sampling)
        (answer,) = ask(engine, GenerateRequest((text("The "),), sampling, logprobs=5))
        assert ask(engine, plain)[0].text == answer.text
        scores = engine.score([text("The ")], [text(answer.text)], top=5)
        if [t.id for t in scores.tokens] == [t.id for t in answer.tokens]:
            for scored, drawn in zip(scores.tokens, answer.tokens, strict=True):
                assert scored.logprob == pytest.approx(drawn.logprob, abs=5e-3)
                assert scored.rank == drawn.rank
                assert scored.entropy == pytest.approx(drawn.entropy, abs=5e-3)


def test_scores_are_the_same_in_pieces(opened: Callable[..., LlamaCppEngine]) -> None:
    """A long target is run over several batches, with and without a known prefix."""
    engine, narrow = opened(), opened(n_batch=32, n_lanes=2)
    context, target = "Some context. " * 8, "And a target that is much longer. " * 8
    whole = engine.score([text(context)], [text(target)], full=True)
    again = engine.score([text(context)], [text(target)], full=True)
    parts = narrow.score([text(context)], [text(target)], full=True)
    assert again.usage.cached_tokens > 0
    assert whole.full is not None
    for other in (again, parts):
        assert [t.id for t in other.tokens] == [t.id for t in whole.tokens]
        assert other.full is not None
        # The KV is kept in 16 bits, and sums depend on the shape of a batch.
        np.testing.assert_allclose(other.full, whole.full, atol=2e-2)


def test_without_bos_an_empty_prompt_still_begins_somewhere(tmp_path: Path) -> None:
    path = write_model(tmp_path / "nobos.gguf", add_bos=False)
    engine = LlamaCppEngine(EngineSpec(path=str(path), n_threads=1))
    assert not engine.info.add_bos
    assert engine.tokenize([text("a")]) == engine.tokenize([text("a")], add_bos=False)
    empty: tuple[Piece, ...] = ()
    (answer,) = ask(engine, GenerateRequest(empty, SamplingParams(max_tokens=3)))
    assert answer.end.usage.prompt_tokens == 1
    engine.close()
