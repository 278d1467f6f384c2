"""The gate of a Space: lets in what the tables list, as often and as much as the limits say."""

from __future__ import annotations

import json
import re
import threading
import time
from collections.abc import Callable, Generator, Iterator, Mapping
from contextlib import closing
from contextvars import ContextVar
from dataclasses import replace

from gradio.context import LocalContext

from playground.chat.compare import SideEvent, SideFinished
from playground.engines.base import Cancel
from playground.errors import PlaygroundError
from playground.space.config import Limits
from playground.space.powers import ARGUMENTS, CALLS, HEAVY, PAGES, STREAMS, Powers
from playground.space.turns import Turns
from playground.space.visitors import Places, Rate
from playground.types import Reply
from playground.ui.api.binding import Stream
from playground.ui.gate import Caller
from playground.ui.wire_format import StreamIn

SCOPE_KEY = "playground.visitor"
VISITOR: ContextVar[str] = ContextVar("visitor", default="")
"""Whose request is being answered, for calls that get no more than a text."""
# A path on any system, as far as a sentence can hold one.
_PATH = re.compile(r"(?<![\w/])(?:[A-Za-z]:\\|~?/)[^\s'\",;:()]*[\\/][^\s'\",;:()]*")


class SpaceGate:
    """Thread-safe.

    Args:
        powers: What is taken away.
        limits: How much a visitor may have.
        clock: Seconds.
    """

    def __init__(self, powers: Powers, limits: Limits, clock: Callable[[], float] = time.monotonic) -> None:
        self._powers = powers
        self._limits = limits
        self._requests = Rate(limits.requests_per_minute, clock)
        self._calls = Rate(limits.calls_per_minute, clock)
        self.turns = Turns(running=limits.running, queue=limits.queue, each=limits.runs_per_visitor)
        idle_s = limits.idle_minutes * 60 if powers.takes("idle places") else None
        self.places = Places(limits.sessions, idle_s, clock)

    def enter(self, name: str, text: str) -> None:
        """Let a call in that is listed, within the visitor's rate.

        Raises:
            PlaygroundError: It is refused.
        """
        self._powers.check_listed(CALLS, name)
        for (call, argument), power in ARGUMENTS.items():
            if call == name and _given(text, argument):
                self._powers.check(power)
        if not self._powers.takes("unbounded work"):
            return
        _check_rate(self._requests if name in HEAVY else self._calls, _visitor())

    def run(self, stream: Stream, query: StreamIn, stop: Cancel, caller: Caller) -> Iterator[SideEvent]:
        """The run's events, once it is its turn; it is stopped when its time is over.

        Raises:
            PlaygroundError: It is refused.
        """
        self._powers.check_listed(STREAMS, stream.kind)
        self.places.hear(caller.session)
        if not self._powers.takes("unbounded work"):
            return self._shown(stream.answer(query, stop))
        limits = self._limits
        if len(query.side_ids()) > limits.samples:
            raise PlaygroundError(f"At most {limits.samples} answers are written at once here.")
        visitor = str(caller.scope.get(SCOPE_KEY, ""))
        _check_rate(self._requests, visitor)
        return self._shown(self._in_turn(stream, query, stop, visitor))

    def sentence(self, text: str) -> str:
        """The sentence without the server's paths."""
        return _PATH.sub("(a path)", text) if self._powers.takes("environment") else text

    def facts(self) -> Mapping[str, object]:
        """The calls, runs and pages that are offered, and how much of them."""
        limits = self._limits
        return {
            "calls": [*self._powers.offered(CALLS), *self._powers.offered(STREAMS)],
            "pages": self._powers.offered(PAGES),
            "tokens": limits.tokens,
            "context": limits.context,
            "samples": limits.samples,
            "requests_per_minute": limits.requests_per_minute,
        }

    def _in_turn(self, stream: Stream, query: StreamIn, stop: Cancel, visitor: str) -> Iterator[SideEvent]:
        with self.turns.turn(visitor, stop) as mine:
            if not mine:
                return
            timer = threading.Timer(self._limits.seconds, stop.set)
            timer.daemon = True
            timer.start()
            try:
                with closing(_generator(stream.answer(query, stop))) as events:
                    yield from events
            finally:
                timer.cancel()

    def _shown(self, events: Iterator[SideEvent]) -> Iterator[SideEvent]:
        with closing(_generator(events)) as events:
            for event in events:
                if isinstance(event, SideFinished) and event.reply.error is not None:
                    reply: Reply = replace(event.reply, error=self.sentence(event.reply.error))
                    event = replace(event, reply=reply)
                yield event


def _generator(events: Iterator[SideEvent]) -> Generator[SideEvent]:
    yield from events


def _visitor() -> str:
    """Whose call it is; what comes through Gradio's queue has lost the context of its request."""
    asked = LocalContext.request.get(None)
    return VISITOR.get() or (str(asked.request.scope.get(SCOPE_KEY, "")) if asked is not None else "")


def _check_rate(rate: Rate, visitor: str) -> None:
    wait_s = rate.take(visitor)
    if wait_s:
        raise PlaygroundError(f"That is more than one visitor may ask here; try again in {wait_s:.0f} s.")


def _given(text: str, key: str) -> bool:
    """Whether an argument has a value for ``key``; what is no JSON object is refused elsewhere."""
    try:
        value = json.loads(text)
    except ValueError:
        return False
    return isinstance(value, dict) and value.get(key) is not None
