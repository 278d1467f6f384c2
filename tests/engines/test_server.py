"""The server engine: against a real server on loopback, and against one that misbehaves."""

from __future__ import annotations

import ssl
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import openai
import pytest
import test_contract
from asking import Answer, ask, fold, letters_only, request, text
from bad_server import BadServer, bad_server

from playground.engines.base import Cancel, Delta, Engine, GenerateRequest
from playground.engines.llamacpp.engine import LlamaCppEngine
from playground.engines.load import EngineSpec, open_engine
from playground.engines.server.answers import read_chunk
from playground.engines.server.chat import MARK, messages_of, pieces_of
from playground.engines.server.connection import ATTEMPTS, ServerConnection
from playground.engines.server.dialect import LLAMA_CPP_PYTHON, OPENAI, SGLANG, VLLM, refusal
from playground.engines.server.engine import ServerEngine
from playground.engines.server.sentences import sentence
from playground.engines.server.tokens import EstimatedTokens
from playground.errors import ContextLengthError, EngineError, ModelLoadError, UnsupportedError
from playground.prompts.chat_template import ChatTemplateRenderer
from playground.types import Message, SamplingParams, StopRule

GREEDY = SamplingParams(max_tokens=8)


# --- a real server


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


# --- one that misbehaves


@pytest.fixture(scope="module")
def bad() -> Iterator[BadServer]:
    with bad_server() as server:
        yield server


def served(bad: BadServer, behaviour: str, *, timeout_s: float = 5.0) -> ServerEngine:
    address = bad.address(behaviour)
    connection = ServerConnection(address, timeout_s=timeout_s, first_pause_s=0.001)
    return ServerEngine(EngineSpec(kind="server", path=address), connection=connection)


@pytest.mark.parametrize(
    ("behaviour", "said", "shown"),
    [
        ("busy", "takes no more requests at present (429): slow down, key (key); try again later", ""),
        ("fails", "failed (500): out of memory", ""),
        ("locked", "refuses the key (401): wrong key; set PLAYGROUND_SERVER_KEY", ""),
        ("picky", "refused the request (400): logprobs must be at most 5", ""),
        ("dies", "ended the connection in the middle of the answer", "Hello"),
        ("early", "ended the answer before it was finished", "Hello"),
        ("half_a_line", "ended the answer before it was finished", "Hello"),
        ("wrong_json", "sent something that is no answer", "Hello"),
        ("other_json", "sent something that is no answer", ""),
    ],
)
def test_one_clear_sentence(bad: BadServer, behaviour: str, said: str, shown: str) -> None:
    engine = served(bad, behaviour)
    (answer,) = ask(engine, GenerateRequest((text("Hi"),), GREEDY))
    assert answer.text == shown
    assert answer.end.finish_reason == "error"
    assert said in (answer.end.error or "")
    assert (answer.end.error or "").count(". ") == 0
    again = behaviour in ("busy", "fails")
    assert bad.asked[behaviour] == (ATTEMPTS if again else 1)
    engine.close()


def test_a_hang_ends_with_the_time_that_was_waited(bad: BadServer) -> None:
    engine = served(bad, "hangs", timeout_s=0.3)
    (answer,) = ask(engine, GenerateRequest((text("Hi"),), GREEDY))
    assert answer.text == "Hello"
    assert "said nothing for 0.3 s" in (answer.end.error or "")
    engine.close()


def test_busy_once_is_asked_again(bad: BadServer) -> None:
    engine = served(bad, "busy_once")
    (answer,) = ask(engine, GenerateRequest((text("Hi"),), GREEDY))
    assert (answer.text, answer.end.finish_reason) == ("Hello you", "stop")
    assert answer.end.usage.prompt_tokens == 3
    assert answer.end.usage.completion_tokens == 2
    engine.close()


@pytest.mark.parametrize("behaviour", ["hangs", "endless"])
def test_a_cancel_ends_it_and_the_server_hears_of_it(bad: BadServer, behaviour: str) -> None:
    engine = served(bad, behaviour, timeout_s=60)
    cancel = Cancel()
    events = []
    for event in engine.generate([GenerateRequest((text("Hi"),), GREEDY)], cancel=cancel):
        events.append(event)
        if isinstance(event, Delta):
            cancel.set()
    (answer,) = fold(events).values()
    assert answer.end.finish_reason == "cancelled"
    assert answer.text.startswith("Hello")
    if behaviour == "endless":
        assert bad.hung_up.wait(10)
    engine.close()


def test_cancelled_before_it_began(bad: BadServer) -> None:
    cancel = Cancel()
    cancel.set()
    engine = served(bad, "hangs")
    answers = fold(engine.generate([GenerateRequest((text("Hi"),), GREEDY, n=2)], cancel=cancel))
    assert {answer.end.finish_reason for answer in answers.values()} == {"cancelled"}
    engine.close()


@pytest.mark.parametrize(
    ("behaviour", "said"),
    [("html", "no answer; is it an OpenAI-compatible"), ("models_down", r"failed \(503\): starting")],
)
def test_a_server_that_cannot_be_asked_is_no_model(bad: BadServer, behaviour: str, said: str) -> None:
    with pytest.raises(ModelLoadError, match=said):
        served(bad, behaviour)


def test_no_server_no_model() -> None:
    with bad_server() as gone:
        address = gone.address("well")
    with pytest.raises(ModelLoadError, match="There is no server at"):
        ServerEngine(
            EngineSpec(kind="server", path=address), connection=ServerConnection(address, first_pause_s=0.001)
        )


@pytest.mark.parametrize("address", ["ftp://x/v1", "nothing", "http://user:key@127.0.0.1/v1"])
def test_an_address_is_an_address_without_a_key(address: str) -> None:
    with pytest.raises(ModelLoadError, match=r"address"):
        ServerConnection(address)


def test_a_model_it_does_not_have(bad: BadServer) -> None:
    with pytest.raises(ModelLoadError, match="no model 'other', only: m"):
        ServerEngine(EngineSpec(kind="server", path=bad.address("well"), served_model="other"))


def test_a_certificate_that_cannot_be_trusted_is_said() -> None:
    cause = ssl.SSLCertVerificationError("certificate verify failed: self-signed certificate")
    error = openai.APIConnectionError(request=None)  # type: ignore[arg-type]
    error.__cause__ = cause
    said = sentence(error, "https://x/v1", timeout_s=1, started=False)
    assert said.startswith("The certificate of https://x/v1 cannot be trusted (")


# --- capabilities and chat


def test_counts_are_estimates_where_nobody_has_the_tokenizer(bad: BadServer) -> None:
    engine = served(bad, "well")
    assert engine.info.counts_estimated
    assert engine.info.n_ctx == 512
    assert "score" not in engine.info.capabilities
    with pytest.raises(UnsupportedError, match=r"logprobs of a prompt \(400\)"):
        engine.score([text("a")], [text("b")])
    engine.close()


@pytest.mark.parametrize("content", ["Hello there, world! 123456", "日本語の文章 and words\n\n", ""])
def test_an_estimate_is_the_text(content: str) -> None:
    tokens = EstimatedTokens()
    ids = tokens.encode([text(content)], add_bos=True)
    assert b"".join(tokens.piece(token) for token in ids) == content.encode()
    assert len(ids) <= len(content)
    with pytest.raises(EngineError, match="only estimated"):
        tokens.piece(10_000)


def test_vllm_is_asked_in_its_own_words(bad: BadServer) -> None:
    engine = served(bad, "vllm")
    assert engine.info.engine == "server (vllm)"
    bad.bodies.clear()
    sampling = SamplingParams(
        temperature=0.5, top_k=5, min_p=0.1, repetition_penalty=1.2, max_tokens=3, seed=4
    )
    ask(engine, GenerateRequest((text("Hello there"),), sampling))
    (body,) = bad.bodies
    assert body["prompt"] == "Hello there"
    assert (body["top_k"], body["min_p"], body["repetition_penalty"], body["seed"]) == (5, 0.1, 1.2, 4)
    assert body["return_token_ids"] is True
    scores = engine.score([text("Hello")], [text(" there you")], top=2)
    assert [(t.bytes, t.logprob, t.rank) for t in scores.tokens] == [
        (b" there", -2.5, 7),
        (b" you", -0.25, 1),
    ]
    assert [a.bytes for a in scores.tokens[0].alternatives] == [b" world", b" there"]
    engine.close()


@pytest.mark.parametrize(
    ("dialect", "params", "said"),
    [
        (OPENAI, SamplingParams(top_k=5), "top_k"),
        (OPENAI, SamplingParams(min_p=0.1), "min_p"),
        (SGLANG, SamplingParams(repetition_penalty=1.1), "repetition_penalty"),
        (VLLM, SamplingParams(repetition_penalty=1.1, penalize_prompt=False), "leaves the prompt out"),
        (LLAMA_CPP_PYTHON, SamplingParams(frequency_penalty=0.2), "count the output alone"),
        (LLAMA_CPP_PYTHON, SamplingParams(temperature=0.5, top_p=0.9), "after a temperature"),
        (VLLM, SamplingParams(temperature=0.5, top_p=0.9, repetition_penalty=1.1), None),
        (LLAMA_CPP_PYTHON, SamplingParams(temperature=1, top_p=0.9), None),
    ],
)
def test_what_would_mean_something_else_is_refused(
    dialect: object, params: SamplingParams, said: str | None
) -> None:
    found = refusal(dialect, params)  # type: ignore[arg-type]
    assert (found is None) if said is None else said in (found or "")


def test_a_conversation_is_sent_as_messages(bad: BadServer) -> None:
    engine = served(bad, "well")
    renderer = ChatTemplateRenderer(engine.info.chat_template or "", "", "", system="Be brief.")
    prompt = renderer.render([Message("user", "a <|turn|>"), Message("assistant", "b"), Message("user", "c")])
    assert prompt.text.startswith(MARK)
    bad.bodies.clear()
    (answer,) = ask(engine, GenerateRequest(prompt.pieces, GREEDY, prompt.stop))
    assert answer.text == "Hi!"
    assert bad.bodies[-1]["messages"] == [
        {"role": "system", "content": "Be brief."},
        {"role": "user", "content": "a <|turn|>"},
        {"role": "assistant", "content": "b"},
        {"role": "user", "content": "c"},
    ]
    engine.close()


def test_a_judges_messages_survive() -> None:
    messages = [Message("system", "Judge."), Message("user", "A or B?")]
    assert messages_of(pieces_of(messages)) == messages
    assert messages_of([text("no conversation")]) is None


@pytest.mark.parametrize("as_map", [True, False])
def test_logprobs_are_read_the_chat_way_too(as_map: bool) -> None:
    best = [{"token": " yes", "logprob": -0.1}, {"token": " no", "logprob": -2.5}]
    told: Any = {"token": " no", "logprob": -2.5, "top_logprobs": best}
    if not as_map:
        told = SimpleNamespace(**{**told, "top_logprobs": [SimpleNamespace(**one) for one in best]})
    choice = SimpleNamespace(text=" no", logprobs=SimpleNamespace(content=[told]), finish_reason=None)
    (token,) = read_chunk(SimpleNamespace(choices=[choice]), 2).tokens
    assert (token.bytes, token.logprob, token.rank) == (b" no", -2.5, 2)
    assert [other.bytes for other in token.alternatives] == [b" yes", b" no"]


def test_a_closed_engine_says_so(bad: BadServer) -> None:
    engine = served(bad, "well")
    engine.close()
    engine.close()
    assert not engine.alive
    with pytest.raises(EngineError, match="was closed"):
        engine.tokenize([text("x")])


def test_many_requests_are_in_flight_with_a_limit(bad: BadServer) -> None:
    engine = served(bad, "well")
    answers: list[Answer] = ask(engine, *[GenerateRequest((text(f"Hi {i}"),), GREEDY) for i in range(40)])
    assert {answer.text for answer in answers} == {"Hello you"}
    assert len(answers) == 40
    engine.close()
