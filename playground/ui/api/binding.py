"""From a topic's methods to functions of JSON text, which fail in words.

What goes wrong comes back as ``{"error": sentence}``, never as an HTTP error, so that the page can say it
where it belongs.
"""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Self, TypeVar

from pydantic import BaseModel, ValidationError

from playground.chat.compare import SideEvent, SideFinished
from playground.engines.base import Cancel
from playground.errors import PlaygroundError
from playground.ui.redaction import Folders
from playground.ui.strings import Strings
from playground.ui.wire_format import StreamIn, dumps

if TYPE_CHECKING:
    from playground.ui.gate import Gate

log = logging.getLogger(__name__)
_In = TypeVar("_In", bound=BaseModel)
_StreamIn = TypeVar("_StreamIn", bound=StreamIn)


@dataclass(frozen=True, slots=True)
class Call:
    """A named call: from the text of its one argument, which ``incoming`` checks, to what is answered."""

    name: str
    answer: Callable[[str], object]
    incoming: type[BaseModel]

    @classmethod
    def of(cls, name: str, incoming: type[_In], work: Callable[[_In], object]) -> Self:
        """A call whose argument is checked by ``incoming``."""
        return cls(name, lambda text: work(incoming.model_validate_json(text)), incoming)


@dataclass(frozen=True, slots=True)
class Stream:
    """Something that writes for a while: side events, merged into one text by ``streaming.ndjson``.

    Attributes:
        kind: What the request calls it.
        read: Checks the text of a request.
        answer: Begins to write; called and read in a thread of its own.
        incoming: What a request is.
    """

    kind: str
    read: Callable[[str], StreamIn]
    answer: Callable[[StreamIn, Cancel], Iterator[SideEvent]]
    incoming: type[StreamIn]

    @classmethod
    def of(
        cls, kind: str, incoming: type[_StreamIn], work: Callable[[_StreamIn, Cancel], Iterator[SideEvent]]
    ) -> Self:
        """A stream whose request is checked by ``incoming``."""

        def answer(query: StreamIn, cancel: Cancel) -> Iterator[SideEvent]:
            assert isinstance(query, incoming)
            return work(query, cancel)

        return cls(kind, incoming.model_validate_json, answer, incoming)


def read_request(text: str, streams: Mapping[str, Stream]) -> tuple[Stream, StreamIn]:
    """The stream that a request's text asks for, and the request.

    Raises:
        ValidationError: It is no request, or of a kind that there is not.
    """
    kind = _Kind.model_validate_json(text).kind
    stream = streams.get(kind) or streams["run"]  # whose check names the kind as wrong
    return stream, stream.read(text)


class _Kind(BaseModel):
    kind: str = "run"


class Binding:
    """Makes calls answer in words whatever happens; ``gate`` lets each in, or refuses it.

    No sentence says where ``folders`` lie.
    """

    def __init__(self, strings: Strings, gate: Gate, folders: Folders) -> None:
        self._strings = strings
        self._gate = gate
        self._folders = folders

    def bound(self, call: Call) -> Callable[[str], str]:
        """A function by the call's name that never raises."""

        def answer(text: object) -> str:
            if not isinstance(text, str):
                return dumps({"error": self._strings("server.bad_request")})
            try:
                self._gate.enter(call.name, text)
                return dumps({"value": call.answer(text)})
            except PlaygroundError as error:
                return dumps({"error": self._gate.sentence(self._folders.hidden_in(str(error)))})
            except ValidationError as error:
                log.warning("a call of %s could not be read: %s", call.name, problems(error))
                return dumps({"error": self._strings("server.bad_request")})
            except OSError as error:  # a path that no system takes, a disk that is full
                log.warning("the call %s failed: %s", call.name, error)
                return dumps({"error": self._strings("server.system", reason=error.strerror or "")})
            except Exception:
                log.exception("the call %s failed", call.name)
                return dumps({"error": self._strings("server.unexpected")})

        answer.__name__ = call.name
        return answer

    def bound_stream(self, stream: Stream) -> Stream:
        """The same stream, whose errors do not say where folders lie."""

        def answer(query: StreamIn, cancel: Cancel) -> Iterator[SideEvent]:
            try:
                for event in stream.answer(query, cancel):
                    if isinstance(event, SideFinished) and event.reply.error is not None:
                        said = self._folders.hidden_in(event.reply.error)
                        event = replace(event, reply=replace(event.reply, error=said))
                    yield event
            except PlaygroundError as error:
                raise PlaygroundError(self._folders.hidden_in(str(error))) from error

        return replace(stream, answer=answer)


def problems(error: ValidationError) -> str:
    """What was wrong with a request, without what it held: that may be anybody's text, or a key."""
    told = error.errors(include_url=False, include_context=False, include_input=False)
    return "; ".join(f"{'.'.join(map(str, one['loc']))[:80]!r} {one['type']}" for one in told[:5])
