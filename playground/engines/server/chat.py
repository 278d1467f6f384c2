"""Conversations for servers that apply a chat template themselves.

The engine interface knows pieces of text. A conversation is written as pieces whose template text is only
for people to read and begins with ``MARK``; the engine reads the messages back from the pieces' origins.
"""

from __future__ import annotations

from collections.abc import Sequence

from playground.types import Message, Origin, Piece, Role

MARK = "(The server puts these messages into its own chat template.)\n"
# What stands in for the model's own template, in a chat template's language.
TEMPLATE = (
    MARK + "{% for message in messages %}\n[{{ message.role }}]\n{{ message.content }}\n{% endfor %}"
    "{% if add_generation_prompt %}\n[assistant]\n{% endif %}"
)
_ROLES: dict[str, Role] = {"system": "system", "query": "user", "answer": "assistant"}


def messages_of(pieces: Sequence[Piece]) -> list[Message] | None:
    """The messages that pieces were written from, or None where they are no conversation for the server."""
    if not pieces or not pieces[0].text.startswith(MARK):
        return None
    return [
        Message(_ROLES[piece.origin.field], piece.text) for piece in pieces if piece.origin.field in _ROLES
    ]


def pieces_of(messages: Sequence[Message]) -> tuple[Piece, ...]:
    """A conversation for a chat-only server, e.g. a judge."""
    fields = {role: field for field, role in _ROLES.items()}
    pieces = [Piece(MARK, Origin("turn", "template"))]
    for index, message in enumerate(messages):
        pieces.append(Piece(f"\n[{message.role}]\n", Origin("turn", "template", index)))
        pieces.append(Piece(message.content, Origin("turn", fields[message.role], index)))  # type: ignore[arg-type]
    return tuple(pieces)
