"""Short ways to ask an engine and to read its answer."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field

from playground.engines.base import Delta, Engine, Event, Finished, GenerateRequest
from playground.types import Origin, Piece, SamplingParams, StopRule, Token

_ORIGIN = Origin("turn", "query")


def text(content: str, *, special: bool = False) -> Piece:
    """A piece of a prompt."""
    return Piece(content, _ORIGIN, special)


@dataclass
class Answer:
    """One sample's events folded together."""

    text: str = ""
    tokens: list[Token] = field(default_factory=list)
    deltas: list[str] = field(default_factory=list)
    finished: list[Finished] = field(default_factory=list)

    @property
    def end(self) -> Finished:
        """The one final event."""
        assert len(self.finished) == 1
        return self.finished[0]


def fold(events: Iterable[Event]) -> dict[tuple[int, int], Answer]:
    """Answers by (request, sample); nothing may follow a sample's end."""
    answers: dict[tuple[int, int], Answer] = {}
    for event in events:
        answer = answers.setdefault((event.request, event.sample), Answer())
        assert not answer.finished
        if isinstance(event, Delta):
            answer.text += event.text
            answer.deltas.append(event.text)
            answer.tokens += event.tokens
        else:
            answer.finished.append(event)
    return answers


def letters_only(engine: Engine) -> tuple[tuple[int, float], ...]:
    """A bias under which a random model writes letters, spaces and line ends."""
    return tuple((engine.tokenize([text(c)], add_bos=False)[0], 100.0) for c in "abcdefghij \n")


def request(
    engine: Engine,
    prompt: str = "Hello there",
    *,
    n: int = 1,
    stop: tuple[StopRule, ...] = (),
    logprobs: int | None = None,
    temperature: float = 1.0,
    max_tokens: int = 40,
    seed: int | None = 7,
) -> GenerateRequest:
    """A request that is answered in letters."""
    sampling = SamplingParams(
        temperature=temperature, max_tokens=max_tokens, seed=seed, logit_bias=letters_only(engine)
    )
    return GenerateRequest((text(prompt),), sampling, stop, n, logprobs)


def assert_same_past(found: Answer, expected: Answer) -> None:
    """Wherever two answers have the same tokens so far, they agree on the distribution; needs logprobs.

    Floats differ a little with the company that a text keeps (some 0.002 nats), so a draw may tip over. A
    sequence with wrong cells in it is off by whole nats.
    """
    for token, wanted in zip(found.tokens, expected.tokens, strict=False):
        assert token.entropy is not None
        assert wanted.entropy is not None
        assert abs(token.entropy - wanted.entropy) < 0.03
        if token.id != wanted.id:
            return
    assert found.end.finish_reason == expected.end.finish_reason


def ask(engine: Engine, *requests: GenerateRequest) -> list[Answer]:
    """The answers of all samples, in order."""
    answers = fold(engine.generate(requests))
    return [answers[key] for key in sorted(answers)]
