"""Whatever a file holds: rows and named faults, never an exception, never a lost good row.

`make fuzz-data` makes ten thousand examples of each.
"""

from __future__ import annotations

import csv
import io
import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from playground.datasets import Columns, DataFile, DataFileError, parse_bytes, parse_data
from playground.datasets.column_names import ID, plain_name

# Texts that a writer of the format can hold: no half characters, and CSV makes one kind of line break of all.
TEXT = st.text(st.characters(exclude_categories=("Cs",)), min_size=1, max_size=30).filter(
    lambda t: bool(t.strip())
)
CELL = TEXT.map(lambda text: text.replace("\r\n", "\n").replace("\r", "\n")).filter(lambda t: "\0" not in t)
UNQUOTED = CELL.filter(lambda text: '"' not in text and not text.startswith(("\n", ",")))
PAIRS = st.lists(st.tuples(TEXT, TEXT), min_size=1, max_size=5)
CELLS = st.lists(st.tuples(CELL, CELL), min_size=1, max_size=5)
# Of a table: an open quotation mark, too few cells, too many.
BROKEN_LINES = st.sampled_from(['"open', 'x,"open', '"a" b,c', "only", "a,b,c", '"', 'x,"', '"""', '"a"",b'])
BROKEN_JSON = st.sampled_from(
    ['{"question": ', "{broken}", '{"a": 1}', '{"question": 3}', "nonsense", '{"question": ""}']
)
MARKS = [*'{}[]",:;\t|\r\n\\ \x1e\ufeffaq1ß冰\ud83d', "question", "answer", '""', "sep=", "turns", "messages"]
NOISE = st.lists(st.sampled_from(MARKS), max_size=60).map("".join)


def read(text: str) -> tuple[list[tuple[str, str]], list[int]]:
    data = parse_data(text)
    found = [(r.queries[0], r.answers[0] if r.answers else "") for r in data.records]
    return found, [one.place for one in data.problems]


@given(st.text(max_size=300) | NOISE)
def test_any_text_gives_records_or_one_error(text: str) -> None:
    try:
        data = parse_data(text)
    except DataFileError as error:
        said = str(error)
    else:
        said = ""
        _check(data)
    assert "\n" not in said
    said.encode()


def _check(data: DataFile) -> None:
    assert data.records
    for record in data.records:
        assert record.queries
        assert all(query.strip() for query in record.queries)
        repr(record).encode()
        "".join((*record.queries, *record.answers, record.system, record.id)).encode()
    assert len({record.id for record in data.records}) == len(data.records)
    for one in (*data.problems, *data.repaired):
        assert one.message
        assert one.place >= 1
        one.message.encode()


@given(st.binary(max_size=300) | NOISE.map(lambda text: text.encode("utf-16", "surrogatepass")))
def test_any_bytes_give_records_or_one_error(content: bytes) -> None:
    try:
        _check(parse_bytes(content))
    except DataFileError as error:
        said = str(error)
    else:
        said = ""
    assert "\n" not in said


@given(
    CELLS,
    st.sampled_from(",;\t|~"),
    st.sampled_from(["\n", "\r\n", "\r"]),
    st.sampled_from(["utf-8", "utf-8-sig", "utf-16"]),
)
def test_what_a_csv_writer_wrote_is_read_back(
    rows: list[tuple[str, str]], delimiter: str, end: str, encoding: str
) -> None:
    file = io.StringIO(newline="")
    # Behind lines that end in CR alone the library's writer leaves cells with LF unquoted.
    quoting = csv.QUOTE_ALL if end == "\r" else csv.QUOTE_MINIMAL
    writer = csv.writer(file, delimiter=delimiter, lineterminator=end, quoting=quoting)
    writer.writerows([("question", "answer"), *rows])
    data = parse_bytes(file.getvalue().encode(encoding))
    assert [(r.queries[0], r.answers[0]) for r in data.records] == rows
    assert not data.problems


# No quotation mark in a cell, and no line break or separator at its start: an open mark before such a cell
# can be a row by accident, such as x,"open and then a cell that starts with a line break.
@given(st.lists(st.tuples(UNQUOTED, UNQUOTED), min_size=1, max_size=5), st.data())
def test_broken_rows_of_a_table_cost_no_good_one(rows: list[tuple[str, str]], data: st.DataObject) -> None:
    file = io.StringIO(newline="")
    writer = csv.writer(file, lineterminator="\n", quoting=csv.QUOTE_ALL)
    lines, broken, line = ["question,answer\n"], [], 2
    for row in rows:
        for bad in data.draw(st.lists(BROKEN_LINES, max_size=1)):
            lines.append(f"{bad}\n")
            broken.append(line)
            line += 1
        file.seek(0)
        file.truncate()
        writer.writerow(row)
        lines.append(file.getvalue())
        line += file.getvalue().count("\n")
    assert read("".join(lines)) == (rows, broken)


@given(PAIRS, st.data())
def test_broken_lines_of_jsonl_cost_no_good_one(rows: list[tuple[str, str]], data: st.DataObject) -> None:
    lines, broken = [], []
    for query, answer in rows:
        lines.append(json.dumps({"question": query, "answer": answer}, ensure_ascii=data.draw(st.booleans())))
        for bad in data.draw(st.lists(BROKEN_JSON, max_size=2)):
            lines.append(bad)
            broken.append(len(lines))
    found, places = read("\n".join(lines))
    assert found == [(query, answer if answer.strip() else "") for query, answer in rows]
    assert places == broken


@given(PAIRS, st.data())
def test_broken_items_of_a_json_list_cost_no_good_one(
    rows: list[tuple[str, str]], data: st.DataObject
) -> None:
    items, broken = [], 0
    for query, answer in rows:
        items.append(json.dumps({"question": query, "answer": answer}))
        for bad in data.draw(
            st.lists(
                st.sampled_from(["{broken}", '{"question": }', '{"a": 1}', '{"question": ["x"]}']), max_size=2
            )
        ):
            items.append(bad)
            broken += 1
    for between in (",\n", ", "):
        found, places = read(f"[{between.join(items)}]")
        assert found == rows
        assert len(places) == broken


@given(
    st.lists(
        st.tuples(TEXT, st.none() | st.integers(0, 4) | st.sampled_from(["row-1", "1-2", "1"])),
        min_size=1,
        max_size=8,
    )
)
def test_ids_are_distinct_and_given_ones_stay(rows: list[tuple[str, object]]) -> None:
    data = parse_data(
        "\n".join(json.dumps({"question": q, "id": i} if i is not None else {"question": q}) for q, i in rows)
    )
    seen: set[str] = set()
    doubled = [n for n, (_, i) in enumerate(rows) if i is not None and (str(i) in seen or seen.add(str(i)))]
    kept = [row for n, row in enumerate(rows) if n not in doubled]
    assert [r.queries[0] for r in data.records] == [query for query, _ in kept]
    assert [one.place - 1 for one in data.problems] == doubled
    ids = [record.id for record in data.records]
    assert len(set(ids)) == len(ids)
    assert all(i is None or ids[n] == str(i) for n, (_, i) in enumerate(kept))


# A column of ids would make rows of the same id one.
NAMES = CELL.filter(lambda text: text == text.strip() and plain_name(text) not in ("", *ID))


@given(st.lists(NAMES, min_size=2, max_size=4, unique_by=plain_name), CELLS)
def test_any_column_can_be_chosen(names: list[str], rows: list[tuple[str, str]]) -> None:
    file = io.StringIO(newline="")
    csv.writer(file, quoting=csv.QUOTE_ALL).writerows([names, *((q, a, *names[2:]) for q, a in rows)])
    try:
        data = parse_data(file.getvalue(), columns=Columns(query=names[1]))
    except DataFileError:
        pytest.fail(f"{names} were not found")
    assert [record.queries[0] for record in data.records] == [answer for _, answer in rows]
