"""Whether chat templates are rendered exactly, each with the conversations of ``chat_template_talks``.

The checks are independent of how the renderer works: texts are held against transformers, control tokens are
counted in token ids against the same conversation without texts that look like them, and messages are looked
for by words of their own.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from playground.engines.base import Engine
from playground.errors import PlaygroundError, PresetError, TemplateError
from playground.prompts.chat_template import ChatTemplateRenderer, Sent
from playground.studio.chat_template_talks import Talk, talks
from playground.types import Message, Origin, Piece, Prompt

SUFFIXES = (".jinja", ".jinja2", ".j2")
MAX_BYTES = 1_000_000
_CONTROL_LIKE = re.compile(r"<[|/]?[A-Za-z_][A-Za-z0-9_ ]{0,30}\|?>|\[/?[A-Z_]{3,20}\]")
_MOST_CONTROL_TEXTS = 12
_HARMLESS = "x"

Reference = Callable[[str, Sequence[Mapping[str, object]], bool, Mapping[str, object]], str]
"""The text of a source with messages, whether the assistant's turn is opened, and further variables.

It may raise TemplateError.
"""
BOS, EOS = "<s>", "</s>"
Tokenize = Callable[[Sequence[Piece]], list[int]]


@dataclass(frozen=True, slots=True)
class Tokenizer:
    """What control tokens are counted with: a model's tokenizer, and its control tokens' ids and texts."""

    name: str
    encode: Tokenize
    ids: frozenset[int]
    texts: tuple[str, ...]

    def count(self, pieces: Sequence[Piece]) -> int:
        """How many control tokens the pieces hold."""
        return sum(token in self.ids for token in self.encode(pieces))


def tokenizer_of(name: str, engine: Engine) -> Tokenizer:
    """A loaded model's tokenizer."""
    texts = engine.info.special_tokens
    place = Origin("turn", "template")
    ids = {
        engine.tokenize([Piece(text, place, parse_special=True)], add_bos=False)[0] for text in texts if text
    }
    return Tokenizer(name, lambda pieces: engine.tokenize(pieces, add_bos=False), frozenset(ids), texts)


@dataclass(frozen=True, slots=True)
class TemplateCheck:
    """What came of one template.

    Attributes:
        name: The file's name.
        tried: How many conversations were rendered.
        refused: How many the template takes in no way.
        adapted: How many were put another way, such as a folded system text.
        reported: How many have a note on a message that is left out.
        faults: What is wrong, each with the conversation's name.
    """

    name: str
    tried: int = 0
    refused: int = 0
    adapted: int = 0
    reported: int = 0
    faults: tuple[str, ...] = ()


def check_folder(
    folder: Path, tokenizers: Sequence[Tokenizer], reference: Reference | None
) -> Iterator[TemplateCheck]:
    """Each template file of a folder and of those below it, in order.

    Raises:
        PresetError: It is not a folder, or holds no template.
    """
    if not folder.is_dir():
        raise PresetError(f"{folder} is not a folder; name one with chat templates (*.jinja).")
    paths = sorted(p for p in folder.rglob("*") if p.is_file() and p.suffix in SUFFIXES)
    if not paths:
        raise PresetError(f"{folder} holds no chat template (*.jinja, *.jinja2, *.j2); name another folder.")
    for path in paths:
        name = str(path.relative_to(folder))
        try:
            if path.stat().st_size > MAX_BYTES:
                yield TemplateCheck(name, faults=(f"the file is larger than {MAX_BYTES // 1_000_000} MB",))
                continue
            source = path.read_bytes().decode("utf-8-sig")
        except OSError as error:
            yield TemplateCheck(name, faults=(f"the file cannot be read: {error.strerror}",))
            continue
        except UnicodeDecodeError as error:
            yield TemplateCheck(name, faults=(f"the file is not UTF-8 text (byte {error.start})",))
            continue
        yield check_source(name, source, tokenizers, reference)


def check_source(
    name: str, source: str, tokenizers: Sequence[Tokenizer], reference: Reference | None
) -> TemplateCheck:
    """One template, with every conversation."""
    found = list(dict.fromkeys(_CONTROL_LIKE.findall(source)))[:_MOST_CONTROL_TEXTS]
    texts = tuple(
        dict.fromkeys([*found, *(t for one in tokenizers for t in one.texts[:_MOST_CONTROL_TEXTS])])
    )
    renderer = ChatTemplateRenderer(source, BOS, EOS)
    result = TemplateCheck(name)
    first_refusal = ""
    for talk in talks(texts):
        result = replace(result, tried=result.tried + 1)
        try:
            faults, prompt = _check(renderer, talk, texts, tokenizers, reference)
        except TemplateError as error:
            first_refusal = first_refusal or str(error)
            result = replace(result, refused=result.refused + 1)
            if _takes(reference, source, talk):
                fault = f"{talk.name}: it is refused, although the reference takes it ({error})"
                result = replace(result, faults=(*result.faults, fault))
            continue
        except PlaygroundError as error:
            faults, prompt = [str(error)], Prompt(())
        left_out = sum("leaves out" in note for note in prompt.notes)
        result = replace(
            result,
            adapted=result.adapted + (len(prompt.notes) > left_out),
            reported=result.reported + bool(left_out),
            faults=(*result.faults, *(f"{talk.name}: {fault}" for fault in faults)),
        )
    if result.refused == result.tried:
        return replace(result, faults=(f"no conversation can be rendered: {first_refusal}",))
    return result


def _takes(reference: Reference | None, source: str, talk: Talk) -> bool:
    """Whether the reference renders a conversation as it is."""
    if reference is None:
        return False
    plain = [{"role": m.role, "content": m.content} for m in talk.messages]
    variables = {"bos_token": BOS, "eos_token": EOS, "tools": None, "documents": None}
    try:
        reference(source, plain, talk.messages[-1].role == "user", variables)
    except TemplateError:
        return False
    return True


def _check(
    renderer: ChatTemplateRenderer,
    talk: Talk,
    texts: Sequence[str],
    tokenizers: Sequence[Tokenizer],
    reference: Reference | None,
) -> tuple[list[str], Prompt]:
    """What is wrong with one conversation, and its prompt.

    Raises:
        TemplateError: The template takes it in no way.
    """
    sent = renderer.sent(talk.messages)
    prompt = renderer.render(talk.messages)
    opens = talk.messages[-1].role == "user"
    faults: list[str] = []
    if prompt.text != sent.text:
        faults.append("the prompt is not what the template wrote")
    if reference is not None:
        faults += _text_faults(renderer.source, talk, sent, opens, reference)
    faults += lost_messages(talk, prompt.text, prompt.notes)
    if any("cannot be followed" in note for note in prompt.notes):
        faults.append("it is not known which text is the template's own")
    harmless = without_control_texts(talk.messages, texts)
    neutral = renderer.sent(harmless).text
    for tokenizer in tokenizers:
        expected = tokenizer.count([Piece(neutral, Origin("turn", "template"), parse_special=True)])
        got = tokenizer.count(prompt.pieces)
        if got != expected:
            faults.append(f"{got} control tokens in place of {expected} ({tokenizer.name})")
    return faults, prompt


def lost_messages(talk: Talk, text: str, notes: Sequence[str]) -> Iterator[str]:
    """Messages whose word is not in the prompt, and which no note names by role and number."""
    numbers = {"system": 0, "user": 0, "assistant": 0}
    for message, word in zip(talk.messages, talk.words, strict=True):
        numbers[message.role] += 1
        name = (
            "system text" if message.role == "system" else f"{message.role} message {numbers[message.role]}"
        )
        if word and word not in text.casefold() and not any(name in note for note in notes):
            yield f"the {name} with '{word}' is neither in the prompt nor reported"


def _text_faults(source: str, talk: Talk, sent: Sent, opens: bool, reference: Reference) -> Iterator[str]:
    text, given = sent.text, sent.messages
    tools: list[object] | None = None if sent.tools is None else []
    variables = {"bos_token": BOS, "eos_token": EOS, "tools": tools, "documents": tools}
    try:
        theirs = reference(source, given, opens, variables)
    except TemplateError as error:
        yield f"the reference fails where this program does not ({error})"
    else:
        if theirs != text:
            yield _difference(text, theirs)
    # Where the reference takes the conversation as it is and loses nothing, nothing may be put otherwise.
    plain = [{"role": m.role, "content": m.content} for m in talk.messages]
    try:
        theirs = reference(source, plain, opens, variables)
    except TemplateError:
        return
    if all(m["content"].strip() in theirs for m in plain) and theirs != text:
        yield "it is put another way, although the template takes it as it is; " + _difference(text, theirs)


def without_control_texts(messages: Sequence[Message], texts: Sequence[str]) -> list[Message]:
    """The messages with letters in place of what could be a control token."""
    changed = []
    for message in messages:
        content = message.content
        for text in sorted(texts, key=len, reverse=True):
            content = content.replace(text, _HARMLESS * len(text))
        changed.append(Message(message.role, content))
    return changed


def _difference(ours: str, theirs: str) -> str:
    at = next((i for i, (a, b) in enumerate(zip(ours, theirs, strict=False)) if a != b), None)
    at = min(len(ours), len(theirs)) if at is None else at
    return f"from character {at} the text is {ours[at : at + 20]!r} in place of {theirs[at : at + 20]!r}"
