"""Shift as figures, CSV and a page to send: from reports made by hand."""

from __future__ import annotations

import csv
import io
import math

import pytest

from playground.experiments.shift import ContextShift, Position, ShiftReport, shift_of
from playground.experiments.shift_html import page
from playground.experiments.shift_report import csv_text, report_dict, summarise
from playground.types import Alternative, Token

SCRIPT = b"<script>alert(1)</script>"


def _context(name: str, *tokens: tuple[bytes, int | None]) -> ContextShift:
    return ContextShift(
        name,
        tuple(
            Position(
                Token(
                    i,
                    raw,
                    None if rank is None else -0.5 * rank,
                    rank,
                    1.0,
                    (Alternative(7, b"<b>", -0.1),),
                ),
                None if rank is None else shift_of(rank),
                -0.1,
                None if rank is None else 0.25 * rank,
            )
            for i, (raw, rank) in enumerate(tokens)
        ),
    )


def _report() -> ShiftReport:
    bare = _context("bare", (b"Hi", 9), (b"\n", 1), (b"\xe9\xb8", 2), (SCRIPT, 1))
    behind = _context("<preset>", (b"Hi", 1), (b"\n", 1), (b"\xe9\xb8", 1), (SCRIPT, 1))
    return ShiftReport("Why <i>so</i>?", "Hi", (bare, behind))


def test_a_summary_joins_the_answers_of_each_context() -> None:
    whole = summarise([_report(), _report()])
    assert [one.name for one in whole] == ["bare", "<preset>"]
    assert whole[0].whole.ratio("shifted") == 0.25
    assert whole[0].whole.mean_logprob == pytest.approx(-0.5 * (9 + 1 + 2 + 1) / 4)
    assert whole[0].whole.mean_kl == pytest.approx(0.25 * 13 / 4)
    assert whole[0].curve[0] == 1.0
    assert whole[0].curve[1] is None  # four tokens leave some tenths empty
    assert whole[0].most == (("Hi", 2, 2),)
    assert whole[1].most == ()
    assert summarise([]) == []


def test_csv_reads_back() -> None:
    rows = list(csv.DictReader(io.StringIO(csv_text([_report()]), newline="")))
    assert len(rows) == 8
    assert rows[0]["shift"] == "shifted"
    assert rows[1]["token"] == "\n"
    assert float(rows[0]["kl"]) == 2.25
    assert rows[0]["entropy"] == "1.0"


def test_a_report_is_plain_values() -> None:
    contexts = report_dict(_report())["contexts"]
    assert isinstance(contexts, list)
    assert contexts[0]["ratios"]["unshifted"] == 0.5
    assert not math.isnan(contexts[0]["mean_kl"])


def test_the_page_holds_text_and_never_markup_of_others() -> None:
    text = page([_report()], base="a/base", aligned="<img>")
    assert "<script" not in text
    assert "<img" not in text
    assert "<i>" not in text
    assert "<b>" not in text
    assert "&lt;script&gt;alert(1)&lt;/script&gt;" in text
    assert "↵" in text
    assert "⟨E9 B8⟩" in text
    assert "src=" not in text
    assert "25.0%" in text
