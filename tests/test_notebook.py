"""A notebook's text goes to the engine exactly as it is, and what comes back is exactly what was written."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

import pytest

from playground.chat.compare import SideDelta, SideFinished, SideStarted
from playground.engines.base import Cancel, Event, GenerateRequest
from playground.engines.fake import FakeEngine
from playground.services import Workbench
from playground.services.notebook import SIDE, continue_text
from playground.settings import Settings
from playground.types import SamplingParams

TEXT = '  Once\n\n# Query:\n"""\n<|turn|> \t\n'


class Recording(FakeEngine):
    """Keeps its requests."""

    def __init__(self, chunks: Sequence[str], n_ctx: int = 1_000) -> None:
        super().__init__(chunks, n_ctx=n_ctx)
        self.requests: list[GenerateRequest] = []

    def generate(
        self, requests: Sequence[GenerateRequest], *, cancel: Cancel | None = None
    ) -> Iterator[Event]:
        self.requests += requests
        return super().generate(requests, cancel=cancel)


def _run(engine: FakeEngine, text: str, *, special: bool = False) -> list[object]:
    with Workbench(Settings.load(), opener=lambda entry: engine) as bench:
        sampling = SamplingParams(max_tokens=50, seed=3)
        return list(continue_text(bench, "wren/base", text, sampling, special=special))


@pytest.mark.parametrize("special", [False, True])
def test_the_text_is_sent_as_it_is(special: bool) -> None:
    engine = Recording(["  and", '\n"""\n', "# Query:\n", "  \n\n"])
    events = _run(engine, TEXT, special=special)
    [request] = engine.requests
    assert [piece.text for piece in request.prompt] == [TEXT]
    assert request.prompt[0].parse_special is special
    assert request.stop == ()
    assert (request.sampling.max_tokens, request.sampling.seed) == (50, 3)
    assert isinstance(events[0], SideStarted)
    written = "".join(event.text for event in events if isinstance(event, SideDelta))
    assert written == '  and\n"""\n# Query:\n  \n\n'
    last = events[-1]
    assert isinstance(last, SideFinished)
    assert (last.side, last.reply.text, last.reply.finish_reason) == (SIDE, written, "stop")


def test_an_empty_text_begins_at_the_models_own_beginning() -> None:
    engine = Recording(["It"])
    last = _run(engine, "")[-1]
    assert isinstance(last, SideFinished)
    assert (last.reply.text, last.reply.error) == ("It", None)
    assert engine.requests[0].prompt == ()


def test_a_text_that_fills_the_context_is_one_sentence() -> None:
    last = _run(Recording(["x"], n_ctx=20), "a" * 40)[-1]
    assert isinstance(last, SideFinished)
    assert last.reply.finish_reason == "error"
    assert last.reply.error
    assert "41 tokens and the context holds 20" in last.reply.error
