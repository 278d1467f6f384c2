"""What a data file holds: records, rows that were skipped or repaired, and the columns that were read."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, fields
from typing import Literal

from playground.errors import PlaygroundError

DataFormat = Literal[
    "alpaca", "alpaca_eval", "just_eval", "mt_bench", "sharegpt", "messages", "comparison", "columns", "lines"
]


class DataFileError(PlaygroundError):
    """A data file that cannot be read at all. A single bad row is a ``RowProblem`` and not this error."""


@dataclass(frozen=True, slots=True)
class Record:
    """One row: a question or a conversation, with the answers that the file gives.

    Attributes:
        id: The file's own id of the row, or its place; unique in a file.
        place: Line (text formats) or item number (JSON lists, Parquet), counted from 1.
        queries: What the user says, turn by turn; never empty.
        answers: What the file gives as answers, turn by turn; may be shorter than ``queries``. An item is
            empty where the file gives no answer for that turn.
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
    """What is wrong with one row, by its line or item number."""

    place: int
    message: str


@dataclass(frozen=True, slots=True)
class Columns:
    """Which columns a table's rows are read from; an empty name means none, or one that is found by its name.

    Attributes:
        query: The column of the question.
        answer: The column of the answer.
        system: The column of a system message.
        category: The column of the category.
        id: The column of the row's id.
    """

    query: str = ""
    answer: str = ""
    system: str = ""
    category: str = ""
    id: str = ""

    def items(self) -> Iterator[tuple[str, str]]:
        """Role and column name of each column that is set."""
        for one in fields(self):
            if (name := getattr(self, one.name)) not in ("", NO_COLUMN):
                yield one.name, name


NO_COLUMN = "\0"
"""In place of a column's name: none, even where one would be found by its name."""
BY_NAME = Columns()
"""No column was named by the user: columns are found by their names."""


@dataclass(frozen=True, slots=True)
class DataFile:
    """What a file holds.

    Attributes:
        format: Format of the first usable row.
        records: The usable rows, in order.
        problems: Rows that were skipped.
        repaired: Rows that were read with a change, such as a replaced character or a part that was left out.
        notes: How the file was read where that is not evident: encoding, separator, columns. A sentence each.
        columns: The columns that were read, where the rows are those of a table.
        available: Names of all columns of the table, in order.
    """

    format: DataFormat
    records: tuple[Record, ...]
    problems: tuple[RowProblem, ...] = ()
    repaired: tuple[RowProblem, ...] = ()
    notes: tuple[str, ...] = ()
    columns: Columns = BY_NAME
    available: tuple[str, ...] = ()
