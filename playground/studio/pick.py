"""Examples out of a data file: searched, filtered by length, sorted, and handed out a page at a time."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Literal

from playground.datasets import DataFile
from playground.studio.paste import pairs
from playground.types import Example

Sort = Literal["file", "shortest", "longest", "query"]


@dataclass(frozen=True, slots=True)
class Row:
    """One query of a data file with its answer, which may be empty.

    Attributes:
        id: Its place among all rows, from 0.
        place: Line or item of the file that it stands in, from 1.
        turn: Which turn of a conversation it is, from 1.
        turns: How many turns that conversation has.
        example: Query and answer.
    """

    id: int
    place: int
    turn: int
    turns: int
    example: Example


@dataclass(frozen=True, slots=True)
class Wanted:
    """Which rows to show, and how.

    Attributes:
        search: Words that a row must hold, in its query or answer, in any case and order.
        answered: Only rows with an answer.
        max_query: Most characters of the query; None for any number.
        min_answer, max_answer: Fewest and most characters of the answer.
        sort: As in the file, by the length of both texts, or by the query's letters.
    """

    search: str = ""
    answered: bool = False
    max_query: int | None = None
    min_answer: int | None = None
    max_answer: int | None = None
    sort: Sort = "file"


class ExampleRows:
    """The rows of a data file. Thread-safe: nothing changes after it was made."""

    def __init__(self, data: DataFile) -> None:
        self.format = data.format
        self.problems = data.problems
        self.repaired = data.repaired
        self.notes = data.notes
        self.columns = data.columns
        self.available = data.available
        rows: list[Row] = []
        for record in data.records:
            examples = pairs(record)
            for turn, example in enumerate(examples, 1):
                rows.append(Row(len(rows), record.place, turn, len(examples), example))
        self.rows: Sequence[Row] = rows

    @cached_property
    def answered(self) -> int:
        """How many rows have an answer."""
        return sum(bool(row.example.answer.strip()) for row in self.rows)

    @cached_property
    def _folded(self) -> list[str]:
        return [f"{row.example.query}\n{row.example.answer}".casefold() for row in self.rows]

    def find(self, wanted: Wanted) -> list[Row]:
        """The rows that are wanted, in the order that is wanted."""
        words = wanted.search.casefold().split()
        rows = [row for row in self.rows if _fits(row.example, wanted)]
        if words:
            folded = self._folded
            rows = [row for row in rows if all(word in folded[row.id] for word in words)]
        if wanted.sort == "query":
            rows.sort(key=lambda row: row.example.query.casefold())
        elif wanted.sort != "file":
            rows.sort(key=_length, reverse=wanted.sort == "longest")
        return rows

    def take(self, ids: Sequence[int]) -> list[Example]:
        """The examples of these rows, in this order; ids that there are not are passed over."""
        return [self.rows[i].example for i in ids if 0 <= i < len(self.rows)]


def _fits(example: Example, wanted: Wanted) -> bool:
    answer = len(example.answer)
    return (
        (not wanted.answered or bool(example.answer.strip()))
        and (wanted.max_query is None or len(example.query) <= wanted.max_query)
        and (wanted.min_answer is None or answer >= wanted.min_answer)
        and (wanted.max_answer is None or answer <= wanted.max_answer)
    )


def _length(row: Row) -> int:
    return len(row.example.query) + len(row.example.answer)
