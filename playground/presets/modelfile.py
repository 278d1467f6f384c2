"""The syntax of Ollama's Modelfile, read by the rules of Ollama's own parser, and values quoted for it.

Source: ollama/ollama ``parser/parser.go`` (``ParseFile``, ``unquote``). There are no escapes: a value stands
bare on its line, or between ``"`` or triple ``"`` with everything inside as it is. A value ends at the first
line break at which its quotation marks are complete, and characters that Go does not call printable are lost.
"""

from __future__ import annotations

import re
import unicodedata
from dataclasses import dataclass

from playground.errors import PresetError

COMMANDS = frozenset(
    {
        "from",
        "license",
        "template",
        "system",
        "adapter",
        "draft",
        "renderer",
        "parser",
        "parameter",
        "message",
    }
    | {"requires"}
)
_WORD = re.compile(r"[A-Za-z]+(?=[ \t])")
_PARAMETER = re.compile(r"[ \t]*([A-Za-z0-9_]+)[ \t]")
_BREAK = re.compile(r"[\r\n]|\Z")
_ROLE = re.compile(r"[ \t]*(system|user|assistant)[ \t]")


@dataclass(frozen=True, slots=True)
class Command:
    """A line of a Modelfile. ``key`` is the parameter or the role, empty for other commands."""

    name: str
    key: str
    value: str


def parse_modelfile(text: str) -> tuple[Command, ...]:
    """The commands of a Modelfile, in order.

    Raises:
        PresetError: An unknown command, an unfinished value, no ``FROM``; says the line.
    """
    text = text.removeprefix("\ufeff")
    found: list[Command] = []
    at = 0
    while at < len(text):
        if text[at] in " \t\r\n":
            at += 1
            continue
        if text[at] == "#":
            at = _line_end(text, at)
            continue
        line = text.count("\n", 0, at) + 1
        word = _WORD.match(text, at)
        if word is None or word[0].lower() not in COMMANDS:
            raise PresetError(
                f"line {line} of the Modelfile does not start with a command such as FROM or SYSTEM."
            )
        name, at, key = word[0].lower(), word.end(), ""
        if name in ("parameter", "message"):
            more = (_PARAMETER if name == "parameter" else _ROLE).match(text, at)
            if more is None:
                what = "a parameter's name" if name == "parameter" else "system, user or assistant"
                raise PresetError(f"line {line} of the Modelfile lacks {what} behind {name.upper()}.")
            key, at = more[1], more.end()
        value, at = _value(text, at, line)
        found.append(Command(name, key, value))
    if not any(command.name == "from" for command in found):
        raise PresetError("The Modelfile has no FROM line.")
    return tuple(found)


def quote_value(value: str) -> str | None:
    """A value as it stands in a Modelfile; None where no way of quoting it reads back as it is."""
    bare = value.strip() == value and value and not value.startswith(('"', "#"))
    for written in ([value] if bare else []) + [f'"{value}"', f'"""{value}"""']:
        try:
            (_, command) = parse_modelfile(f"FROM x\nPARAMETER stop {written}\n")
        except (PresetError, ValueError):
            continue
        if command.value == value:
            return written
    return None


def _line_end(text: str, at: int) -> int:
    found = _BREAK.search(text, at)
    return found.start() if found else len(text)


def _value(text: str, at: int, line: int) -> tuple[str, int]:
    """The value that starts here, and where it ends.

    Later lines are only looked at by their ends, so that a long value is read once.
    """
    start, end = at, _line_end(text, at)
    first = _shown(text[start:end])
    whole = _unquoted(first)
    if whole is not None:
        return whole, end
    mark = '"""' if first.startswith('"""') else '"'
    while end < len(text):
        begin, end = end + 1, _line_end(text, end + 1)
        if _shown(text[begin:end]).endswith(mark):
            found = _unquoted(_shown(text[start:end]))
            if found is not None:
                return found, end
    raise PresetError(f"The value on line {line} of the Modelfile has no closing quotation mark.")


def _shown(text: str) -> str:
    """What Ollama keeps of a text, without white space around it."""
    return (text if text.isascii() and text.isprintable() else "".join(filter(is_kept, text))).strip()


def _unquoted(text: str) -> str | None:
    """What stands between quotation marks, the text itself without them; None while they are not complete."""
    for mark in ('"""', '"'):
        if text.startswith(mark):
            whole = len(text) >= 2 * len(mark) and text.endswith(mark)
            return text[len(mark) : -len(mark)] if whole else None
    return text


def is_kept(character: str) -> bool:
    """Whether Ollama keeps a character: Go's ``strconv.IsPrint``, blanks, tabs and line breaks."""
    return character in " \t\r\n" or unicodedata.category(character)[0] in "LMNPS"
