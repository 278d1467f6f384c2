"""An instruct model's own chat template, rendered in a process of its own and split by origin.

The template comes from a model file and is untrusted; a message comes from a person and must never become
a special token. So every message is rendered twice: once as it is, which is the prompt, and once as a mark,
which tells where in the prompt it went.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass

from playground.errors import TemplateError
from playground.prompts.render import exchanges
from playground.prompts.template_process import template_process
from playground.types import Example, Field, Message, Origin, Part, Piece, Prompt, StopRule

_MARK = re.compile("\ue000([0-9]+)\ue001")
_ANSWER_MARK = "\ue002"


@dataclass(frozen=True, slots=True)
class ChatTemplateRenderer:
    """Prompts an instruct model: its own template, with a preset's system text and examples as chat turns.

    Attributes:
        source: Jinja source of the chat template.
        bos, eos: Texts of these tokens, which templates may write.
        system: A system message to put first, if any.
        examples: Put in front of the conversation as user and assistant messages; disabled ones are skipped.
        extra_stop: Stops of a preset.
    """

    source: str
    bos: str = ""
    eos: str = ""
    system: str = ""
    examples: tuple[Example, ...] = ()
    extra_stop: tuple[str, ...] = ()

    def render(self, messages: Sequence[Message]) -> Prompt:
        """The prompt, with the generation prompt at its end if a user spoke last.

        Raises:
            TemplateError: The template cannot be parsed, or refuses these messages.
        """
        said, _ = exchanges(messages)
        marked: list[tuple[Message, Origin]] = []
        system = self.system if said is None else said
        if system:
            marked.append((Message("system", system), Origin("system", "system")))
        for i, example in enumerate(self.examples):
            if example.enabled:
                marked.append((Message("user", example.query), Origin("example", "query", i)))
                marked.append((Message("assistant", example.answer), Origin("example", "answer", i)))
        talk = [message for message in messages if message.role != "system"]
        marked += [(message, origin) for message, origin in zip(talk, _talk_origins(talk), strict=True)]
        opens = bool(talk) and talk[-1].role == "user"
        return Prompt(
            pieces=self._pieces(marked, opens=opens),
            stop=self._stops() + tuple(StopRule(text) for text in self.extra_stop),
        )

    def _pieces(self, marked: list[tuple[Message, Origin]], *, opens: bool) -> tuple[Piece, ...]:
        if not marked:
            return ()
        text = self._text([message for message, _ in marked], opens=opens)
        shape = self._text(
            [Message(m.role, f"\ue000{i}\ue001") for i, (m, _) in enumerate(marked)], opens=opens
        )
        fields = _MARK.split(shape)
        literals, order = fields[0::2], [int(index) for index in fields[1::2]]
        variants = (lambda s: s, str.strip, str.rstrip, str.lstrip)
        for variant in variants:
            contents = [variant(marked[i][0].content) for i in order]
            if "".join(_interleave(literals, contents)) == text:
                return _by_origin(literals, contents, [marked[i][1] for i in order])
        return self._found(text, marked)

    def _found(self, text: str, marked: list[tuple[Message, Origin]]) -> tuple[Piece, ...]:
        """Messages looked for in order in the text, where the template changes more than their edges.

        What is not found as it was written stays in a template piece that parses no special tokens, so
        that a person's text can never become one.
        """
        literals, contents, origins, at, lost = [], [], [], 0, False
        for message, origin in marked:
            content = message.content.strip()
            start = text.find(content, at) if content else -1
            if start < 0:
                lost = lost or bool(content)
                continue
            literals.append(text[at:start])
            contents.append(content)
            origins.append(origin)
            at = start + len(content)
        literals.append(text[at:])
        return _by_origin(literals, contents, origins, parse_special=not lost)

    def _stops(self) -> tuple[StopRule, ...]:
        """What the template itself writes behind an assistant's message, on that message's line."""
        try:
            text = self._text([Message("user", "hi"), Message("assistant", _ANSWER_MARK)], opens=False)
        except TemplateError:
            return ()
        behind = text.partition(_ANSWER_MARK)[2].split("\n")[0].strip()
        return (StopRule(behind),) if behind else ()

    def _text(self, messages: list[Message], *, opens: bool) -> str:
        try:
            return template_process().render(
                self.source,
                {
                    "messages": [{"role": m.role, "content": m.content} for m in messages],
                    "bos_token": self.bos,
                    "eos_token": self.eos,
                    "add_generation_prompt": opens,
                    "tools": None,
                    "documents": None,
                },
            )
        except TemplateError as error:
            raise TemplateError(
                f"The model's chat template does not take this conversation: {error}. "
                "Remove the system text or make user and assistant turns alternate."
            ) from error


def _talk_origins(talk: Sequence[Message]) -> list[Origin]:
    """The origin of each message of a conversation: finished turns are history, the last question is open."""
    origins: list[Origin] = []
    turn = -1
    answered = True
    for i, message in enumerate(talk):
        if message.role == "user" or answered:
            turn += 1
        answered = message.role == "assistant"
        part: Part = "turn" if i == len(talk) - 1 and message.role == "user" else "history"
        field: Field = "query" if message.role == "user" else "answer"
        origins.append(Origin(part, field, turn))
    return origins


def _interleave(literals: Sequence[str], contents: Sequence[str]) -> list[str]:
    joined = [literals[0]]
    for content, literal in zip(contents, literals[1:], strict=True):
        joined += [content, literal]
    return joined


def _by_origin(
    literals: Sequence[str], contents: Sequence[str], origins: Sequence[Origin], *, parse_special: bool = True
) -> tuple[Piece, ...]:
    """Pieces: template text belongs to the message behind it, and at the end to the one before it."""
    pieces: list[Piece] = []
    for i, literal in enumerate(literals):
        owner = origins[min(i, len(origins) - 1)] if origins else Origin("turn", "template")
        pieces.append(
            Piece(literal, Origin(owner.part, "template", owner.index), parse_special=parse_special)
        )
        if i < len(contents):
            pieces.append(Piece(contents[i], origins[i]))
    return tuple(piece for piece in pieces if piece.text)
