"""A conversation put in a way that a chat template takes: without a system role, or strictly alternating.

Sources: Google's Gemma puts system instructions at the start of the first user message (ai.google.dev,
"Gemma formatting and system instructions"; a blank line between them, as the template of Gemma 3 writes); so
does Mistral for its first version (mistralai/mistral-common, tokenizer version 1). Whatever is changed here
is a note of the prompt.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from playground.prompts.template_process import TracedRender
from playground.prompts.thinking import without_thinking
from playground.types import Origin, Role

_JOINT = "\n\n"
_QUOTED = 40
_REPEATED_PARTS = ("'type': 'text'", '"type": "text"')
FOLDED = "The chat template has no system role: the system text is at the start of the first user message."
STARTED = "The chat template starts with a user message: an empty one is put in front."


@dataclass(frozen=True, slots=True)
class ChatMessage:
    """A message as it is given to a template; its parts' texts, put together, are its content.

    ``parts`` are pairs of a text and its origin.
    """

    role: Role
    parts: tuple[tuple[str, Origin], ...]

    @property
    def text(self) -> str:
        """The content."""
        return "".join(text for text, _ in self.parts)


@dataclass(frozen=True, slots=True)
class Adapted:
    """Messages put in one way, and sentences that say how they differ from what was said."""

    messages: tuple[ChatMessage, ...]
    notes: tuple[str, ...] = ()


def adaptations(messages: Sequence[ChatMessage]) -> Iterator[Adapted]:
    """The ways to put a conversation, the least changed first: as it is, then folded, joined, and both."""
    as_it_is = Adapted(tuple(messages))
    yield as_it_is
    folded = _folded(as_it_is)
    joined = _joined(as_it_is)
    both = _joined(folded)
    seen = {as_it_is.messages}
    for way in (folded, joined, both, _started(joined), _started(both)):
        if way.messages not in seen:
            seen.add(way.messages)
            yield way


def _folded(adapted: Adapted) -> Adapted:
    """The system text at the start of the first user message, before which there is no other message then."""
    if not adapted.messages or adapted.messages[0].role != "system":
        return adapted
    system, *rest = adapted.messages
    if not system.text.strip():
        return Adapted(tuple(rest), adapted.notes) if rest else adapted
    joint = (_JOINT, Origin("system", "template"))
    if rest and rest[0].role == "user":
        first = ChatMessage("user", (*system.parts, joint, *rest[0].parts))
        return Adapted((first, *rest[1:]), (*adapted.notes, FOLDED))
    return Adapted((ChatMessage("user", system.parts), *rest), (*adapted.notes, FOLDED))


def _joined(adapted: Adapted) -> Adapted:
    """Consecutive messages of one role as one message, with a blank line between them."""
    kept: list[ChatMessage] = []
    for message in adapted.messages:
        if kept and kept[-1].role == message.role:
            part = message.parts[0][1].part if message.parts else "history"
            index = message.parts[0][1].index if message.parts else 0
            joint = (_JOINT, Origin(part, "template", index))
            kept[-1] = ChatMessage(message.role, (*kept[-1].parts, joint, *message.parts))
        else:
            kept.append(message)
    count = len(adapted.messages) - len(kept)
    if not count:
        return adapted
    messages = "message is" if count == 1 else "messages are"
    note = (
        "The chat template wants user and assistant to alternate: "
        f"{count} {messages} joined to the one before, which has the same role."
    )
    return Adapted(tuple(kept), (*adapted.notes, note))


def _started(adapted: Adapted) -> Adapted:
    """With an empty user message in front of an assistant's that opens the conversation."""
    system = tuple(message for message in adapted.messages[:1] if message.role == "system")
    talk = adapted.messages[len(system) :]
    if not talk or talk[0].role != "assistant":
        return adapted
    empty = ChatMessage("user", (("", Origin("history", "query", 0)),))
    return Adapted((*system, empty, *talk), (*adapted.notes, STARTED))


@dataclass(frozen=True, slots=True)
class Said:
    """One person's or model's text in a conversation: the message that it is in, its words and its origin."""

    place: int
    text: str
    origin: Origin


def said_in(messages: Sequence[ChatMessage]) -> tuple[Said, ...]:
    """The texts of all messages, in order; a joined message holds several."""
    return tuple(
        Said(place, text, origin) for place, message in enumerate(messages) for text, origin in message.parts
    )


@dataclass(frozen=True, slots=True)
class Kept:
    """How much of a conversation is in a prompt.

    Attributes:
        missing: Texts of which nothing is there.
        shortened: Texts of which a part is missing that is not their thinking.
        is_literal: Whether the template wrote Python's or JSON's form of a message in place of its text.
    """

    missing: tuple[Said, ...]
    shortened: tuple[Said, ...]
    is_literal: bool


def kept_of(said: Sequence[Said], shown: TracedRender, first: int) -> Kept:
    """What of a conversation is in a prompt. Blanks do not count.

    Args:
        said: The conversation's texts.
        shown: What the template wrote.
        first: The number of the origin of the first of them.
    """
    found: dict[int, list[str]] = {}
    at, is_unknown = 0, False
    for length, number in shown.runs:
        if number is not None:
            is_unknown = is_unknown or number < 0
            found.setdefault(number, []).append(shown.text[at : at + length])
        at += length
    missing, shortened = [], []
    for number, one in enumerate(said, first):
        wanted = one.text.strip()
        text = "".join(found.get(number, ()))
        if not wanted or (is_unknown and wanted in shown.text):
            continue
        if text == one.text:
            continue
        if not text.strip():
            missing.append(one)
        # Past thinking is left out on purpose; what was said to the person is not.
        elif len(_squeezed(text)) < len(_squeezed(wanted)) and (
            _squeezed(without_thinking(wanted)) not in _squeezed(text)
        ):
            shortened.append(one)
    whole = "".join(one.text for one in said)
    is_literal = any(shown.text.count(sign) > whole.count(sign) for sign in _REPEATED_PARTS)
    return Kept(tuple(missing), tuple(shortened), is_literal)


def _squeezed(text: str) -> str:
    """The text without blanks and case, which templates change at will."""
    return "".join(text.split()).casefold()


def lost_notes(said: Sequence[Said], kept: Kept) -> tuple[str, ...]:
    """Sentences on what of the conversation the model does not see."""
    notes: list[str] = []
    for one in said:
        if one not in kept.missing and one not in kept.shortened:
            continue
        words = " ".join(one.text.split())
        quoted = words if len(words) <= _QUOTED else words[: _QUOTED - 1] + "…"
        what = _name(said, one)
        what = what if one in kept.missing else f"part of {what}"
        notes.append(f'The chat template leaves out {what} ("{quoted}"); the model does not see it.')
    return tuple(notes)


def _name(said: Sequence[Said], one: Said) -> str:
    part, field = one.origin.part, one.origin.field
    if field == "system":
        return "the system text"
    if part == "example":
        return f"the {field} of example {one.origin.index + 1}"
    before = said[: said.index(one) + 1]
    number = sum(s.origin.field == field and s.origin.part != "example" for s in before)
    return f"{'user' if field == 'query' else 'assistant'} message {number}"
