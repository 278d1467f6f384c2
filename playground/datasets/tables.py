"""CSV and its relatives: which separator a text has, and its rows with the lines that they start on.

The rows are parsed by the standard library's ``csv``, strictly and one by one. A row that is badly quoted is
named and only its own line is skipped: an open quotation mark never takes the rows behind it along. The
separator is told by the header, because the names of the columns that can be read are known; a statistical
guess (``csv.Sniffer``) fails on texts, which are full of commas.
"""

from __future__ import annotations

import csv
import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from itertools import islice, product

from playground.datasets.column_names import is_known_name, is_query_name, plain_name
from playground.datasets.records import BY_NAME, Columns, RowProblem

COMMON = (",", ";", "\t", "|")
MAX_CELL = 200_000_000
"""Longest cell in characters; the standard library stops at 131,072 unless it is told otherwise."""
_SEP_LINE = re.compile(r'"?sep=(.)"?;*,*', re.IGNORECASE)
_LOOKED_AT = 200
"""How many rows decide whether a text without a known header is a table."""
_LONGEST_NAME = 60
_LONGEST_HEADER = 20_000
"""A longer first line is no header."""
_MOST_SIGNS = 20
"""Signs of a header that are tried as its separator, beside the common ones."""
_NO_DELIMITER = "\x1f"
"""Separates nothing in a table of one column, whose cells may then hold any other separator."""
_RULE = re.compile(r"\|?(\s*:?-{3,}:?\s*\|)+\s*(:?-{3,}:?\s*)?")
"""The line below a header in Markdown."""


@dataclass(frozen=True, slots=True)
class Table:
    """How a text is a table.

    Attributes:
        delimiter: One character.
        header: Column names as they stand; made up where the text has no header.
        first: Index of the first line of the rows.
        named: Whether the header stands in the text.
        padded: Whether blanks stand behind delimiters.
        quote: Quotation mark around cells.
    """

    delimiter: str
    header: tuple[str, ...]
    first: int
    named: bool = True
    padded: bool = False
    quote: str = '"'


def find_table(lines: Sequence[str], columns: Columns = BY_NAME) -> Table | None:
    """How a text is a table, or None where it is none.

    Args:
        lines: Its lines with their line breaks.
        columns: Columns that were named by the user, which a header then has to have.
    """
    csv.field_size_limit(max(csv.field_size_limit(), MAX_CELL))  # of the whole process; it only grows
    start = next((i for i, line in enumerate(lines) if line.strip()), None)
    if start is None or len(lines[start]) > _LONGEST_HEADER:
        return None
    stated = _SEP_LINE.fullmatch(lines[start].rstrip("\r\n"))
    if stated and start + 1 < len(lines):
        return _headed(lines, start + 1, (stated[1],), columns) or _unnamed(lines, start + 1, (stated[1],))
    return _headed(lines, start, _delimiters(lines[start]), columns) or _unnamed(lines, start, COMMON)


def rows(lines: Sequence[str], table: Table) -> Iterator[tuple[int, dict[str, str] | RowProblem]]:
    """Each row by its columns, or what is wrong with it, with the line that it starts on, from 1."""
    width = len(table.header)
    at = table.first
    while at < len(lines):
        if not lines[at].strip() or _RULE.fullmatch(lines[at].strip()):
            at += 1
            continue
        cells, taken, error = _record(lines, at, table)
        place = at + 1
        if cells is None:
            at += 1  # whatever the row would take, only its first line is skipped
            yield place, RowProblem(place, error)
            continue
        at += taken
        row: dict[str, str] = {}
        for name, cell in zip(table.header, cells[:width], strict=True):
            row.setdefault(name, cell)
        yield place, row


def _delimiters(header: str) -> tuple[str, ...]:
    """Common separators, then every other sign of the header line."""
    signs = dict.fromkeys(c for c in header if not (c.isalnum() or c in " _-\"'.\r\n" or c in COMMON))
    return (*COMMON, *islice(signs, _MOST_SIGNS))


def _headed(lines: Sequence[str], start: int, delimiters: Sequence[str], columns: Columns) -> Table | None:
    """The table whose header has the most known names, one of them for questions; or the chosen names."""
    wanted = {plain_name(name) for _, name in columns.items()}
    best: tuple[int, Table] | None = None
    for delimiter, quote, padded in product(delimiters, "\"'", (False, True)):
        table = Table(delimiter, (), start, padded=padded, quote=quote)
        cells, taken, _ = _strict(lines, start, table)
        names = tuple(cell.strip() for cell in cells or ())
        plain = {plain_name(name) for name in names}
        after = any(line.strip() for line in lines[start + taken :])
        if not names or not (wanted <= plain if wanted else _is_header(names, after=after)):
            continue
        sure = len(names) > 1 and all(len(name) > 1 and is_known_name(name) for name in names)
        if delimiter not in COMMON and not wanted and not sure:
            continue  # such as "User: hi" and "Q: a"
        known = sum(map(is_known_name, names)) + len(wanted)
        if best is None or known > best[0]:
            spaced = padded or any(cell[:1] == " " for cell in (cells or ())[1:])
            alone = delimiter if len(names) > 1 else _NO_DELIMITER
            best = known, replace(table, delimiter=alone, header=names, first=start + taken, padded=spaced)
    return best[1] if best else None


def _is_header(names: Sequence[str], *, after: bool) -> bool:
    """Whether cells are column names: one of them of a question, with rows or more names beside it."""
    short = all(len(name) <= _LONGEST_NAME for name in names)
    return short and any(map(is_query_name, names)) and (after or len(names) > 1)


def _unnamed(lines: Sequence[str], start: int, delimiters: Sequence[str]) -> Table | None:
    """A table without a header: exactly one tab a line, or every cell quoted."""
    looked = [line.strip("\r\n") for line in lines[start : start + _LOOKED_AT] if line.strip()]
    if "\t" in delimiters and len(looked) > 1 and all(line.count("\t") == 1 for line in looked):
        return Table("\t", ("query", "answer"), start, named=False)
    if not looked or not looked[0].startswith('"'):
        return None
    for delimiter, header in product((*delimiters, _NO_DELIMITER), (("query", "answer"), ("query",))):
        if (delimiter == _NO_DELIMITER) != (len(header) == 1):
            continue
        table = Table(delimiter, header, start, named=False)
        if all(islice(_quoted(lines, table), _LOOKED_AT)):
            return table
    return None


def _quoted(lines: Sequence[str], table: Table) -> Iterator[bool]:
    """Of each row: whether it has the table's cells and each of them is quoted."""
    at = table.first
    while at < len(lines):
        if not lines[at].strip():
            at += 1
            continue
        cells, taken, _ = _strict(lines, at, table)
        text = "".join(lines[at : at + taken]).strip()
        edges = len(text) > 1 and text[0] == text[-1] == '"'
        inner = len(table.header) == 1 or f'"{table.delimiter}"' in text
        yield cells is not None and len(cells) == len(table.header) and edges and inner
        at += max(taken, 1)


def _record(lines: Sequence[str], at: int, table: Table) -> tuple[list[str] | None, int, str]:
    """The cells of one row and how many lines it takes; or None and the reason.

    A row that does not fit is tried again with blanks behind separators dropped, and with backslashes as
    escapes, which some programs write.
    """
    width = len(table.header)
    cells, taken, reason = _strict(lines, at, table)
    if cells is not None and len(cells) == width:
        return cells, taken, ""
    ways: list[tuple[str | None, bool]] = [(None, table.padded), (None, not table.padded)]
    if f"\\{table.quote}" in lines[at]:
        ways.append(("\\", table.padded))
    for escape, padded in ways:
        cells, taken, error = _strict(lines, at, replace(table, padded=padded), escape=escape)
        if cells is not None and (len(cells) == width or (len(cells) > width and not any(cells[width:]))):
            return cells, taken, ""
        reason = reason or error or _width_message(len(cells or ()), width)
    return None, 1, reason


def _width_message(found: int, width: int) -> str:
    columns = "1 column" if width == 1 else f"{width} columns"
    cells = "1 cell" if found == 1 else f"{found} cells"
    return f"it has {cells} and not the header's {columns}; quote cells that hold the separator"


def _strict(
    lines: Sequence[str], at: int, table: Table, *, escape: str | None = None
) -> tuple[list[str] | None, int, str]:
    reader = csv.reader(
        map(lines.__getitem__, range(at, len(lines))),
        delimiter=table.delimiter,
        quotechar=table.quote,
        escapechar=escape,
        skipinitialspace=table.padded,
        strict=True,
    )
    try:
        return next(reader), reader.line_num, ""
    except StopIteration:
        return None, 1, "it is empty"
    except csv.Error as error:
        return None, 1, f"its quotation marks do not fit ({error})"
