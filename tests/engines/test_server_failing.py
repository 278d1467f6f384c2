"""The server engine against a server that misbehaves: one clear sentence each."""

from __future__ import annotations

import ssl

import openai
import pytest
from asking import ask, fold, text
from bad_server import BadServer, bad_server, served

from playground.engines.base import Cancel, Delta, GenerateRequest
from playground.engines.load import EngineSpec
from playground.engines.server.connection import ATTEMPTS, ServerConnection
from playground.engines.server.engine import ServerEngine
from playground.engines.server.sentences import sentence
from playground.errors import ModelLoadError
from playground.types import SamplingParams

GREEDY = SamplingParams(max_tokens=8)


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
