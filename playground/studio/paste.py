"""What examples a pasted text may hold: each way to read it, the likeliest first.

Exact where rendering gives the same text again; else rows of a data set, a transcript with headers, one
question a line, or one query. Nothing is guessed twice: the ways that give the same examples are one.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from playground.datasets import DataFile, DataFileError, Record, RowProblem, parse_data
from playground.errors import PlaygroundError
from playground.prompts.parse import Parsed, find_headers, parse_exact, split_turns
from playground.prompts.templates import BUILT_IN
from playground.types import Example, Template

MAX_CHARACTERS = 2_000_000
Kind = Literal["template", "data", "turns", "lines", "whole"]


class PasteError(PlaygroundError):
    """A text that no examples can be read from."""


@dataclass(frozen=True, slots=True)
class Reading:
    """One way to read a text.

    Attributes:
        kind: ``template`` (renders back to the same text), ``data`` (rows), ``turns`` (a transcript),
            ``lines`` (a question each) or ``whole`` (one query).
        detail: The template's or the data format's name; else empty.
        system: The system text that stands in it.
        examples: In order; an answer may be empty.
        problems: Rows that were passed over.
    """

    kind: Kind
    detail: str
    system: str
    examples: tuple[Example, ...]
    problems: tuple[RowProblem, ...] = ()


def readings(text: str, own: Template | None = None) -> tuple[Reading, ...]:
    """The ways to read a text, likeliest first; none for a text of white space.

    Args:
        text: What was pasted.
        own: A template to be tried before the built-in ones.

    Raises:
        PasteError: The text is too long.
    """
    if len(text) > MAX_CHARACTERS:
        raise PasteError(
            f"The text has {len(text):,} characters and at most {MAX_CHARACTERS:,} can be pasted; "
            "save it as a file and choose examples from it."
        )
    text = text.replace("\r\n", "\n")
    if not text.strip():
        return ()
    exact = _exact(text, own)
    if exact is not None:
        return (exact,)
    data = _data(text)
    if data is not None and data.format != "lines" and not _one_word(text, data):
        return (Reading("data", data.format, _system(data.records), _pairs(data.records), data.problems),)
    turns = _turns(text)
    several = data is not None and len(data.records) > 1
    lines = Reading("lines", "", "", _pairs(data.records)) if data is not None and several else None
    whole = Reading("whole", "", "", (Example(text.strip(), ""),))
    return tuple(reading for reading in (turns, lines, whole) if reading is not None)


def _one_word(text: str, data: DataFile) -> bool:
    """Whether a text is a table for its first line alone, such as "Instruction", which prose has too."""
    table = not text.lstrip().startswith(("{", "["))
    return table and len(data.available) == 1 and not any(line.startswith('"') for line in text.split("\n"))


def _exact(text: str, own: Template | None) -> Reading | None:
    bare = text.strip("\n")
    for template in [*([own] if own is not None else []), *BUILT_IN.values()]:
        if template.name == "raw":
            continue  # anything is a raw text
        for written in (text, f"{bare}\n", bare, f"{bare}\n\n"):
            parsed = parse_exact(written, template)
            if parsed is not None and _answered(parsed):
                return Reading("template", template.name, parsed.system, parsed.examples)
    return None


def _answered(parsed: Parsed) -> bool:
    return any(example.answer.strip() for example in parsed.examples)


def _data(text: str) -> DataFile | None:
    try:
        return parse_data(text, source="the text")
    except DataFileError:
        return None


def _turns(text: str) -> Reading | None:
    if next(find_headers(text), None) is None:
        return None
    parsed = split_turns(text)
    return Reading("turns", "", parsed.system, parsed.examples)


def _system(records: tuple[Record, ...]) -> str:
    """The system text that all rows share; nothing where they differ."""
    texts = {record.system for record in records}
    return texts.pop() if len(texts) == 1 else ""


def _pairs(records: tuple[Record, ...]) -> tuple[Example, ...]:
    return tuple(pair for record in records for pair in pairs(record))


def pairs(record: Record) -> tuple[Example, ...]:
    """The turns of a row as examples; an answer that the file does not give is empty."""
    answers = (*record.answers, *[""] * (len(record.queries) - len(record.answers)))
    return tuple(Example(query, answers[i]) for i, query in enumerate(record.queries))
