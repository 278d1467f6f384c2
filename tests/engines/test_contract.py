"""What every engine promises, in place and through the worker."""

from __future__ import annotations

import math
import threading
from dataclasses import replace
from typing import get_args

import numpy as np
import pytest
from asking import Answer, ask, fold, letters_only, request, text
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from playground.engines.base import Cancel, Capability, Delta, Engine, Finished, GenerateRequest
from playground.errors import ContextLengthError
from playground.types import SamplingParams, StopRule


def test_info_describes_the_model(engine: Engine) -> None:
    info = engine.info
    assert info.n_ctx == 512
    assert info.add_bos
    assert info.bos_text == "<|bos|>"
    assert set(info.eos_ids) == set(engine.tokenize([text("<|eos|>", special=True)], add_bos=False))
    assert "<|turn|>" in info.special_tokens
    assert {"generate", "score", "score_full", "logprobs"} <= set(info.capabilities)
    assert info.device
    assert engine.alive


def test_what_it_cannot_do_has_a_reason(engine: Engine) -> None:
    has, lacks = engine.info.capabilities, dict(engine.info.lacks)
    assert sorted([*has, *lacks]) == sorted(get_args(Capability))
    assert all(reason.endswith(".") for reason in lacks.values())


@settings(max_examples=25, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(content=st.text(max_size=60))
def test_tokens_are_the_text(engine: Engine, content: str) -> None:
    ids = engine.tokenize([text(content)], add_bos=False)
    assert engine.detokenize(ids) == content.encode()
    assert sum(engine.token_sizes(ids)) == len(content.encode())


def test_special_tokens_are_parsed_only_where_a_piece_allows_it(engine: Engine) -> None:
    pieces = [text("<|turn|>", special=True), text("a<|turn|>b"), text("<|tu"), text("rn|>", special=True)]
    turn = engine.tokenize([text("<|turn|>", special=True)], add_bos=False)
    assert len(turn) == 1
    ids = engine.tokenize(pieces)
    assert ids.count(turn[0]) == 1
    assert ids[1] == turn[0]
    assert engine.detokenize(ids) == b"<|bos|><|turn|>a<|turn|>b<|turn|>"


def test_neighbouring_template_pieces_may_share_a_special_token(engine: Engine) -> None:
    whole = engine.tokenize([text("<|turn|>", special=True)])
    assert engine.tokenize([text("<|tu", special=True), text("rn|>", special=True)]) == whole


def test_exactly_one_bos(engine: Engine) -> None:
    bos = engine.info.bos_id
    assert engine.tokenize([text("x")]).count(bos) == 1
    assert engine.tokenize([text("<|bos|>", special=True), text("x")]) == engine.tokenize([text("x")])
    assert engine.tokenize([text("<|bos|>x")]).count(bos) == 1
    assert bos not in engine.tokenize([text("<|bos|>x")], add_bos=False)
    assert engine.tokenize([]) == [bos]


def test_pieces_tokenize_as_the_joined_text(engine: Engine) -> None:
    whole = engine.tokenize([text("in the other")])
    assert engine.tokenize([text("in t"), text("he oth", special=True), text("er")]) == whole


def test_deltas_tokens_and_usage_agree(engine: Engine) -> None:
    (answer,) = ask(engine, request(engine, max_tokens=12))
    assert answer.end.finish_reason == "length"
    assert answer.text.encode() == b"".join(token.bytes for token in answer.tokens)
    assert answer.end.usage.completion_tokens == len(answer.tokens) == 12
    assert answer.end.usage.prompt_tokens == len(engine.tokenize([text("Hello there")]))
    assert answer.end.seed == 7
    assert answer.end.error is None
    assert all(token.logprob is None and not token.alternatives for token in answer.tokens)


def test_the_first_tokens_time_is_the_prefills(engine: Engine) -> None:
    many, one = ask(engine, request(engine, max_tokens=12), request(engine, max_tokens=1))
    usage = many.end.usage
    assert usage.prefill_s > 0
    assert usage.decode_s > 0
    assert usage.tokens_per_s == pytest.approx(11 / usage.decode_s)
    assert one.end.usage.prefill_s > 0
    assert one.end.usage.tokens_per_s == 0


def test_no_tokens_asked_none_given(engine: Engine) -> None:
    (answer,) = ask(engine, request(engine, max_tokens=0))
    assert (answer.text, answer.end.finish_reason) == ("", "length")


@pytest.mark.parametrize("length", [1, 3, 7])
def test_a_stop_ends_the_text_and_is_not_shown(engine: Engine, length: int) -> None:
    (free,) = ask(engine, request(engine, max_tokens=60))
    stop = free.text[20 : 20 + length]
    (answer,) = ask(engine, request(engine, max_tokens=60, stop=(StopRule(stop),)))
    assert answer.text == free.text[: free.text.index(stop)].rstrip()
    assert answer.end.finish_reason == "stop"
    assert answer.end.stop == stop
    assert len(b"".join(t.bytes for t in answer.tokens)) >= len(answer.text.encode())


def test_what_was_held_back_comes_when_the_text_ends_by_length(engine: Engine) -> None:
    (free,) = ask(engine, request(engine, max_tokens=30))
    rule = StopRule(free.text[-3:] + "#")
    (answer,) = ask(engine, request(engine, max_tokens=30, stop=(rule,)))
    assert answer.text == free.text
    assert answer.end.finish_reason == "length"
    assert answer.tokens == free.tokens


def test_samples_have_seeds_of_their_own(engine: Engine) -> None:
    together = ask(engine, request(engine, n=3, seed=100))
    assert [answer.end.seed for answer in together] == [100, 101, 102]
    assert len({answer.text for answer in together}) == 3
    for number, answer in enumerate(together):
        (alone,) = ask(engine, request(engine, seed=100 + number))
        assert alone.text == answer.text


def test_a_seed_is_drawn_and_told(engine: Engine) -> None:
    (one,) = ask(engine, request(engine, seed=None))
    (again,) = ask(engine, request(engine, seed=one.end.seed))
    assert again.text == one.text
    (other,) = ask(engine, request(engine, seed=None))
    assert other.end.seed != one.end.seed


def test_greedy_is_the_same_every_time(engine: Engine) -> None:
    requests = [request(engine, temperature=0, seed=seed) for seed in (1, 2)]
    one, other = ask(engine, *requests)
    assert one.text == other.text


def test_several_requests_are_interleaved_and_kept_apart(engine: Engine) -> None:
    requests = [request(engine, "Hello " * (i + 1), seed=i) for i in range(5)]
    events = list(engine.generate(requests))
    order = [event.request for event in events]
    assert order != sorted(order)
    answers = fold(events)
    for index, asked in enumerate(requests):
        (alone,) = ask(engine, asked)
        assert answers[index, 0].text == alone.text


def test_logprobs_describe_the_raw_distribution(engine: Engine) -> None:
    (answer,) = ask(engine, request(engine, logprobs=3, max_tokens=5))
    assert len(answer.tokens) == 5
    for token in answer.tokens:
        assert token.logprob is not None
        assert token.logprob < 0
        assert token.rank is not None
        assert token.rank >= 1
        assert token.entropy is not None
        assert 0 < token.entropy <= math.log(engine.info.n_vocab) + 1e-5
        best = [other.logprob for other in token.alternatives]
        assert len(best) == 3
        assert best == sorted(best, reverse=True)
        assert all(other.bytes == engine.detokenize([other.id]) for other in token.alternatives)


def test_a_prompt_too_long_is_that_requests_error(engine: Engine) -> None:
    long, short = ask(engine, request(engine, "x" * 600), request(engine))
    assert long.end.finish_reason == "error"
    assert long.end.error == (
        "The prompt has 601 tokens and the context holds 512; shorten the examples or raise n_ctx."
    )
    assert short.end.finish_reason == "length"


@pytest.mark.parametrize(
    ("sampling", "said"),
    [
        (SamplingParams(temperature=-1.0), "temperature is -1.0"),
        (SamplingParams(top_p=0.0), "top_p is 0.0"),
        (SamplingParams(min_p=1.0), "min_p is 1.0"),
        (SamplingParams(repetition_penalty=0.0), "repetition_penalty is 0.0"),
    ],
)
def test_a_meaningless_option_is_named(engine: Engine, sampling: SamplingParams, said: str) -> None:
    (answer,) = ask(engine, GenerateRequest((text("x"),), sampling))
    assert answer.end.finish_reason == "error"
    assert said in (answer.end.error or "")


def test_an_empty_stop_rule_is_refused(engine: Engine) -> None:
    (answer,) = ask(engine, request(engine, stop=(StopRule(""),)))
    assert answer.end.finish_reason == "error"
    assert "stop rule is empty" in (answer.end.error or "")


def test_cancel_ends_every_sample(engine: Engine) -> None:
    cancel = Cancel()
    answers: dict[tuple[int, int], Answer] = {}
    asked = [request(engine, n=2, max_tokens=400), request(engine, max_tokens=400)]
    events = []
    for event in engine.generate(asked, cancel=cancel):
        events.append(event)
        if isinstance(event, Delta):
            cancel.set()
    answers = fold(events)
    assert sorted(answers) == [(0, 0), (0, 1), (1, 0)]
    assert {answer.end.finish_reason for answer in answers.values()} == {"cancelled"}


def test_cancelled_before_it_began(engine: Engine) -> None:
    cancel = Cancel()
    cancel.set()
    answers = fold(engine.generate([request(engine, n=2)], cancel=cancel))
    assert {answer.end.finish_reason for answer in answers.values()} == {"cancelled"}
    assert len(answers) == 2


def test_a_closed_iterator_leaves_the_engine_free(engine: Engine) -> None:
    events = engine.generate([request(engine, max_tokens=400)])
    assert isinstance(next(events), Delta)
    events.close()  # type: ignore[attr-defined]
    (answer,) = ask(engine, request(engine, max_tokens=3))
    assert answer.end.finish_reason == "length"


def test_tokenizing_is_answered_while_the_model_is_busy(engine: Engine) -> None:
    events = engine.generate([request(engine, max_tokens=400)])
    next(events)
    assert engine.detokenize(engine.tokenize([text("busy")], add_bos=False)) == b"busy"
    events.close()  # type: ignore[attr-defined]


def test_several_threads_share_an_engine(engine: Engine) -> None:
    alone = [ask(engine, request(engine, seed=seed))[0].text for seed in range(4)]
    found: dict[int, str] = {}

    def work(seed: int) -> None:
        found[seed] = ask(engine, request(engine, seed=seed))[0].text

    threads = [threading.Thread(target=work, args=(seed,)) for seed in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert [found[seed] for seed in range(4)] == alone


def test_score_tells_of_the_target_alone(engine: Engine) -> None:
    scores = engine.score([text("Hello")], [text(" in here")], top=2)
    assert b"".join(token.bytes for token in scores.tokens) == b" in here"
    for token in scores.tokens:
        assert token.logprob is not None
        assert token.rank is not None
        assert len(token.alternatives) == 2
    assert scores.full is None
    assert scores.usage.prompt_tokens == len(engine.tokenize([text("Hello in here")]))


def test_a_token_belongs_to_the_part_that_holds_its_first_byte(engine: Engine) -> None:
    context, target = "Hello o", "ther"
    ids = engine.tokenize([text(context + target)])
    sizes = engine.token_sizes(ids)
    starts = np.cumsum([0, *sizes[1:-1]])
    expected = [token for token, start in zip(ids[1:], starts, strict=True) if start >= len(context)]
    scores = engine.score([text(context)], [text(target)])
    assert [token.id for token in scores.tokens] == expected


def test_a_target_behind_a_space_is_scored_with_the_space_that_its_token_begins_with(engine: Engine) -> None:
    scores = engine.score([text("Say hello ")], [text("you")])
    ids = engine.tokenize([text("Say hello you")])
    data = b"".join(token.bytes for token in scores.tokens)
    assert data in (b"you", b" you")
    assert [token.id for token in scores.tokens] == ids[-len(scores.tokens) :]


def test_full_scores_are_normalised_log_probabilities(engine: Engine) -> None:
    scores = engine.score([text("Hello")], [text(" you")], full=True)
    assert scores.full is not None
    assert scores.full.dtype == np.float32
    assert scores.full.shape == (len(scores.tokens), engine.info.n_vocab)
    np.testing.assert_allclose(np.exp(scores.full.astype(np.float64)).sum(axis=1), 1, atol=1e-4)
    for row, token in zip(scores.full, scores.tokens, strict=True):
        assert row[token.id] == pytest.approx(token.logprob, abs=1e-5)


def test_the_first_token_of_all_has_no_probability(engine: Engine) -> None:
    scores = engine.score([], [text("<|bos|>", special=True), text("Hi")])
    assert scores.tokens[0].logprob is None
    assert scores.tokens[0].id == engine.info.bos_id
    assert scores.tokens[1].logprob is not None


def test_nothing_to_score_is_no_tokens(engine: Engine) -> None:
    scores = engine.score([text("Hello")], [], full=True)
    assert scores.tokens == ()
    assert scores.full is not None
    assert scores.full.shape == (0, engine.info.n_vocab)


def test_a_text_too_long_to_score_is_refused_with_the_figures(engine: Engine) -> None:
    with pytest.raises(ContextLengthError, match=r"601 tokens .* holds 512"):
        engine.score([text("x" * 500)], [text("y" * 100)])


def test_an_answer_ends_where_the_context_does(engine: Engine) -> None:
    (answer,) = ask(engine, request(engine, "x" * 500, max_tokens=100))
    assert answer.end.finish_reason == "length"
    assert answer.end.usage.completion_tokens <= 11
    assert "512" in (answer.end.error or "")


def test_warming_changes_no_answer(engine: Engine) -> None:
    (before,) = ask(engine, request(engine, "Warm me " * 8))
    engine.warm([text("Warm me " * 9)])
    (after,) = ask(engine, request(engine, "Warm me " * 8))
    assert after.text == before.text


def test_an_abandoned_cancel_keeps_nothing(engine: Engine) -> None:
    cancel = Cancel()
    for _ in range(3):
        list(engine.generate([request(engine, max_tokens=2)], cancel=cancel))
        engine.score([text("a")], [text("b")], cancel=cancel)
    assert not cancel._callbacks


def test_letters_are_letters(engine: Engine) -> None:
    """The helper that the other tests rest on."""
    assert len(letters_only(engine)) == 12
    (answer,) = ask(engine, request(engine))
    assert answer.text.isascii()
    assert isinstance(answer.end, Finished)


def test_an_answer_goes_on_from_the_tokens_it_was_given(engine: Engine) -> None:
    (whole,) = ask(engine, request(engine, max_tokens=12, temperature=0))
    ids = tuple(token.id for token in whole.tokens)
    (rest,) = ask(engine, replace(request(engine, max_tokens=4, temperature=0), begun=ids[:5]))
    assert [token.id for token in rest.tokens[:5]] == list(ids[:5])
    assert len(rest.tokens) == 9
    assert rest.end.usage.completion_tokens == 4
    assert rest.end.usage.prompt_tokens == whole.end.usage.prompt_tokens + 5
    assert rest.text.encode() == b"".join(token.bytes for token in rest.tokens)
    if engine.info.engine != "fake":  # whose script starts anew
        assert [token.id for token in rest.tokens] == list(ids[:9])


def test_half_a_character_that_was_given_is_completed(engine: Engine) -> None:
    wren = engine.tokenize([text("鸟")], add_bos=False)
    assert len(wren) == 3, "byte by byte"
    bias = ((wren[2], 1000.0),)
    half = replace(request(engine, max_tokens=1), begun=tuple(wren[:2]))
    (answer,) = ask(engine, replace(half, sampling=replace(half.sampling, logit_bias=bias)))
    if engine.info.engine != "fake":
        assert answer.text == "鸟"
        assert [token.id for token in answer.tokens] == wren


def test_an_answer_that_was_ended_by_what_it_was_given_stays_so(engine: Engine) -> None:
    given = (*engine.tokenize([text("ab")], add_bos=False), engine.info.eos_ids[0])
    (answer,) = ask(engine, replace(request(engine, max_tokens=9), begun=given))
    assert (answer.text, answer.end.finish_reason) == ("ab", "stop")
    stop = (StopRule("b"),)
    (answer,) = ask(engine, replace(request(engine, max_tokens=9, stop=stop), begun=given[:2]))
    assert (answer.text, answer.end.finish_reason, answer.end.stop) == ("a", "stop", "b")


def test_a_token_that_there_is_not_is_refused(engine: Engine) -> None:
    wrong = engine.info.n_vocab
    (answer,) = ask(engine, replace(request(engine, max_tokens=9), begun=(1, wrong)))
    assert answer.end.finish_reason == "error"
    assert str(wrong) in (answer.end.error or "")
