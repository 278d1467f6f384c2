"""Examples: read out of pasted text, and chosen from data files."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Annotated

from pydantic import Field

from playground.errors import PresetError
from playground.presets.preset import Preset
from playground.services.data_shelf import DataShelf
from playground.studio.paste import Reading, readings
from playground.studio.pick import ExampleRows, Row, Sort, Wanted
from playground.types import Example
from playground.ui.api.binding import Call
from playground.ui.wire_format import Incoming

MAX_PAGE = 200
MAX_TAKEN = 2_000
SHOWN_CHARACTERS = 600  # of each text in a list to choose from
SHOWN_PROBLEMS = 100
_FileId = Annotated[str, Field(pattern=r"^\w{1,40}$")]
_Length = Annotated[int, Field(ge=0)] | None


class PasteIn(Incoming):
    """A text, and the draft whose template is tried first."""

    text: str
    draft: Mapping[str, object]


class FilePartIn(Incoming):
    """The next part of a data file."""

    file: _FileId
    name: str
    text: str
    last: bool


class FileIn(Incoming):
    """A data file that was sent."""

    file: _FileId


class RowsIn(FileIn):
    """A page of the rows that are wanted; see ``studio.pick.Wanted``."""

    search: str = ""
    answered: bool = False
    max_query: _Length = None
    min_answer: _Length = None
    max_answer: _Length = None
    sort: Sort = "file"
    start: Annotated[int, Field(ge=0)] = 0
    count: Annotated[int, Field(ge=1, le=MAX_PAGE)] = 50


class TakeIn(FileIn):
    """Rows to become examples."""

    rows: Annotated[tuple[int, ...], Field(max_length=MAX_TAKEN)]


class ColumnsIn(FileIn):
    """Which columns of a table are queries and answers; an empty answer column means none."""

    query: Annotated[str, Field(min_length=1, max_length=1_000)]
    answer: Annotated[str, Field(max_length=1_000)] = ""


class ExampleCalls:
    """Where examples come from."""

    def __init__(self) -> None:
        self._shelf = DataShelf()

    def calls(self) -> list[Call]:
        """``read_examples`` for text; those that begin with ``data_`` for files."""
        return [
            Call.of("read_examples", PasteIn, self.read_examples),
            Call.of("data_part", FilePartIn, self.data_part),
            Call.of("data_columns", ColumnsIn, self.data_columns),
            Call.of("data_rows", RowsIn, self.data_rows),
            Call.of("data_take", TakeIn, self.data_take),
            Call.of("data_close", FileIn, self.data_close),
        ]

    def read_examples(self, query: PasteIn) -> object:
        """The ways to read a text, likeliest first."""
        try:
            own = Preset.checked(query.draft).own_template()
        except PresetError:
            own = None  # the editor says what is wrong with the draft
        return [_reading_json(reading) for reading in readings(query.text, own)]

    def data_part(self, query: FilePartIn) -> object:
        """None until the last part came; then what the file holds."""
        rows = self._shelf.add(query.file, query.text, name=query.name, last=query.last)
        return None if rows is None else _file_json(rows)

    def data_columns(self, query: ColumnsIn) -> object:
        """What the file holds when it is read by other columns."""
        return _file_json(self._shelf.choose_columns(query.file, query=query.query, answer=query.answer))

    def data_rows(self, query: RowsIn) -> object:
        """How many rows are wanted, and a page of them."""
        found = self._shelf.rows(query.file).find(
            Wanted(
                query.search,
                query.answered,
                query.max_query,
                query.min_answer,
                query.max_answer,
                query.sort,
            )
        )
        shown = found[query.start : query.start + query.count]
        return {"total": len(found), "rows": [_row_json(row) for row in shown]}

    def data_take(self, query: TakeIn) -> object:
        """The chosen rows as examples, whole."""
        return [_example_json(example) for example in self._shelf.rows(query.file).take(query.rows)]

    def data_close(self, query: FileIn) -> object:
        """Forget a file."""
        self._shelf.close(query.file)
        return None


def _file_json(rows: ExampleRows) -> dict[str, object]:
    changed = [f"Row {one.place}: {one.message}." for one in rows.repaired[:SHOWN_PROBLEMS]]
    return {
        "format": rows.format,
        "rows": len(rows.rows),
        "answered": rows.answered,
        "n_problems": len(rows.problems),
        "problems": [[problem.place, problem.message] for problem in rows.problems[:SHOWN_PROBLEMS]],
        "notes": [*rows.notes, *changed],
        "columns": dict(rows.columns.items()),
        "available": list(rows.available),
    }


def _reading_json(reading: Reading) -> dict[str, object]:
    return {
        "kind": reading.kind,
        "detail": reading.detail,
        "system": reading.system,
        "examples": [_example_json(example) for example in reading.examples],
        "n_problems": len(reading.problems),
        "problems": [[problem.place, problem.message] for problem in reading.problems[:SHOWN_PROBLEMS]],
    }


def _example_json(example: Example) -> dict[str, str]:
    return {"query": example.query, "answer": example.answer}


def _row_json(row: Row) -> dict[str, object]:
    return {
        "row": row.id,
        "place": row.place if row.turns == 1 else f"{row.place}.{row.turn}",
        "query": row.example.query[:SHOWN_CHARACTERS],
        "answer": row.example.answer[:SHOWN_CHARACTERS],
        "characters": [len(row.example.query), len(row.example.answer)],
    }
