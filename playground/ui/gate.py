"""Who may ask the page's Python for what. On a person's own machine: everybody, for everything.

A page that serves strangers passes a gate of its own to ``launch``; this module knows only what it is asked.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Protocol

from playground.chat.compare import SideEvent
from playground.engines.base import Cancel
from playground.ui.wire_format import StreamIn

if TYPE_CHECKING:
    from playground.ui.api.binding import Stream


@dataclass(frozen=True, slots=True)
class Caller:
    """Who asks for a run: the request's ASGI scope, and the browser tab's session."""

    scope: Mapping[str, object]
    session: str


class Gate(Protocol):
    """Asked before each call, run and public endpoint is carried out. Thread-safe."""

    def enter(self, name: str, text: str) -> None:
        """Let a call of that name with that argument in.

        Raises:
            PlaygroundError: It is refused; the sentence is for the page.
        """
        ...

    def run(self, stream: Stream, query: StreamIn, stop: Cancel, caller: Caller) -> Iterator[SideEvent]:
        """The events of a run, which may wait for its turn before the first.

        Raises:
            PlaygroundError: It is refused.
        """
        ...

    def sentence(self, text: str) -> str:
        """An error's sentence as the page may see it."""
        ...

    def facts(self) -> Mapping[str, object] | None:
        """What the page is told of what it cannot do here; None where it can do everything."""
        ...


class OpenGate:
    """Lets everything in."""

    def enter(self, name: str, text: str) -> None:
        """Nothing is refused."""

    def run(self, stream: Stream, query: StreamIn, stop: Cancel, caller: Caller) -> Iterator[SideEvent]:
        """The run as it is."""
        return stream.answer(query, stop)

    def sentence(self, text: str) -> str:
        """As it is."""
        return text

    def facts(self) -> None:
        """The page can do everything."""
        return
