"""A journal keeps whole lines, whatever byte its writer died at."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import pytest

from playground.experiments.journal import Journal, JournalError, read_journal


@dataclass(frozen=True)
class Line:
    name: str
    number: int


def test_lines_come_back_in_order(tmp_path: Path) -> None:
    journal = Journal(tmp_path / "j", Line)
    lines = [Line("ä\n", 1), Line("二", 2)]
    for line in lines:
        journal.append(line)
    assert journal.read() == (lines, [])
    journal.close()


def test_a_line_torn_at_any_byte_is_dropped_and_what_stood_before_it_stays(tmp_path: Path) -> None:
    path = tmp_path / "j"
    journal = Journal(path, Line)
    journal.append(Line("first", 1))
    whole = path.stat().st_size
    journal.append(Line("second ä", 2))
    journal.close()
    data = path.read_bytes()
    for cut in range(whole, len(data)):
        path.write_bytes(data[:cut])
        assert read_journal(path, Line) == ([Line("first", 1)], [])
        journal = Journal(path, Line)
        assert path.stat().st_size == whole
        journal.append(Line("again", 3))
        assert journal.read() == ([Line("first", 1), Line("again", 3)], [])
        journal.close()


def test_a_long_torn_line_without_any_line_break_leaves_an_empty_file(tmp_path: Path) -> None:
    path = tmp_path / "j"
    path.write_bytes(b'{"name": "' + b"x" * 200_000)
    journal = Journal(path, Line)
    assert path.stat().st_size == 0
    journal.close()


def test_a_damaged_line_is_named_and_the_rest_is_read(tmp_path: Path) -> None:
    path = tmp_path / "j"
    path.write_text('{"name": "a", "number": 1}\n{"name": 3}\n{"name": "c", "number": 3}\n')
    items, problems = read_journal(path, Line)
    assert [item.number for item in items] == [1, 3]
    assert [problem.place for problem in problems] == [2]


def test_a_folder_that_is_not_there_is_one_sentence(tmp_path: Path) -> None:
    with pytest.raises(JournalError, match="cannot be written"):
        Journal(tmp_path / "none" / "j", Line)
