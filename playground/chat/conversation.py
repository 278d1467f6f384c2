"""A conversation: a tree of turns, each with one query and one or more answers from every side.

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
class Others:
    """A side's answers beside the one that is shown, in order; ``place`` is the shown one's among all."""

    place: int
    replies: tuple[Reply, ...]


@dataclass(frozen=True, slots=True)
class Turn:
    """One query and what each side answered; ``parent`` is the turn before it, None for a first one.

    ``replies`` holds the answer that is shown of each side, ``others`` those beside it, where there are.
    """

    id: str
    parent: str | None
    query: str
    replies: dict[str, Reply] = field(default_factory=dict)
    others: dict[str, Others] = field(default_factory=dict)

    def answers(self, side: str) -> tuple[Reply, ...]:
        """All answers of a side in the order they came."""
        shown = self.replies.get(side)
        beside = self.others.get(side)
        if beside is None:
            return () if shown is None else (shown,)
        if shown is None:
            return beside.replies
        return (*beside.replies[: beside.place], shown, *beside.replies[beside.place :])

    def showing(self, side: str, answers: tuple[Reply, ...], place: int) -> Turn:
        """With these answers of a side, of which the one at ``place`` is shown."""
        replies = {**self.replies, side: answers[place]}
        others = {key: value for key, value in self.others.items() if key != side}
        if len(answers) > 1:
            others[side] = Others(place, answers[:place] + answers[place + 1 :])
        return replace(self, replies=replies, others=others)


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
        turn = self._turn(turn_id)
        return self._with(replace(turn, replies={**turn.replies, side: reply}))

    def with_answer(self, side: str, reply: Reply, *, turn_id: str | None = None) -> Conversation:
        """With one more answer of a side to a turn (the head unless named), which is shown.

        Raises:
            ConversationError: There is no such turn.
        """
        turn = self._turn(turn_id)
        answers = (*turn.answers(side), reply)
        return self._with(turn.showing(side, answers, len(answers) - 1))

    def show_answer(self, side: str, place: int, *, turn_id: str | None = None) -> Conversation:
        """With another of a side's answers shown.

        Raises:
            ConversationError: There is no such turn or answer.
        """
        turn = self._turn(turn_id)
        answers = turn.answers(side)
        if not 0 <= place < len(answers):
            raise ConversationError(f"There is no answer {place + 1}; the turn has {len(answers)}.")
        return self._with(turn.showing(side, answers, place))

    def prune_answer(self, side: str, *, turn_id: str | None = None) -> Conversation:
        """Without the answer of a side that is shown; the one before it is shown then.

        Raises:
            ConversationError: There is no such turn, or the answer is the only one.
        """
        turn = self._turn(turn_id)
        answers = turn.answers(side)
        if len(answers) < 2:
            raise ConversationError("This is the only answer; ask again before you remove it.")
        place = turn.others[side].place
        left = answers[:place] + answers[place + 1 :]
        return self._with(turn.showing(side, left, max(0, place - 1)))

    def _turn(self, turn_id: str | None) -> Turn:
        key = self.head if turn_id is None else turn_id
        if key is None or key not in self.turns:
            raise ConversationError("There is no turn to answer; ask something first.")
        return self.turns[key]

    def _with(self, turn: Turn) -> Conversation:
        return replace(self, turns={**self.turns, turn.id: turn})

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
            if any(not 0 <= one.place <= len(one.replies) for one in turn.others.values()):
                raise ConversationError("The conversation cannot be read: an answer is missing.")
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
