"""An instruct model's own chat template, rendered in a process of its own and split by origin.

The template comes from a model file and is untrusted; a message comes from a person and must never become
a special token. So the template is rendered with messages that remember where they came from (see
``traced_text``), whatever it does to them, and special tokens are parsed only in what it wrote itself. What
a template cannot take is put another way, as publishers document (see ``adapting``), and the prompt's notes
say so.
"""

from __future__ import annotations

import contextlib
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from functools import lru_cache

from playground.errors import TemplateError
from playground.prompts.adapting import (
    Adapted,
    ChatMessage,
    Kept,
    Said,
    adaptations,
    kept_of,
    lost_notes,
    said_in,
)
from playground.prompts.render import exchanges
from playground.prompts.template_process import RenderError, TracedRender, template_process, traced
from playground.prompts.thinking import is_opened_by, markers_of
from playground.types import (
    Example,
    Field,
    Message,
    OptionValue,
    Origin,
    Part,
    Piece,
    Prompt,
    StopRule,
    ThinkingMarkers,
)

_NOT_TRACED = (
    "The chat template changes messages in a way that cannot be followed; no control token is parsed there."
)
_OPTION, _FIRST = 0, 1
"""Numbers of origins: of the texts of options, and of the first text of the conversation."""


@dataclass(frozen=True, slots=True)
class Sent:
    """What a template was given, and what it wrote.

    Attributes:
        messages: Plain ``{"role", "content"}`` values, as ``apply_chat_template`` takes them.
        text: The prompt.
        pieces: The same, by origin.
        notes: What was adapted or left out: sentences for people.
        tools: None, or the empty list for a template that fails without a list.
    """

    messages: tuple[dict[str, object], ...]
    text: str
    pieces: tuple[Piece, ...]
    notes: tuple[str, ...]
    tools: tuple[()] | None = None


@dataclass(frozen=True, slots=True)
class ChatTemplateRenderer:
    """Prompts an instruct model: its own template, with a preset's system text and examples as chat turns.

    Attributes:
        source: Jinja source of the chat template.
        bos, eos: Texts of these tokens, which templates may write.
        system: A system message to put first, if any.
        examples: Put in front of the conversation as user and assistant messages; disabled ones are skipped.
        extra_stop: Stops of a preset.
        options: Named arguments of the template, such as ``("enable_thinking", False)``.
        special_tokens: Texts of the vocabulary's special tokens, among which markers of thinking may be.
    """

    source: str
    bos: str = ""
    eos: str = ""
    system: str = ""
    examples: tuple[Example, ...] = ()
    extra_stop: tuple[str, ...] = ()
    options: tuple[tuple[str, OptionValue], ...] = ()
    special_tokens: tuple[str, ...] = ()

    def render(self, messages: Sequence[Message]) -> Prompt:
        """The prompt, with the generation prompt at its end if a user spoke last.

        Raises:
            TemplateError: The template cannot be parsed, or refuses these messages however they are put.
        """
        sent = self.sent(messages)
        markers = self.markers
        opens = _opens(messages)
        return Prompt(
            pieces=sent.pieces,
            stop=(*self._stops(), *map(StopRule, self.extra_stop)),
            notes=sent.notes,
            thinking=markers,
            thinks=opens
            and bool(sent.pieces)
            and sent.pieces[-1].parse_special
            and is_opened_by(sent.text, markers),
        )

    @property
    def markers(self) -> tuple[ThinkingMarkers, ...]:
        """The markers of thinking that the template or the vocabulary knows."""
        return _markers(self.source, self.special_tokens)

    def sent(self, messages: Sequence[Message]) -> Sent:
        """What the template is given for these messages, and what it writes.

        Raises:
            TemplateError: The template cannot be parsed, or refuses these messages however they are put.
        """
        said, _ = exchanges(messages)
        chat: list[ChatMessage] = []
        system = self.system if said is None else said
        if system or said is not None:
            chat.append(ChatMessage("system", ((system, Origin("system", "system")),)))
        for i, example in enumerate(self.examples):
            if example.enabled:
                chat.append(ChatMessage("user", ((example.query, Origin("example", "query", i)),)))
                chat.append(ChatMessage("assistant", ((example.answer, Origin("example", "answer", i)),)))
        talk = [message for message in messages if message.role != "system"]
        for message, origin in zip(talk, _talk_origins(talk), strict=True):
            chat.append(ChatMessage(message.role, ((message.content, origin),)))
        if not chat:
            return Sent((), "", (), ())
        sent = self._sent(chat, opens=_opens(messages))
        return replace(sent, notes=(*_system_notes(messages), *sent.notes))

    def _sent(self, chat: Sequence[ChatMessage], *, opens: bool) -> Sent:
        """The first way of putting the messages that loses none; otherwise the one that loses the fewest.

        Raises:
            TemplateError: Every way fails; the message is that of the messages as they are.
        """
        refused: RenderError | None = None
        best: _Written | None = None
        for adapted in adaptations(chat):
            for outcome in self._tries(adapted, opens=opens):
                if isinstance(outcome, RenderError):
                    refused = refused or outcome
                elif not outcome.kept.missing:
                    return outcome.as_sent()
                elif best is None or len(outcome.kept.missing) < len(best.kept.missing):
                    best = outcome
        if best is None:
            assert refused is not None
            raise TemplateError(_advice(refused)) from refused
        return best.as_sent()

    def _tries(self, adapted: Adapted, *, opens: bool) -> Iterator[_Written | RenderError]:
        """Contents as texts; where a message is missing then, all as typed parts, then only those missing."""
        tools: tuple[()] | None = None
        first = self._try(adapted, frozenset(), opens=opens, tools=tools)
        if isinstance(first, RenderError) and first.kind == "failed":
            # Templates for tools loop over them without looking whether there are any.
            other = self._try(adapted, frozenset(), opens=opens, tools=())
            if isinstance(other, _Written):
                first, tools = other, ()
        yield first
        everyone = frozenset(range(len(adapted.messages)))
        users = frozenset(i for i in everyone if adapted.messages[i].role == "user")
        wanting = users if isinstance(first, RenderError) else frozenset(s.place for s in first.kept.missing)
        for typed in dict.fromkeys((everyone, wanting)):
            outcome = self._try(adapted, typed, opens=opens, tools=tools)
            if isinstance(outcome, RenderError) or not outcome.kept.is_literal:
                yield outcome

    def _try(
        self, adapted: Adapted, typed: frozenset[int], *, opens: bool, tools: tuple[()] | None
    ) -> _Written | RenderError:
        """One render.

        Raises:
            TemplateError: No other way of putting the messages would help.
        """
        said = said_in(adapted.messages)
        parts: list[list[tuple[str, int]]] = [[] for _ in adapted.messages]
        for number, one in enumerate(said, _FIRST):
            parts[one.place].append((one.text, number))
        contents: list[object] = []
        for place, texts in enumerate(parts):
            content = traced(*texts)
            contents.append([{"type": "text", "text": content}] if place in typed else content)
        variables = _variables(self.bos, self.eos, self.options) | {
            "messages": [
                {"role": message.role, "content": content}
                for message, content in zip(adapted.messages, contents, strict=True)
            ],
            "add_generation_prompt": opens,
            "tools": tools,
            "documents": tools,
        }
        try:
            shown = template_process().render_traced(self.source, variables)
        except RenderError as error:
            if error.kind in ("syntax", "limit"):
                raise TemplateError(_advice(error)) from error
            return error
        return _Written(adapted, typed, tools, shown, said, kept_of(said, shown, _FIRST))

    def _stops(self) -> tuple[StopRule, ...]:
        """What the template itself writes behind an assistant's message, on that message's line."""
        behind = _behind_answer(replace(self, system="", examples=(), extra_stop=(), special_tokens=()))
        return (StopRule(behind),) if behind else ()


@dataclass(frozen=True, slots=True)
class _Written:
    """One render: what was given in which form, and what came of it."""

    adapted: Adapted
    typed: frozenset[int]
    tools: tuple[()] | None
    shown: TracedRender
    said: tuple[Said, ...]
    kept: Kept

    def as_sent(self) -> Sent:
        """The same for whoever sends it."""
        messages = self.adapted.messages
        notes = (*self.adapted.notes, *lost_notes(self.said, self.kept))
        if any(origin == -1 for _, origin in self.shown.runs):
            notes = (*notes, _NOT_TRACED)
        given: tuple[dict[str, object], ...] = tuple(
            {
                "role": message.role,
                "content": [{"type": "text", "text": message.text}] if i in self.typed else message.text,
            }
            for i, message in enumerate(messages)
        )
        return Sent(
            given, self.shown.text, _pieces(self.shown, [one.origin for one in self.said]), notes, self.tools
        )


def _variables(bos: str, eos: str, options: Sequence[tuple[str, OptionValue]]) -> dict[str, object]:
    given: dict[str, object] = {
        name: traced((v, _OPTION)) if isinstance(v, str) else v for name, v in options
    }
    return {"bos_token": bos, "eos_token": eos, **given}


@lru_cache(maxsize=64)
def _markers(source: str, special_tokens: tuple[str, ...]) -> tuple[ThinkingMarkers, ...]:
    return markers_of(source, special_tokens)


@lru_cache(maxsize=64)
def _behind_answer(renderer: ChatTemplateRenderer) -> str:
    """What a template writes behind every finished answer, on its last line; empty where that is nothing.

    What it writes only at the end of a conversation, such as the opening of the next answer, ends none.
    """
    talk = [Message("user", "hi"), Message("assistant", "hello")]
    try:
        at_end = _behind(renderer.sent(talk))
    except TemplateError:
        return ""
    line = at_end.split("\n")[0].strip()
    with contextlib.suppress(TemplateError):
        if not _behind(renderer.sent([*talk, Message("user", "why?")])).strip().startswith(line):
            return ""
    return line


def _behind(sent: Sent) -> str:
    """The template's text behind the first answer."""
    found = False
    for piece in sent.pieces:
        if found and piece.origin.field == "template":
            return piece.text
        found = found or piece.origin.field == "answer"
    return ""


def _opens(messages: Sequence[Message]) -> bool:
    talk = [message for message in messages if message.role != "system"]
    return bool(talk) and talk[-1].role == "user"


def _system_notes(messages: Sequence[Message]) -> tuple[str, ...]:
    """What is said where the system messages of a conversation are not one at its start."""
    places = [i for i, message in enumerate(messages) if message.role == "system"]
    if len(places) > 1:
        return (f"The {len(places)} system messages are put together at the start of the conversation.",)
    return ("The system message is moved to the start of the conversation.",) if places[:1] > [0] else ()


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


def _pieces(shown: TracedRender, origins: Sequence[Origin]) -> tuple[Piece, ...]:
    """Pieces: template text belongs to the message behind it, and at the end to the one before it."""
    pieces: list[Piece] = []
    owner = Origin("turn", "template")
    at = len(shown.text)
    for length, number in reversed(shown.runs):
        text = shown.text[at - length : at]
        at -= length
        if number is None or number < _FIRST:
            origin = Origin(owner.part, "template", owner.index)
        else:
            origin = owner = origins[number - _FIRST]
        pieces.append(Piece(text, origin, parse_special=number is None))
    pieces.reverse()
    return _with_last_owner(pieces)


def _with_last_owner(pieces: Sequence[Piece]) -> tuple[Piece, ...]:
    """With the template's text at the end owned by the last message."""
    said = [i for i, piece in enumerate(pieces) if piece.origin.field != "template"]
    if not said:
        return tuple(pieces)
    last = pieces[said[-1]].origin
    end = Origin(last.part, "template", last.index)
    return (*pieces[: said[-1] + 1], *(replace(piece, origin=end) for piece in pieces[said[-1] + 1 :]))


def _advice(error: RenderError) -> str:
    """What happened, and what to do about it, by whose decision it was."""
    said = str(error).rstrip(".")
    other = "Use the model as a base model with a preset's template, or another conversion of the model."
    if error.kind == "refused":
        return f"The model's chat template refuses this conversation: {said}."
    if error.kind == "syntax":
        return f"The model's chat template cannot be parsed ({said}). {other}"
    if error.kind == "limit":
        return f"The model's chat template was stopped: {said}. {other}"
    if "is undefined" in said:
        other = "Give what it lacks as a template option, or use the model as a base model with a preset."
    return f"The model's chat template fails on this conversation: {said}. {other}"
