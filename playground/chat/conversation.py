"""A conversation: a tree of turns, each with one query and an answer from every side.

Values only: every change gives a new conversation and keeps the old branch. Its JSON form is what the
browser keeps.
"""

from __future__ import annotations

import secrets
from collections.abc import Iterator
from dataclasses import dataclass, field, replace

import msgspec

from playground.errors import ConversationError
from playground.types import Message, Reply


@dataclass(frozen=True, slots=True)
class Turn:
    """One query and what each side answered; ``parent`` is the turn before it, None for a first one."""

    id: str
    parent: str | None
    query: str
    replies: dict[str, Reply] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Conversation:
    """A tree of turns and the turn that is looked at.

    Attributes:
        turns: By id, in the order they were asked.
        head: The last turn of the branch that is shown; None where nothing was asked.
    """

    turns: dict[str, Turn] = field(default_factory=dict)
    head: str | None = None

    def path(self) -> tuple[Turn, ...]:
        """The turns from the first to ``head``."""
        return tuple(reversed(list(self._ancestors(self.head))))

    def ask(self, query: str, *, turn_id: str | None = None) -> Conversation:
        """With a new turn behind ``head``.

        Raises:
            ConversationError: The query is empty.
        """
        if not query.strip():
            raise ConversationError("The message is empty; write something to send.")
        turn = Turn(turn_id or secrets.token_hex(6), self.head, query)
        return Conversation({**self.turns, turn.id: turn}, turn.id)

    def with_reply(self, side: str, reply: Reply, *, turn_id: str | None = None) -> Conversation:
        """With a side's answer to a turn (the head unless named), in place of an earlier one of that side.

        Raises:
            ConversationError: There is no such turn.
        """
        key = self.head if turn_id is None else turn_id
        if key is None or key not in self.turns:
            raise ConversationError("There is no turn to answer; ask something first.")
        turn = self.turns[key]
        answered = replace(turn, replies={**turn.replies, side: reply})
        return replace(self, turns={**self.turns, key: answered})

    def without_replies(self) -> Conversation:
        """The head's query again, as a new branch beside it, with no answers yet.

        Raises:
            ConversationError: There is no turn.
        """
        if self.head is None:
            raise ConversationError("There is nothing to try again; ask something first.")
        turn = self.turns[self.head]
        return replace(self, head=turn.parent).ask(turn.query)

    def undo(self) -> Conversation:
        """Looking at the turn before ``head``; nothing is deleted."""
        return self if self.head is None else replace(self, head=self.turns[self.head].parent)

    def messages(self, side: str) -> tuple[Message, ...]:
        """The branch as one side saw it: each query, and that side's answer where it gave one.

        A turn that the side left without text (an error, a stop at once) is an empty answer in the middle
        of a conversation, and the open turn at its end.
        """
        path = self.path()
        messages: list[Message] = []
        for turn in path:
            messages.append(Message("user", turn.query))
            reply = turn.replies.get(side)
            if reply is not None and (reply.text or turn is not path[-1]):
                messages.append(Message("assistant", reply.text))
        return tuple(messages)

    def to_json(self) -> str:
        """The conversation as one line of JSON; token bytes are base64."""
        return msgspec.json.encode(self).decode()

    @classmethod
    def from_json(cls, text: str) -> Conversation:
        """What ``to_json`` wrote.

        Raises:
            ConversationError: Not JSON, not a conversation, or a tree that does not hang together.
        """
        try:
            read = msgspec.json.decode(text, type=cls)
        except (msgspec.MsgspecError, RecursionError) as error:
            raise ConversationError(f"The conversation cannot be read: {error}.") from error
        for key, turn in read.turns.items():
            if key != turn.id or (turn.parent is not None and turn.parent not in read.turns):
                raise ConversationError("The conversation cannot be read: a turn is missing.")
        if read.head is not None and read.head not in read.turns:
            raise ConversationError("The conversation cannot be read: its last turn is missing.")
        for key in read.turns:
            for _ in read._ancestors(key):
                pass
        return read

    def _ancestors(self, turn_id: str | None) -> Iterator[Turn]:
        seen: set[str] = set()
        while turn_id is not None:
            if turn_id in seen:
                raise ConversationError("The conversation cannot be read: its turns form a ring.")
            seen.add(turn_id)
            turn = self.turns[turn_id]
            yield turn
            turn_id = turn.parent
