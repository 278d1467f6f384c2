"""Text to prompt: system, examples, conversation and the open turn, all from one turn pattern.

Knows no model: what a special token is, and what fits a context, is decided by who sends the prompt. Nothing
is trimmed, escaped or added here beyond what the template says; every stretch keeps its origin.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Protocol

from playground.prompts.stops import derive_stops
from playground.prompts.templates import system_parts, turn_parts
from playground.types import Example, Field, Message, Origin, Part, Piece, Prompt, StopRule, Template


class Renderer(Protocol):
    """A way of prompting: turns a conversation into the text that a model continues."""

    def render(self, messages: Sequence[Message]) -> Prompt:
        """The prompt for these messages; a last user message opens the turn."""
        ...


@dataclass(frozen=True, slots=True)
class Exchange:
    """A user's message and what was answered; ``answer`` is None in the open turn."""

    query: str
    answer: str | None


def exchanges(messages: Iterable[Message]) -> tuple[str | None, list[Exchange]]:
    """The messages as ``(system text, exchanges)``; the last exchange is open if a user spoke last.

    Total, because a prompt is shown for any conversation: several system messages are joined by a blank
    line, a user message that nobody answered has an empty answer, an answer to nothing an empty query.
    """
    system: list[str] = []
    pairs: list[Exchange] = []
    pending: str | None = None
    for message in messages:
        if message.role == "system":
            system.append(message.content)
        elif message.role == "user":
            if pending is not None:
                pairs.append(Exchange(pending, ""))
            pending = message.content
        else:
            pairs.append(Exchange(pending or "", message.content))
            pending = None
    if pending is not None:
        pairs.append(Exchange(pending, None))
    return ("\n\n".join(system) if system else None), pairs


@dataclass(frozen=True, slots=True)
class TemplateRenderer:
    """Prompts a base model: system text and examples, or a verbatim prefix, then the conversation.

    Attributes:
        template: The patterns.
        system: The system text; left out with its pattern where it is empty.
        examples: In order; disabled ones are skipped and keep their index.
        prefix: Exact text that stands in place of system and examples.
        extra_stop: Stops of a preset beside those of the template.
    """

    template: Template
    system: str = ""
    examples: tuple[Example, ...] = ()
    prefix: str | None = None
    extra_stop: tuple[str, ...] = ()

    def render(self, messages: Sequence[Message]) -> Prompt:
        """The prompt. A system message in the conversation stands in place of the preset's system text.

        Raises:
            TemplateError: A pattern lacks its fields.
        """
        said, pairs = exchanges(messages)
        blocks = self._head(self.system if said is None else said)
        open_turn = len(pairs) - 1 if pairs and pairs[-1].answer is None else None
        for i, pair in enumerate(pairs):
            blocks.append(self._turn(pair, "turn" if i == open_turn else "history", i))
        return Prompt(
            pieces=self._joined(blocks),
            stop=derive_stops(self.template) + tuple(StopRule(text) for text in self.extra_stop),
            lead=self.template.lead,
        )

    def _head(self, system: str) -> list[list[Piece]]:
        if self.prefix is not None:
            return [[Piece(self.prefix, Origin("prefix", "text"))]] if self.prefix else []
        blocks: list[list[Piece]] = []
        if system:
            before, after = system_parts(self.template)
            blocks.append(
                [
                    _literal(before, "system"),
                    Piece(system, Origin("system", "system")),
                    _literal(after, "system"),
                ]
            )
        for i, example in enumerate(self.examples):
            if example.enabled:
                blocks.append(self._turn(Exchange(example.query, example.answer), "example", i))
        return blocks

    def _turn(self, pair: Exchange, part: Part, index: int) -> list[Piece]:
        literal = turn_parts(self.template)
        pieces = [
            _literal(literal.before_query, part, index),
            _said(self._message(pair.query), part, "query", index),
            _literal(literal.between, part, index),
        ]
        if pair.answer is None:
            return pieces
        return [
            *pieces,
            _literal(self.template.lead, part, index),
            _said(self._message(pair.answer), part, "answer", index),
            _literal(literal.after_answer, part, index),
        ]

    def _message(self, text: str) -> str:
        return text.strip("\n") if self.template.strip_newlines else text

    def _joined(self, blocks: list[list[Piece]]) -> tuple[Piece, ...]:
        pieces: list[Piece] = []
        for block in blocks:
            if pieces:
                pieces.append(_literal(self.template.separator, block[0].origin.part, block[0].origin.index))
            pieces.extend(block)
        return tuple(piece for piece in pieces if piece.text)


def _literal(text: str, part: Part, index: int = 0) -> Piece:
    return Piece(text, Origin(part, "template", index), parse_special=True)


def _said(text: str, part: Part, field: Field, index: int) -> Piece:
    return Piece(text, Origin(part, field, index))
