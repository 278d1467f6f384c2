"""What the server engine asks in which words, and what it says it cannot do."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any

import pytest
from asking import Answer, ask, text
from bad_server import BadServer, served

from playground.chat.assistant import Assistant
from playground.chat.compare import SideFinished, SideRun, answer
from playground.engines.base import GenerateRequest
from playground.engines.server.answers import read_chunk
from playground.engines.server.chat import MARK, messages_of, pieces_of
from playground.engines.server.dialect import LLAMA_CPP_PYTHON, OPENAI, SGLANG, VLLM, refusal
from playground.engines.server.engine import ServerEngine
from playground.engines.server.tokens import EstimatedTokens
from playground.errors import EngineError, UnsupportedError
from playground.prompts.chat_template import ChatTemplateRenderer
from playground.types import Message, Reply, SamplingParams

GREEDY = SamplingParams(max_tokens=8)


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


def _answered(engine: ServerEngine, *messages: Message) -> Reply:
    renderer = ChatTemplateRenderer(engine.info.chat_template or "")
    assistant = Assistant("m", "m", renderer, GREEDY)
    *_, last = answer(SideRun("A", lambda: (assistant, engine), messages))
    assert isinstance(last, SideFinished)
    return last.reply


def test_reasoning_that_a_server_tells_apart_is_thinking(bad: BadServer) -> None:
    engine = served(bad, "thinks")
    reply = _answered(engine, Message("user", "5?"))
    assert reply.thinking == "<think>\nIs it 4?\n</think>\n\n"
    assert reply.answer == "It is 5."
    assert (reply.thinking_tokens, len(reply.tokens), reply.thinking_open) == (2, 4, False)
    # What was thought is not sent back.
    bad.bodies.clear()
    _answered(engine, Message("user", "5?"), Message("assistant", reply.text), Message("user", "Sure?"))
    assert bad.bodies[-1]["messages"] == [
        {"role": "user", "content": "5?"},
        {"role": "assistant", "content": "It is 5."},
        {"role": "user", "content": "Sure?"},
    ]
    engine.close()


def test_an_answer_of_a_server_may_end_inside_its_reasoning(bad: BadServer) -> None:
    engine = served(bad, "only_thinks")
    reply = _answered(engine, Message("user", "5?"))
    assert (reply.answer, reply.thinking, reply.thinking_open) == ("", "<think>\nHmm", True)
    assert reply.finish_reason == "length"
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
