"""The one reader of data files: questions and examples in the formats that the field uses.

Knows no preset and no model. A row that cannot be read is a ``RowProblem`` and the others are read; what was
changed or guessed is in ``repaired`` and ``notes``. JSON goes to ``json_rows``, tables to ``tables``, Parquet
to ``parquet``; every row goes through ``shapes``.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from pathlib import Path

from playground.datasets.column_names import plain_name
from playground.datasets.decoding import decode, unpack
from playground.datasets.json_rows import json_rows
from playground.datasets.records import (
    BY_NAME,
    Columns,
    DataFile,
    DataFileError,
    DataFormat,
    Record,
    RowProblem,
)
from playground.datasets.shapes import Shaped, shape_row
from playground.datasets.source import parse_source
from playground.datasets.tables import Table, find_table
from playground.datasets.tables import rows as table_rows

MAX_BYTES = 500_000_000
_SAID_SEPARATOR = {",": "commas", ";": "semicolons", "\t": "tabs", "|": "'|'"}
_LOOKED_AT = 50
_JSON_START = re.compile(r'[\s\x1e]*[\[{]\s*(["\[{\]}\d]|$)')


@dataclass(slots=True)
class _Rows:
    """Rows while they are read; the first readable row gives the format and the columns."""

    columns: Columns = BY_NAME
    read: list[tuple[int, Shaped]] = field(default_factory=list)
    problems: list[RowProblem] = field(default_factory=list)
    repaired: list[RowProblem] = field(default_factory=list)
    notes: list[str] = field(default_factory=list)
    available: dict[str, None] = field(default_factory=dict)

    def add(self, place: int, row: object) -> None:
        if isinstance(row, RowProblem):
            self.problems.append(row)
            return
        try:
            shaped = shape_row(row, self.columns)
        except (ValueError, RecursionError) as error:
            said = str(error) if isinstance(error, ValueError) else "it is nested too deeply"
            self.problems.append(RowProblem(place, _printable(said)))
            return
        if isinstance(row, dict) and len(self.available) < 200 and not row.keys() <= self.available.keys():
            self.available |= dict.fromkeys(_printable(str(key)) for key in row)
        self.read.append((place, shaped))
        if shaped.changed:
            self.repaired += [RowProblem(place, _printable(clause)) for clause in shaped.changed]

    def append(self, other: _Rows) -> None:
        """Take the rows of the next part of the same data set; places count on."""
        places = [place for place, _ in self.read] + [one.place for one in self.problems]
        shift = max(places, default=0)
        self.read += [(place + shift, shaped) for place, shaped in other.read]
        self.problems += [RowProblem(one.place + shift, one.message) for one in other.problems]
        self.repaired += [RowProblem(one.place + shift, one.message) for one in other.repaired]
        self.notes += [note for note in other.notes if note not in self.notes]
        self.available |= other.available

    def records(self) -> tuple[Record, ...]:
        """The rows with distinct ids: a made-up id is never one that the file gives to another row.

        Of two rows with the same id of the file's own the first one counts, and the other is named.
        """
        given = {shaped.id for _, shaped in self.read if shaped.id}
        used: set[str] = set()
        found: list[Record] = []
        for place, shaped in self.read:
            if shaped.id in used:
                said = f"the id '{_printable(shaped.id[:60])}' stands twice; the first one counts"
                self.problems.append(RowProblem(place, said))
                continue
            name, number = shaped.id or str(place), 1
            while not shaped.id and (name in given or name in used):
                name = f"row-{place}" if number == 1 else f"row-{place}-{number}"
                number += 1
            used.add(name)
            found.append(Record(name, place, shaped.queries, shaped.answers, shaped.system, shaped.category))
        self.problems.sort(key=lambda one: one.place)
        return tuple(found)


def read_data(source: Path | str) -> DataFile:
    """The records of a file or of a data set on the Hub.

    Args:
        source: A path, or a text as ``parse_source`` takes it: ``FILE?query=COLUMN&answer=COLUMN`` or
            ``OWNER/NAME?split=test``.

    Raises:
        DataFileError: Missing, too large, not text, empty, or without one usable row.
    """
    asked = parse_source(source)
    if not asked.repository:
        return read_file(asked.path, columns=asked.columns, source=asked.name)
    from playground.datasets.hub import fetch_split

    whole = _Rows(asked.columns)
    for path in fetch_split(asked, limit=MAX_BYTES):
        whole.append(_file_rows(path, asked.columns, path.name))
    return _data_file(whole, asked.name)


def read_file(path: Path, *, columns: Columns = BY_NAME, source: str = "") -> DataFile:
    """The records of one file on this computer.

    Raises:
        DataFileError: Missing, too large, not text, empty, or without one usable row.
    """
    return _data_file(_file_rows(path, columns, source or path.name), source or path.name)


def _file_rows(path: Path, columns: Columns, source: str) -> _Rows:
    try:
        if not path.is_file() and not path.is_fifo():  # a shell's <(command) is a pipe
            reason = "it is a folder" if path.is_dir() else "No such file or directory"
            if path.exists() and not path.is_dir():
                reason = "it is a device and not a file"
            raise DataFileError(f"{path} cannot be read: {reason}.")
        if path.stat().st_size > MAX_BYTES:
            raise DataFileError(f"{source} is larger than {MAX_BYTES // 1_000_000} MB; split it.")
        with path.open("rb") as file:
            head = file.read(4)
            if head == b"PAR1":
                from playground.datasets.parquet import parquet_rows

                return _collected(parquet_rows(path), columns)
            content = head + file.read(MAX_BYTES)
    except (OSError, ValueError) as error:
        reason = str(error.strerror) if isinstance(error, OSError) else str(error)
        raise DataFileError(f"{path} cannot be read: {reason}.") from error
    return _byte_rows(content, columns, source)


def parse_bytes(content: bytes, *, columns: Columns = BY_NAME, source: str = "the file") -> DataFile:
    """The records in a file's bytes, in any encoding that can be told.

    Raises:
        DataFileError: Not text, empty, or without one usable row.
    """
    return _data_file(_byte_rows(content, columns, source), source)


def _byte_rows(content: bytes, columns: Columns, source: str) -> _Rows:
    decoded = decode(unpack(content, source=source, limit=MAX_BYTES), source=source)
    rows = _text_rows(decoded.text, columns, source)
    rows.repaired[:0] = decoded.repaired
    rows.notes[:0] = decoded.notes
    return rows


def parse_data(text: str, *, source: str = "the file", columns: Columns = BY_NAME) -> DataFile:
    """The records in a file's text.

    Raises:
        DataFileError: Empty, or without one usable row; the message names the first problem.
    """
    return _data_file(_text_rows(text.removeprefix("\ufeff"), columns, source), source)


def _data_file(rows: _Rows, source: str) -> DataFile:
    if not rows.read:
        first = rows.problems[0] if rows.problems else RowProblem(1, "nothing in it is a question")
        raise DataFileError(f"{source} has no usable row; row {first.place}: {first.message}.")
    records = rows.records()
    first_shaped = rows.read[0][1]
    format_: DataFormat = first_shaped.format
    names = {plain_name(name): name for name in reversed(rows.available)}
    used = Columns(**{role: names.get(name, name) for role, name in first_shaped.columns.items()})
    unread = [name for name in rows.available if name not in dict(used.items()).values()]
    if used != BY_NAME and unread:
        said = ", ".join(f"{role} from '{name}'" for role, name in used.items())
        rows.notes.append(f"Columns: {said}; not read: {_listed(unread)}.")
    return DataFile(
        format_,
        records,
        tuple(rows.problems),
        tuple(rows.repaired),
        tuple(rows.notes),
        used,
        tuple(rows.available),
    )


def _text_rows(text: str, columns: Columns, source: str) -> _Rows:
    if not text.strip():
        raise DataFileError(f"{source} is empty; choose a file with questions or examples.")
    if text.lstrip().lstrip("\x1e")[:1] in ("{", "["):
        found = _collected(json_rows(text), columns)
        if found.read or not _is_prose(text):
            return found
    lines = _lines(text)
    table = find_table(lines, columns)
    if table is not None:
        rows = _collected(table_rows(lines, table), columns)
        rows.available = dict.fromkeys(table.header)
        rows.notes += _table_notes(table)
        return rows
    if columns != BY_NAME:
        names = ", ".join(name for _, name in columns.items())
        raise DataFileError(f"{source} has no column '{names}'; its first line is {lines[0].strip()[:80]!r}.")
    rows = _collected(((n, line.strip()) for n, line in enumerate(lines, 1) if line.strip()), columns)
    if (separator := _steady_separator(lines)) is not None:
        rows.notes.append(
            f"Each line is one question. If it is a table with {_SAID_SEPARATOR[separator]}, name the column "
            "of the questions, such as FILE?query=COLUMN."
        )
    return rows


def _collected(found: Iterable[tuple[int, object]] | Iterator[tuple[int, object]], columns: Columns) -> _Rows:
    rows = _Rows(columns)
    for place, row in found:
        rows.add(place, row)
    return rows


def _table_notes(table: Table) -> list[str]:
    notes = []
    if table.named and len(table.header) > 1 and table.delimiter != ",":
        shown = _SAID_SEPARATOR.get(table.delimiter, repr(table.delimiter))
        notes.append(f"Its columns are separated by {shown}.")
    if not table.named:
        what = (
            "the first column is the question, the second the answer"
            if len(table.header) > 1
            else "each row is a question"
        )
        notes.append(f"It has no header: {what}.")
    return notes


def _lines(text: str) -> list[str]:
    """The lines of a text with their line breaks, all of one kind."""
    *whole, last = re.sub("\r\n?", "\n", text).split("\n")
    return [f"{line}\n" for line in whole] + ([last] if last else [])


def _is_prose(text: str) -> bool:
    """Whether a text that starts with a bracket is evidently no JSON."""
    return _JSON_START.match(text) is None


def _steady_separator(lines: list[str]) -> str | None:
    """A separator that stands equally often, and not rarely, in each of the first lines."""
    looked = [line for line in lines[:_LOOKED_AT] if line.strip()]
    for separator in ("\t", ";", "|", ","):
        counts = {line.count(separator) for line in looked}
        if len(looked) > 2 and len(counts) == 1 and counts != {0}:
            return separator
    return None


def _listed(names: list[str]) -> str:
    return ", ".join(names[:8]) + (f" and {len(names) - 8} more" if len(names) > 8 else "")


def _printable(text: str) -> str:
    """A message that any encoding can hold."""
    return text.encode("utf-8", "backslashreplace").decode()
