"""Samples of one prompt, and answers that go on from given tokens: over the fake engine, byte by byte."""

from __future__ import annotations

import dataclasses
from collections.abc import Iterator, Sequence

from playground.chat.assistant import Assistant, bare_renderer
from playground.chat.compare import Begun, SideDelta, SideFinished, SideRun, SideStarted, answer
from playground.chat.samples import draw_samples
from playground.engines.base import Cancel, EngineInfo, Event, GenerateRequest
from playground.engines.fake import FakeEngine, FakeReply
from playground.types import Message, SamplingParams


class Watched(FakeEngine):
    """Keeps what it was asked; ``resumes`` says whether it takes token ids to begin with."""

    def __init__(self, *, resumes: bool = True) -> None:
        super().__init__(lambda prompt, sample: FakeReply([f"answer {sample}", "!"]))
        self.asked: list[GenerateRequest] = []
        self._resumes = resumes

    @property
    def info(self) -> EngineInfo:
        known = super().info
        kept = tuple(c for c in known.capabilities if c != "resume" or self._resumes)
        return dataclasses.replace(known, capabilities=kept)

    def generate(
        self, requests: Sequence[GenerateRequest], *, cancel: Cancel | None = None
    ) -> Iterator[Event]:
        self.asked += requests
        return super().generate(requests, cancel=cancel)


def _run(engine: FakeEngine, begun: Begun | None = None) -> SideRun:
    assistant = Assistant("a", "m", bare_renderer(), SamplingParams(max_tokens=40, seed=5))
    return SideRun("A", lambda: (assistant, engine), (Message("user", "q"),), 2, begun)


def test_samples_are_one_request_with_a_seed_each() -> None:
    engine = Watched()
    events = list(draw_samples(_run(engine), ["s0", "s1", "s2"]))
    assert len(engine.asked) == 1
    assert engine.asked[0].n == 3
    ends = {event.side: event for event in events if isinstance(event, SideFinished)}
    assert [ends[name].reply.text for name in ("s0", "s1", "s2")] == ["answer 0!", "answer 1!", "answer 2!"]
    assert [ends[name].seed for name in ("s0", "s1", "s2")] == [5, 6, 7]
    assert all(token.rank == 1 for end in ends.values() for token in end.reply.tokens)
    assert sum(isinstance(event, SideStarted) for event in events) == 3


def test_every_sample_ends_where_a_model_fails_or_is_cancelled() -> None:
    cancel = Cancel()
    cancel.set()
    ends = [
        e for e in draw_samples(_run(Watched()), ["s0", "s1"], cancel=cancel) if isinstance(e, SideFinished)
    ]
    assert [end.reply.finish_reason for end in ends] == ["cancelled", "cancelled"]
    broken = FakeEngine(lambda prompt, sample: FakeReply(["a", "b"], fail_at=1, error="It broke."))
    ends = [e for e in draw_samples(_run(broken), ["s0", "s1"]) if isinstance(e, SideFinished)]
    assert [(end.reply.text, end.reply.error) for end in ends] == [("a", "It broke.")] * 2
    closed = Watched()
    closed.close()
    ends = [e for e in draw_samples(_run(closed), ["s0", "s1"]) if isinstance(e, SideFinished)]
    assert [end.reply.finish_reason for end in ends] == ["error", "error"]


def test_an_answer_begins_with_the_ids_it_was_given() -> None:
    engine = Watched()
    events = list(answer(_run(engine, Begun((72, 105), "Hi"))))
    assert engine.asked[0].begun == (72, 105)
    assert isinstance(events[-1], SideFinished)
    assert events[-1].reply.text == "Hianswer 0!"


def test_an_engine_that_takes_no_ids_is_given_the_text() -> None:
    engine = Watched(resumes=False)
    events = list(answer(_run(engine, Begun((72, 105), "Hi"))))
    assert engine.asked[0].begun == ()
    assert engine.asked[0].prompt[-1].text == "Hi"
    assert isinstance(events[1], SideDelta)
    assert events[1].text == "Hi"
    assert isinstance(events[-1], SideFinished)
    assert events[-1].reply.text == "Hianswer 0!"
