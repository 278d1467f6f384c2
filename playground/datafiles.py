"""The one reader of data files: questions and examples from the formats that the field uses.

Alpaca, AlpacaEval, just-eval, MT-Bench, ShareGPT, messages, comparison data, JSONL or CSV with the usual
column names, and one question a line; recognised by content, not by file name. Every row becomes a
``Record``; a row that cannot is named with its place and the rest goes on. Formats: those of
tatsu-lab/stanford_alpaca, tatsu-lab/alpaca_eval, Re-Align/just-eval, lm-sys/FastChat (``llm_judge/data``) and
ShareGPT dumps.
"""

from __future__ import annotations

import csv
import io
import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Literal

from playground.errors import PlaygroundError

DataFormat = Literal[
    "alpaca", "alpaca_eval", "just_eval", "mt_bench", "sharegpt", "messages", "comparison", "columns", "lines"
]
MAX_BYTES = 500_000_000
_QUERY = ("query", "question", "instruction", "prompt", "input", "user_input", "user", "text")
_ANSWER = ("answer", "output", "response", "completion", "reference", "target", "assistant", "completion_a")


class DataFileError(PlaygroundError):
    """A data file that cannot be read at all; single bad rows are no such error."""


@dataclass(frozen=True, slots=True)
class Record:
    """One row: a question, or a conversation, with what the file says should be answered.

    Attributes:
        id: The file's own id of the row, or its place counted from 1.
        place: Line (text formats) or item number (JSON lists), counted from 1.
        queries: What the person says, turn by turn; never empty.
        answers: What the file gives as answers, turn by turn; may be shorter, and empty.
        system: A system message, if the row has one.
        category: The row's category or data set, if it has one.
    """

    id: str
    place: int
    queries: tuple[str, ...]
    answers: tuple[str, ...] = ()
    system: str = ""
    category: str = ""


@dataclass(frozen=True, slots=True)
class RowProblem:
    """A row that was passed over, and why."""

    place: int
    message: str


@dataclass(frozen=True, slots=True)
class DataFile:
    """What a file held."""

    format: DataFormat
    records: tuple[Record, ...]
    problems: tuple[RowProblem, ...] = ()


@dataclass(slots=True)
class _Rows:
    """Rows while they are read; the format of the first readable row is the file's."""

    format: DataFormat | None = None
    records: list[Record] = field(default_factory=list)
    problems: list[RowProblem] = field(default_factory=list)
    ids: set[str] = field(default_factory=set)

    def add(self, place: int, row: object) -> None:
        try:
            found, record = _record(place, row)
        except (ValueError, RecursionError) as error:
            self.problems.append(RowProblem(place, str(error)))
            return
        if record.id in self.ids:
            self.problems.append(
                RowProblem(place, f"the id '{record.id}' stands twice; the first one counts")
            )
            return
        self.ids.add(record.id)
        self.format = self.format or found
        self.records.append(record)


def read_data(path: Path) -> DataFile:
    """The records of a file.

    Raises:
        DataFileError: Missing, too large, not UTF-8, empty, or without one usable row.
    """
    try:
        if path.stat().st_size > MAX_BYTES:
            raise DataFileError(f"{path.name} is larger than {MAX_BYTES // 1_000_000} MB; split it.")
        text = path.read_text(encoding="utf-8-sig")
    except OSError as error:
        raise DataFileError(f"{path} cannot be read: {error.strerror}.") from error
    except UnicodeDecodeError as error:
        raise DataFileError(
            f"{path.name} is not UTF-8 text (byte {error.start}); save it as UTF-8."
        ) from error
    return parse_data(text, source=path.name)


def parse_data(text: str, *, source: str = "the file") -> DataFile:
    """The records in a file's text.

    Raises:
        DataFileError: Empty, or without one usable row; the message names the first problem.
    """
    if not text.strip():
        raise DataFileError(f"{source} is empty; choose a file with questions or examples.")
    rows = _Rows()
    for place, row in _raw_rows(text, rows):
        rows.add(place, row)
    if not rows.records or rows.format is None:
        first = rows.problems[0] if rows.problems else RowProblem(1, "nothing in it is a question")
        raise DataFileError(f"{source} has no usable row; row {first.place}: {first.message}.")
    return DataFile(rows.format, tuple(rows.records), tuple(rows.problems))


def _raw_rows(text: str, rows: _Rows) -> Iterator[tuple[int, object]]:
    """Rows as parsed JSON, as mappings of a CSV's columns, or as strings."""
    start = text.lstrip()[:1]
    if start == "[":
        try:
            loaded = json.loads(text)
        except (ValueError, RecursionError) as error:
            raise DataFileError(f"The file starts like a JSON list and is not one: {error}.") from error
        yield from enumerate(loaded, 1)
    elif start == "{":
        yield from _json_lines(text, rows)
    elif _looks_like_csv(text):
        yield from _csv_rows(text, rows)
    else:
        for place, line in enumerate(text.split("\n"), 1):
            if line.strip():
                yield place, line.strip()


def _json_lines(text: str, rows: _Rows) -> Iterator[tuple[int, object]]:
    try:
        loaded = json.loads(text)
    except (ValueError, RecursionError):
        for place, line in enumerate(text.split("\n"), 1):
            if line.strip():
                try:
                    yield place, json.loads(line)
                except (ValueError, RecursionError) as error:
                    rows.problems.append(RowProblem(place, f"not JSON: {error}"))
        return
    yield 1, loaded


def _looks_like_csv(text: str) -> bool:
    try:
        head = next(csv.reader([text.split("\n", 1)[0]]), [])
    except csv.Error:
        return False
    return len(head) > 1 and any(name.strip().lower() in _QUERY for name in head)


def _csv_rows(text: str, rows: _Rows) -> Iterator[tuple[int, object]]:
    reader = csv.DictReader(io.StringIO(text), strict=True)
    reader.fieldnames = [name.strip().lower() for name in reader.fieldnames or ()]
    while True:
        try:
            row = next(reader)
        except StopIteration:
            return
        except csv.Error as error:
            rows.problems.append(RowProblem(reader.line_num, str(error)))
            return
        if None in row or None in row.values():
            message = f"it does not have the header's {len(reader.fieldnames)} columns"
            rows.problems.append(RowProblem(reader.line_num, message))
            continue
        yield reader.line_num, row


def _record(place: int, row: object) -> tuple[DataFormat, Record]:
    if isinstance(row, str):
        return "lines", Record(str(place), place, (_text(row, "the line"),))
    if not isinstance(row, Mapping):
        raise ValueError(f"a row is an object with keys such as 'instruction', not {type(row).__name__}")
    name = next(
        (str(row[key]) for key in ("question_id", "id") if row.get(key) not in (None, "")), str(place)
    )
    category = str(row.get("category") or row.get("dataset") or "")
    if "turns" in row:
        turns = _texts(row["turns"], "turns")
        return "mt_bench", Record(
            name, place, turns, _texts(row.get("reference", ()), "reference"), "", category
        )
    if "conversations" in row:
        system, queries, answers = _talk(row["conversations"], "from", "value")
        return "sharegpt", Record(name, place, queries, answers, system, category)
    if "messages" in row:
        system, queries, answers = _talk(row["messages"], "role", "content")
        return "messages", Record(name, place, queries, answers, system, category)
    if "user_input" in row:
        chosen = row.get("completion_a")
        answers = (chosen,) if isinstance(chosen, str) else ()
        return "comparison", Record(
            name, place, (_text(row["user_input"], "user_input"),), answers, "", category
        )
    if "instruction" in row:
        query = _text(row["instruction"], "instruction")
        more = row.get("input")
        if isinstance(more, str) and more.strip():
            query = f"{query}\n\n{more}"
        answer = row.get("output")
        kind_: DataFormat = "alpaca"
        if "generator" in row or "dataset" in row:
            kind_ = "just_eval" if "source_id" in row else "alpaca_eval"
        return kind_, Record(
            name, place, (query,), (answer,) if isinstance(answer, str) and answer else (), "", category
        )
    column = next((key for key in _QUERY if key in row), None)
    if column is None:
        raise ValueError(f"no column for the question; name one of {', '.join(_QUERY[:5])}")
    given = [str(row[k]) for k in _ANSWER if isinstance(row.get(k), str) and row[k] and k != column]
    return "columns", Record(name, place, (_text(row[column], column),), tuple(given[:1]), "", category)


def _talk(turns: object, role_key: str, text_key: str) -> tuple[str, tuple[str, ...], tuple[str, ...]]:
    """System text, queries and answers of a list of messages."""
    if not isinstance(turns, Sequence) or isinstance(turns, str):
        raise ValueError("the conversation is no list of messages")
    system = ""
    queries: list[str] = []
    answers: list[str] = []
    for turn in turns:
        if not isinstance(turn, Mapping) or role_key not in turn or text_key not in turn:
            raise ValueError(f"a message is an object with '{role_key}' and '{text_key}'")
        role, said = str(turn[role_key]).lower(), turn[text_key]
        if not isinstance(said, str):
            raise ValueError(f"'{text_key}' is no text")
        if role == "system":
            system = said
        elif role in ("human", "user"):
            # An unanswered question keeps its place: answers stay beside their queries.
            answers += [""] * (len(queries) - len(answers))
            queries.append(_text(said, text_key))
        elif role in ("gpt", "assistant", "model", "chatgpt", "bing", "bard"):
            if len(answers) < len(queries):
                answers.append(said)
        else:
            raise ValueError(f"'{role}' is no role; use system, user or assistant")
    if not queries:
        raise ValueError("nobody asks anything in it")
    return system, tuple(queries), tuple(answers)


def _text(value: object, key: str) -> str:
    if not isinstance(value, str):
        raise ValueError(f"'{key}' is no text")
    if not value.strip():
        raise ValueError(f"'{key}' is empty")
    return value


def _texts(value: object, key: str) -> tuple[str, ...]:
    if not isinstance(value, (list, tuple)):
        raise ValueError(f"'{key}' is no list of texts")
    return tuple(_text(item, key) for item in value)
