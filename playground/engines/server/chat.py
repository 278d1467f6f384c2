"""Conversations for servers that apply a chat template themselves.

The engine interface knows pieces of text. A conversation is written as pieces whose template text is only
for people to read and begins with ``MARK``; the engine reads the messages back from the pieces' origins.
"""

from __future__ import annotations

import re
from collections.abc import Sequence

from playground.types import Message, Origin, Piece, Role

MARK = "(The server puts these messages into its own chat template.)\n"
OPEN_THINKING, CLOSE_THINKING = "<think>\n", "\n</think>\n\n"
"""Put around what a server tells apart from the answer as ``reasoning_content``."""
# What stands in for the model's own template, in a chat template's language. The comment names the markers.
TEMPLATE = (
    MARK + "{# <think> </think> #}"
    "{% for message in messages %}\n[{{ message.role }}]\n{{ message.content }}\n{% endfor %}"
    "{% if add_generation_prompt %}\n[assistant]\n{% endif %}"
)
_THINKING = re.compile(r"\A\s*<think>.*?</think>\s*", re.DOTALL)
_ROLES: dict[str, Role] = {"system": "system", "query": "user", "answer": "assistant"}


def messages_of(pieces: Sequence[Piece]) -> list[Message] | None:
    """The messages that pieces were written from, or None where they are no conversation for the server."""
    if not pieces or not pieces[0].text.startswith(MARK):
        return None
    return [
        Message(role, _without_thinking(piece.text) if role == "assistant" else piece.text)
        for piece in pieces
        if (role := _ROLES.get(piece.origin.field)) is not None
    ]


def _without_thinking(text: str) -> str:
    """A past answer as servers want it: they refuse reasoning that comes back, or drop it themselves."""
    return _THINKING.sub("", text)


def pieces_of(messages: Sequence[Message]) -> tuple[Piece, ...]:
    """A conversation for a chat-only server, e.g. a judge."""
    fields = {role: field for field, role in _ROLES.items()}
    pieces = [Piece(MARK, Origin("turn", "template"))]
    for index, message in enumerate(messages):
        pieces.append(Piece(f"\n[{message.role}]\n", Origin("turn", "template", index)))
        pieces.append(Piece(message.content, Origin("turn", fields[message.role], index)))  # type: ignore[arg-type]
    return tuple(pieces)
