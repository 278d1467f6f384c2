"""Shift: an aligned model's answer under a base model, bare and behind a preset that is being edited."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Annotated

from pydantic import Field

from playground.datasets import parse_data
from playground.experiments.shift import ContextShift, ShiftReport
from playground.experiments.shift_report import csv_text, figures, summarise
from playground.presets.preset import Preset
from playground.services import Workbench
from playground.services.shift_study import ShiftStudies
from playground.ui.api.binding import Call
from playground.ui.token_rows import known_rows
from playground.ui.wire_format import Incoming


class ShiftIn(Incoming):
    """Ask for one question; ``study`` keeps the report with others, ``draft`` null leaves the preset out."""

    question: Annotated[str, Field(max_length=20_000)]
    base: str
    aligned: str
    draft: Mapping[str, object] | None
    max_tokens: Annotated[int, Field(ge=1, le=2048)] = 256
    study: Annotated[str | None, Field(pattern=r"^\w{1,40}$")] = None


class StudyIn(Incoming):
    """A study."""

    study: Annotated[str, Field(pattern=r"^\w{1,40}$")]


class FileIn(Incoming):
    """A data file of questions."""

    text: str
    source: str


class ShiftCalls:
    """Shift of one question, of its examples, and of a file of questions."""

    def __init__(self, workbench: Workbench) -> None:
        self._studies = ShiftStudies(workbench)

    def calls(self) -> list[Call]:
        """``shift``, ``shift_examples``, ``shift_questions``, ``shift_summary`` and ``shift_csv``."""
        return [
            Call.of("shift", ShiftIn, self.shift),
            Call.of("shift_examples", ShiftIn, self.examples),
            Call.of("shift_questions", FileIn, self.questions),
            Call.of("shift_summary", StudyIn, self.summary),
            Call.of("shift_csv", StudyIn, self.csv),
        ]

    def shift(self, query: ShiftIn) -> object:
        """The answer's positions under every context."""
        report = self._studies.measure(
            query.question,
            base=query.base,
            aligned=query.aligned,
            preset=_preset(query),
            max_tokens=query.max_tokens,
        )
        if query.study is not None:
            self._studies.add(query.study, report)
        return _report_json(report)

    def examples(self, query: ShiftIn) -> object:
        """Each enabled example's figures where it alone is left out."""
        preset = _preset(query)
        if preset is None:
            return []
        left_out = self._studies.examples(
            query.question,
            base=query.base,
            aligned=query.aligned,
            preset=preset,
            max_tokens=query.max_tokens,
        )
        return [{"index": index, **figures(context)} for index, context in left_out.items()]

    def questions(self, query: FileIn) -> object:
        """The first question of each row, and what rows could not be read."""
        data = parse_data(query.text, source=query.source)
        return {
            "questions": [record.queries[0] for record in data.records],
            "problems": [f"{query.source}, {problem.place}: {problem.message}" for problem in data.problems],
        }

    def summary(self, query: StudyIn) -> object:
        """The figures over all questions of a study so far."""
        reports = self._studies.reports(query.study)
        return {
            "n": len(reports),
            "contexts": [
                {
                    "name": one.name,
                    **figures(one.whole),
                    "curve": list(one.curve),
                    "most": [list(row) for row in one.most],
                }
                for one in summarise(reports)
            ],
        }

    def csv(self, query: StudyIn) -> object:
        """Every position of a study, as CSV."""
        return csv_text(self._studies.reports(query.study))


def _preset(query: ShiftIn) -> Preset | None:
    return None if query.draft is None else Preset.checked(query.draft)


def _report_json(report: ShiftReport) -> dict[str, object]:
    return {
        "question": report.question,
        "answer": report.answer,
        "same_tokenizer": report.same_tokenizer,
        "contexts": [_context_json(report, context) for context in report.contexts],
    }


def _context_json(report: ShiftReport, context: ContextShift) -> dict[str, object]:
    (summary,) = summarise([ShiftReport(report.question, report.answer, (context,))])
    return {
        "name": context.name,
        **figures(context),
        "rows": known_rows(position.token for position in context.positions),
        "shift": [position.shift for position in context.positions],
        "aligned": [position.aligned_logprob for position in context.positions],
        "kl": [position.kl for position in context.positions],
        "curve": list(summary.curve),
        "most": [list(row) for row in summary.most],
    }
