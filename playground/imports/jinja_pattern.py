"""A chat template in Jinja, read as one turn pattern: rendered with marks, and cut where the marks are.

Only a template that writes every turn alike has a pattern; another one is refused with the reason.
"""

from __future__ import annotations

import re
from dataclasses import dataclass

from playground.imports.result import PresetImportError
from playground.prompts.template_process import RenderError, template_process

_MARK = re.compile("\ue000([a-z][0-9])\ue001")


@dataclass(frozen=True, slots=True)
class Pattern:
    """What a chat template writes around messages; ``default_system`` is a text of its own, if it has one."""

    before_system: str
    after_system: str
    before_query: str
    between: str
    after_answer: str
    lead: str = ""
    default_system: str = ""
    takes_system: bool = True


def pattern_of(source: str) -> Pattern:
    """The turn pattern of a chat template.

    Raises:
        PresetImportError: It fails, takes too long, or does not write its turns alike.
    """
    talk = [("user", "q1"), ("assistant", "a1"), ("user", "q2"), ("assistant", "a2"), ("user", "q3")]
    plain, closed, told = _rendered(source, [talk, talk[:2], [("system", "s1"), *talk]])
    if plain is None or closed is None:
        raise PresetImportError("It refuses a conversation of two turns.")
    pieces = _cut(plain, ["q1", "a1", "q2", "a2", "q3"])
    ends = _cut(closed, ["q1", "a1"])
    first, between, gap, between_again, gap_again, opened = pieces
    if between != between_again or gap != gap_again:
        raise PresetImportError("Its turns are not written alike, so that no turn pattern holds them.")
    lead = between[len(between.rstrip(" ")) :]
    if opened.rstrip(" ") != between.rstrip(" "):
        raise PresetImportError(
            "It opens the assistant's turn otherwise than it writes a finished one; no turn pattern does."
        )
    after = ends[2]
    if not gap.startswith(after):
        after = ""
    before = gap[len(after) :]
    if not before and not between.strip():
        raise PresetImportError("It writes nothing between messages, so that they cannot be told apart.")
    around, default, takes = _system(told, before, first)
    return Pattern(*around, before, between.rstrip(" "), after, lead, default, takes)


def _system(told: str | None, before: str, first: str) -> tuple[tuple[str, str], str, bool]:
    """What is written around a system text, the template's own system text, and whether it takes one."""
    none = ("", "\n"), first.removesuffix(before).removesuffix("\n"), False
    if told is None or _MARK.findall(told) != ["s1", "q1", "a1", "q2", "a2", "q3"]:
        return none
    head, _, rest, *_ = _MARK.split(told)
    if before and not rest.endswith(before):
        return none
    around = head, rest.removesuffix(before) if before else rest
    own = first.removesuffix(before) if before else first
    if own.startswith(around[0]) and own.endswith(around[1]) and len(own) > len(around[0]) + len(around[1]):
        return around, own[len(around[0]) : len(own) - len(around[1])], True
    return around, "", True


def _cut(text: str, marks: list[str]) -> list[str]:
    """The texts around the marks, which must all be there once and in order."""
    if _MARK.findall(text) != marks:
        raise PresetImportError("It leaves messages out, repeats or reorders them; no turn pattern does.")
    return _MARK.split(text)[0::2]


def _rendered(source: str, talks: list[list[tuple[str, str]]]) -> list[str | None]:
    """The text of each conversation of marks; None for one that is refused, unless it is the first."""
    if "messages" not in source:
        raise PresetImportError("The chat template never looks at the messages.")
    texts: list[str | None] = []
    for talk in talks:
        try:
            texts.append(_text(source, talk))
        except RenderError as error:
            if not texts or error.kind == "limit":
                raise PresetImportError(
                    f"The chat template cannot be rendered: {str(error).rstrip('.')}."
                ) from error
            texts.append(None)
    return texts


def _text(source: str, talk: list[tuple[str, str]]) -> str:
    """The text of one conversation; contents are typed parts where a template takes no plain text.

    Raises:
        RenderError: It fails, or takes too long or too much.
    """
    marks = [mark for _, mark in talk]
    text = _with_contents(source, talk, typed=False)
    if _MARK.findall(text) == marks:
        return text
    try:
        other = _with_contents(source, talk, typed=True)
    except RenderError:
        return text
    return other if _MARK.findall(other) == marks and "'type'" not in other else text


def _with_contents(source: str, talk: list[tuple[str, str]], *, typed: bool) -> str:
    messages = []
    for role, mark in talk:
        content = f"\ue000{mark}\ue001"
        messages.append({"role": role, "content": [{"type": "text", "text": content}] if typed else content})
    return template_process().render(
        source,
        {
            "messages": messages,
            "add_generation_prompt": talk[-1][0] == "user",
            "bos_token": "",
            "eos_token": "",
            "tools": None,
            "documents": None,
            # text-generation-webui's names of the two speakers.
            "name1": "User",
            "name2": "Assistant",
        },
    )
