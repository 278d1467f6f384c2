"""Data files of every format, and files that are broken in every usual way."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from playground.datasets import DataFileError, Record, parse_data, read_data

ALPACA = [
    {"instruction": "Add.", "input": "1 2", "output": "3"},
    {"instruction": "Hi", "input": "", "output": "Ho"},
]
JUST = {"id": 0, "instruction": "q", "source_id": "s", "dataset": "d", "output": "N/A", "generator": "g"}
MT = {"question_id": 81, "category": "writing", "turns": ["q1", "q2"]}
SHAREGPT = {
    "id": "x",
    "conversations": [
        {"from": "system", "value": "S"},
        {"from": "human", "value": "q1"},
        {"from": "gpt", "value": "a1"},
        {"from": "human", "value": "q2"},
    ],
}


@pytest.mark.parametrize(
    ("text", "kind", "first"),
    [
        (json.dumps(ALPACA), "alpaca", Record("1", 1, ("Add.\n\n1 2",), ("3",))),
        (
            json.dumps([{"instruction": "q", "output": "a", "generator": "g", "dataset": "d"}]),
            "alpaca_eval",
            Record("1", 1, ("q",), ("a",), "", "d"),
        ),
        (json.dumps([JUST]), "just_eval", Record("0", 1, ("q",), ("N/A",), "", "d")),
        (json.dumps(MT), "mt_bench", Record("81", 1, ("q1", "q2"), (), "", "writing")),
        (json.dumps(SHAREGPT), "sharegpt", Record("x", 1, ("q1", "q2"), ("a1",), "S")),
        (
            json.dumps(
                {"messages": [{"role": "user", "content": "中"}, {"role": "assistant", "content": "文"}]}
            ),
            "messages",
            Record("1", 1, ("中",), ("文",)),
        ),
        (
            json.dumps({"user_input": "q", "completion_a": "a", "completion_b": "b"}),
            "comparison",
            Record("1", 1, ("q",), ("a",)),
        ),
        ('question,answer\n"a, b","x\ny"\n', "columns", Record("2", 2, ("a, b",), ("x\ny",))),
        ('{"prompt": "q", "completion": "a"}\n', "columns", Record("1", 1, ("q",), ("a",))),
        ("Why?\n\n  How? \n", "lines", Record("1", 1, ("Why?",))),
    ],
)
def test_formats_are_recognised_by_content(text: str, kind: str, first: Record) -> None:
    data = parse_data(text)
    assert data.format == kind
    assert data.records[0] == first
    assert not data.problems


def test_broken_rows_are_named_and_the_rest_goes_on() -> None:
    rows = [
        '{"question": "q1", "id": 1}',
        "{broken",
        '{"question": 3}',
        '{"question": "q2", "id": 1}',
        '{"a": 1}',
    ]
    data = parse_data("\n".join([*rows, '{"question": "q6"}']))
    assert [r.queries[0] for r in data.records] == ["q1", "q6"]
    assert [p.place for p in data.problems] == [2, 3, 4, 5]
    assert "twice" in data.problems[2].message


def test_a_csv_row_of_another_width_is_named() -> None:
    data = parse_data("question,answer\na,b\nonly\nc,d\n")
    assert [r.queries[0] for r in data.records] == ["a", "c"]
    assert "2 columns" in data.problems[0].message


@pytest.mark.parametrize(
    ("text", "word"),
    [
        ("", "empty"),
        (" \n ", "empty"),
        ("[1, 2]", "row 1"),
        ("[{]", "not JSON"),
        ("[]", "no usable row"),
        ('{"conversations": [{"from": "robot", "value": "x"}]}', "not a known role"),
        ('{"conversations": 3}', "not a list"),
        ("[" * 100_000, "nested too deeply"),
    ],
)
def test_files_without_a_usable_row(text: str, word: str) -> None:
    with pytest.raises(DataFileError, match=word):
        parse_data(text)


def test_files_that_cannot_be_read(tmp_path: Path) -> None:
    with pytest.raises(DataFileError, match="cannot be read"):
        read_data(tmp_path / "missing.json")
    (tmp_path / "x").write_bytes(b"\xff\xfe")
    with pytest.raises(DataFileError, match="nothing else"):
        read_data(tmp_path / "x")
    (tmp_path / "x").write_bytes(b"\x00\x01\x02\xff\xfe" * 20)
    with pytest.raises(DataFileError, match="not text"):
        read_data(tmp_path / "x")
    (tmp_path / "x").write_bytes(b"PK\x03\x04rest")
    with pytest.raises(DataFileError, match="save it as CSV"):
        read_data(tmp_path / "x")
    with pytest.raises(DataFileError, match="folder"):
        read_data(tmp_path)
    with pytest.raises(DataFileError, match="device"):
        read_data(Path("/dev/zero"))


@given(st.text(max_size=300))
def test_any_text_gives_records_or_one_error(text: str) -> None:
    try:
        data = parse_data(text)
    except DataFileError:
        return
    assert data.records
    assert all(record.queries and all(q.strip() for q in record.queries) for record in data.records)
