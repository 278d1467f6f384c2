"""The server engine against a real server on loopback."""

from __future__ import annotations

import subprocess
import sys
import threading
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path

import pytest
import test_contract
from asking import ask, letters_only, request, text

from playground.engines.base import Engine, GenerateRequest
from playground.engines.llamacpp.engine import LlamaCppEngine
from playground.engines.load import EngineSpec, open_engine
from playground.errors import ContextLengthError, UnsupportedError
from playground.types import SamplingParams, StopRule

GREEDY = SamplingParams(max_tokens=8)


@pytest.fixture(scope="module")
def address(tiny_path: Path) -> Iterator[str]:
    """``llama_cpp.server`` with the tiny model, which it serves one request at a time."""
    options = {"model": tiny_path, "host": "127.0.0.1", "port": 0, "n_ctx": 512, "n_threads": 1}
    command = [sys.executable, "-m", "llama_cpp.server", "--logits_all", "true"]
    command += [part for name, value in options.items() for part in (f"--{name}", str(value))]
    process = subprocess.Popen(command, stderr=subprocess.PIPE, stdout=subprocess.DEVNULL, text=True)
    assert process.stderr is not None
    running = next(line for line in process.stderr if "running on" in line)
    drain = threading.Thread(target=lambda: [None for _ in process.stderr or ()], daemon=True)
    drain.start()
    yield next(word for word in running.split() if word.startswith("http")) + "/v1"
    process.terminate()
    process.wait()
    drain.join()
    process.stderr.close()


@pytest.fixture(scope="module")
def engine(address: str) -> Iterator[Engine]:
    opened = open_engine(EngineSpec(kind="server", path=address, n_ctx=512))
    yield opened
    opened.close()


@pytest.fixture(scope="module")
def native(tiny_path: Path) -> Iterator[Engine]:
    opened = LlamaCppEngine(EngineSpec(path=str(tiny_path), n_ctx=512, n_threads=1))
    yield opened
    opened.close()


def test_it_says_what_it_is_and_what_it_lacks(engine: Engine) -> None:
    assert engine.info.engine == "server (llama-cpp-python)"
    assert {"generate", "score", "logprobs"} <= set(engine.info.capabilities)
    assert "score_full" in dict(engine.info.lacks)
    assert not engine.info.counts_estimated
    assert engine.info.device.startswith("127.0.0.1:")


def test_tokens_are_the_models(engine: Engine, native: Engine) -> None:
    assert engine.tokenize([text("Hello the")]) == native.tokenize([text("Hello the")])
    assert engine.tokenize([text("the")], add_bos=False) == native.tokenize([text("the")], add_bos=False)
    ids = engine.tokenize([text("in the")], add_bos=False)
    assert engine.detokenize(ids) == b"in the"
    assert engine.token_sizes(ids) == native.token_sizes(ids)


def test_greedy_is_the_engines_greedy(engine: Engine, native: Engine) -> None:
    asked = [request(one, temperature=0, max_tokens=20) for one in (engine, native)]
    (one,), (two,) = ask(engine, asked[0]), ask(native, asked[1])
    assert one.text == two.text
    assert one.end.finish_reason == "length"
    assert one.end.usage.completion_tokens == 20


def test_half_a_surrogate_pair_is_the_error_of_its_request_alone(engine: Engine) -> None:
    bad = GenerateRequest((text("ice \ud83d"),), SamplingParams(max_tokens=3))
    answers = ask(engine, bad, request(engine, max_tokens=3))
    assert [answer.end.finish_reason for answer in answers] == ["error", "length"]
    assert "half of a surrogate pair" in (answers[0].end.error or "")


def test_samples_have_seeds_of_their_own(engine: Engine) -> None:
    together = ask(engine, request(engine, n=2, seed=100, max_tokens=12))
    assert [answer.end.seed for answer in together] == [100, 101]
    assert together[0].text != together[1].text
    (alone,) = ask(engine, request(engine, seed=101, max_tokens=12))
    assert alone.text == together[1].text


def test_a_stop_ends_the_text_and_is_not_shown(engine: Engine) -> None:
    (free,) = ask(engine, request(engine, max_tokens=40))
    stop = free.text[20:23]
    (answer,) = ask(engine, request(engine, max_tokens=40, stop=(StopRule(stop),)))
    assert answer.text == free.text[: free.text.index(stop)].rstrip()
    assert (answer.end.finish_reason, answer.end.stop) == ("stop", stop)


def test_logprobs_are_the_engines(engine: Engine, native: Engine) -> None:
    (one,), (two,) = (ask(e, request(e, temperature=0, logprobs=3, max_tokens=4)) for e in (engine, native))
    assert [t.bytes for t in one.tokens] == [t.bytes for t in two.tokens]
    for mine, theirs in zip(one.tokens, two.tokens, strict=True):
        assert theirs.logprob is not None
        assert mine.rank in (None, theirs.rank)
        assert 1 <= len(mine.alternatives) <= 3


def test_scores_are_the_engines(engine: Engine, native: Engine) -> None:
    one = engine.score([text("Hello")], [text(" in the other")], top=2)
    two = native.score([text("Hello")], [text(" in the other")], top=2)
    assert [token.bytes for token in one.tokens] == [token.bytes for token in two.tokens]
    for mine, theirs in zip(one.tokens, two.tokens, strict=True):
        # The server lays its context out otherwise, which rounds otherwise.
        assert mine.logprob == pytest.approx(theirs.logprob, abs=0.01)
    assert one.usage.prompt_tokens == two.usage.prompt_tokens


def test_what_it_cannot_is_refused_by_name(engine: Engine) -> None:
    with pytest.raises(UnsupportedError, match="whole distribution"):
        engine.score([text("a")], [text("b")], full=True)
    with pytest.raises(UnsupportedError, match="exact mode"):
        engine.score([text("a")], [text("b")], exact=True)
    with pytest.raises(ContextLengthError, match="holds 512"):
        engine.score([text("x" * 600)], [text("b")])
    (answer,) = ask(engine, replace(request(engine), exact=True))
    assert "exact mode" in (answer.end.error or "")


def test_a_persons_text_never_becomes_a_control_token(engine: Engine) -> None:
    (answer,) = ask(engine, GenerateRequest((text("a<|turn|>b"),), GREEDY))
    assert "reads as a control token" in (answer.end.error or "")
    (fine,) = ask(engine, GenerateRequest((text("<|turn|>", special=True), text("b")), GREEDY))
    assert fine.end.error is None


def test_no_tokens_asked_none_given(engine: Engine) -> None:
    (answer,) = ask(engine, request(engine, max_tokens=0))
    assert (answer.text, answer.end.finish_reason) == ("", "length")


def test_letters_are_one_token_each(engine: Engine, native: Engine) -> None:
    assert letters_only(engine) == letters_only(native)


# --- the contract, as far as a server can keep it

_KEPT = (
    test_contract.test_what_it_cannot_do_has_a_reason,
    test_contract.test_tokens_are_the_text,
    test_contract.test_special_tokens_are_parsed_only_where_a_piece_allows_it,
    test_contract.test_neighbouring_template_pieces_may_share_a_special_token,
    test_contract.test_exactly_one_bos,
    test_contract.test_pieces_tokenize_as_the_joined_text,
    test_contract.test_deltas_tokens_and_usage_agree,
    test_contract.test_the_first_tokens_time_is_the_prefills,
    test_contract.test_no_tokens_asked_none_given,
    test_contract.test_what_was_held_back_comes_when_the_text_ends_by_length,
    test_contract.test_samples_have_seeds_of_their_own,
    test_contract.test_a_seed_is_drawn_and_told,
    test_contract.test_greedy_is_the_same_every_time,
    test_contract.test_a_prompt_too_long_is_that_requests_error,
    test_contract.test_an_empty_stop_rule_is_refused,
    test_contract.test_cancel_ends_every_sample,
    test_contract.test_cancelled_before_it_began,
    test_contract.test_a_closed_iterator_leaves_the_engine_free,
    test_contract.test_tokenizing_is_answered_while_the_model_is_busy,
    test_contract.test_several_threads_share_an_engine,
    test_contract.test_a_text_too_long_to_score_is_refused_with_the_figures,
    test_contract.test_an_answer_ends_where_the_context_does,
    test_contract.test_warming_changes_no_answer,
    test_contract.test_an_abandoned_cancel_keeps_nothing,
    test_contract.test_letters_are_letters,
)
# The rest is what this server does not tell (ranks, entropies, whole distributions, ids in scores) or does
# otherwise (one request at a time); what is refused is tested above.


@pytest.fixture(scope="module")
def with_tokenizer(address: str, tiny_folder: Path) -> Iterator[Engine]:
    """The same server, with the model's tokenizer here."""
    opened = open_engine(EngineSpec(kind="server", path=address, n_ctx=512, tokenizer=str(tiny_folder)))
    yield opened
    opened.close()


@pytest.mark.parametrize("promise", _KEPT)
def test_the_contract(promise: Callable[..., None], with_tokenizer: Engine) -> None:
    promise(engine=with_tokenizer)


def test_a_tokenizer_here_tells_what_the_server_does_not(with_tokenizer: Engine, native: Engine) -> None:
    mine, theirs = with_tokenizer.info, native.info
    assert (mine.bos_text, mine.eos_ids, mine.add_bos) == (theirs.bos_text, theirs.eos_ids, theirs.add_bos)
    assert set(mine.special_tokens) == set(theirs.special_tokens)
