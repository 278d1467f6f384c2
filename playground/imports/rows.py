"""Rows of data files as examples: messages, ShareGPT, Alpaca, columns, and questions without answers."""

from __future__ import annotations

from playground.datasets import DataFile, DataFileError, parse_data
from playground.datasets.tables import find_table
from playground.imports.result import Imported, PresetImportError, make_name, preset_examples
from playground.presets.preset import Preset
from playground.types import Example

MAX_QUESTIONS = 200
MAX_ROWS = 20_000


def import_rows(text: str, *, name: str, source: str) -> Imported:
    """The preset of a data file's rows: those with an answer are examples, the others questions.

    Raises:
        PresetImportError: No row of it can be used.
    """
    if text.count("\n") > MAX_ROWS * 20 or (text.startswith("{") and text.count("\n") > MAX_ROWS):
        raise PresetImportError(f"{source} has more than {MAX_ROWS:,} rows; import a part of it.")
    try:
        data = parse_data(text, source=source)
    except DataFileError as error:
        raise PresetImportError(str(error)) from error
    return import_data(data, name=name, source=source)


def has_columns(text: str, *, source: str) -> bool:
    """Whether a text is a table whose header names a column that can be read.

    One column by itself is a table only where the file's name or quoted cells say so: a prompt may well start
    with the line "Instruction".
    """
    *lines, last = text[:200_000].replace("\r\n", "\n").replace("\r", "\n").split("\n")
    table = find_table([*(f"{line}\n" for line in lines), *([last] if last else [])])
    if table is None:
        return False
    quoted = any(line.startswith('"') for line in lines[table.first :])
    return len(table.header) > 1 or quoted or source.lower().endswith((".csv", ".tsv"))


def import_data(data: DataFile, *, name: str, source: str) -> Imported:
    """The preset of a data set's rows.

    Raises:
        PresetImportError: It has more rows than are read.
    """
    if len(data.records) > MAX_ROWS:
        raise PresetImportError(f"{source} has more than {MAX_ROWS:,} rows; import a part of it.")
    notes: list[str] = []
    wish = make_name(name, notes)
    examples: list[Example] = []
    questions: list[str] = []
    several = 0
    for record in data.records:
        if not any(record.answers):
            questions += record.queries
            continue
        several += len(record.queries) > 1
        answers = (*record.answers, *[""] * (len(record.queries) - len(record.answers)))
        examples += [Example(q, a) for q, a in zip(record.queries, answers, strict=False)]
    if several:
        some = (
            "1 conversation of several turns has"
            if several == 1
            else f"{several} conversations of several turns have"
        )
        notes.append(f"{some} become examples of one turn each, in order.")
    if len(questions) > MAX_QUESTIONS:
        notes.append(f"{len(questions):,} rows are questions; the first {MAX_QUESTIONS} are suggested.")
    elif questions:
        notes.append(f"{len(questions)} rows have no answer and are suggested as questions.")
    system = _system(data, notes)
    for problem in data.problems[:3]:
        notes.append(f"Row {problem.place} was skipped: {problem.message}.")
    if len(data.problems) > 3:
        notes.append(f"{len(data.problems) - 3} more rows were skipped.")
    for one in data.repaired[:3]:
        notes.append(f"Row {one.place}: {one.message}.")
    if len(data.repaired) > 3:
        notes.append(f"{len(data.repaired) - 3} more rows were read with a change.")
    notes += data.notes
    preset = Preset(
        name=wish,
        system=system,
        examples=preset_examples(tuple(examples), notes),
        questions=tuple(questions[:MAX_QUESTIONS]),
    )
    notes.insert(0, f"The rows are of format '{data.format}'.")
    return Imported(preset, "rows", "structured", tuple(notes))


def _system(data: DataFile, notes: list[str]) -> str:
    """The system text of the first row that has one; a note says how many others there are."""
    texts = list(dict.fromkeys(record.system for record in data.records if record.system))
    if len(texts) > 1:
        notes.append(f"The rows have {len(texts)} system texts; the first is kept.")
    return texts[0] if texts else ""
