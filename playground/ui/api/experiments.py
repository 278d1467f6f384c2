"""Experiments on the page: planned, begun, watched, cancelled, gone on with, looked at and taken away."""

from __future__ import annotations

from dataclasses import asdict
from pathlib import Path
from typing import Annotated

from pydantic import Field

from playground.experiments.ablate import AXES, ORDERS
from playground.experiments.assistants import RETRIEVED_BY
from playground.experiments.charts import BarChart, Chart
from playground.experiments.judge_prompts import ASPECTS
from playground.experiments.metrics import METRICS
from playground.experiments.model_metrics import MODEL_METRICS
from playground.experiments.report_parts import metric_title
from playground.services import Workbench
from playground.services.experiment_estimate import estimate
from playground.services.experiment_view import (
    ExperimentViews,
    SeenAnswer,
    SeenQuestion,
    file_names,
    file_text,
    found_preset,
    prompted,
    seen_answers,
)
from playground.services.experiments import Experiments, RunEntry
from playground.services.judging import judge_of
from playground.services.text_parts import TextParts
from playground.ui.api.binding import Call
from playground.ui.api.experiment_form import PlanIn, plan_of
from playground.ui.api.presets import draft_json
from playground.ui.wire_format import Incoming

_RunId = Annotated[str, Field(pattern=r"^\w[\w.-]{0,200}$")]


class NothingIn(Incoming):
    """A call that says nothing."""


class RunIn(Incoming):
    """A stored run."""

    run: _RunId


class FileIn(RunIn):
    """One of a run's files."""

    name: Annotated[str, Field(max_length=300)]


class AnswersIn(RunIn):
    """A page of a run's answers."""

    assistants: Annotated[tuple[str, ...], Field(max_length=8)] = ()
    start: Annotated[int, Field(ge=0)] = 0
    count: Annotated[int, Field(ge=1, le=100)] = 20
    differ: bool = False


class PresetIn(RunIn):
    """The preset that a run found, or an assistant's."""

    assistant: str = ""


class JudgeIn(RunIn):
    """Who judges a run: a model, or ``rule:first`` and ``rule:longer``; pairs against ``reference``."""

    judge: str
    reference: str = ""
    aspects: Annotated[tuple[str, ...], Field(min_length=1, max_length=20)] = ("overall",)


class QuestionsPartIn(Incoming):
    """The next part of a file of questions."""

    file: Annotated[str, Field(pattern=r"^\w{1,40}$")]
    name: Annotated[str, Field(max_length=300)]
    text: str
    last: bool


class ExperimentCalls:
    """Everything about experiments."""

    def __init__(self, workbench: Workbench) -> None:
        self._bench = workbench
        self._runs = Experiments(workbench)
        self._views = ExperimentViews()
        self._parts = TextParts()

    def calls(self) -> list[Call]:
        """All begin with ``experiment_``; ``experiments`` itself gives the list of runs."""
        return [
            Call.of("experiments", NothingIn, lambda _: self.entries()),
            Call.of("experiment_offers", NothingIn, lambda _: self.offers()),
            Call.of("experiment_questions", QuestionsPartIn, self.keep_questions),
            Call.of("experiment_estimate", PlanIn, self.estimated),
            Call.of("experiment_start", PlanIn, self.start),
            Call.of("experiment_run", RunIn, self.run),
            Call.of("experiment_cancel", RunIn, self.cancel),
            Call.of("experiment_resume", RunIn, self.resume),
            Call.of("experiment_remove", RunIn, self.remove),
            Call.of("experiment_judge", JudgeIn, self.judge),
            Call.of("experiment_answers", AnswersIn, self.answers),
            Call.of("experiment_files", RunIn, lambda query: file_names(self._folder(query))),
            Call.of("experiment_file", FileIn, lambda query: file_text(self._folder(query), query.name)),
            Call.of("experiment_preset", PresetIn, self.preset),
        ]

    def offers(self) -> object:
        """What a form can choose from."""
        return {
            "sets": [asdict(one) for one in self._runs.sets.offered()],
            "metrics": [
                *([name, metric.title, metric.better, False] for name, metric in METRICS.items()),
                *([name, title, better, True] for name, (title, _, better) in MODEL_METRICS.items()),
            ],
            "axes": AXES,
            "orders": ORDERS,
            "retrieved_by": RETRIEVED_BY,
            "aspects": list(ASPECTS),
        }

    def keep_questions(self, query: QuestionsPartIn) -> object:
        """None until the last part came; then the set as it stands in the list."""
        text = self._parts.add(query.file, query.text, name=query.name, last=query.last)
        return None if text is None else asdict(self._runs.sets.keep(query.name, text))

    def estimated(self, query: PlanIn) -> object:
        """How much would be asked, and of whom."""
        plan = plan_of(query, self._bench, self._runs)
        return {
            **asdict(estimate(plan)),
            "metrics": [[name, metric_title(name)] for name in plan.metrics],
            "problems": len(plan.questions.problems),
            "notes": list(plan.notes),
        }

    def start(self, query: PlanIn) -> object:
        """Begin; the new run's id."""
        return self._runs.start(plan_of(query, self._bench, self._runs))

    def entries(self) -> object:
        """The runs, newest first."""
        return [self._entry(entry) for entry in self._runs.entries()]

    def run(self, query: RunIn) -> object:
        """A run with its figures, if it has any."""
        entry = self._runs.entry(query.run)
        view = self._views.view(entry.folder)
        return {
            **self._entry(entry),
            "view": view
            and {
                "summary": view.summary,
                "first": view.first,
                "charts": [_chart_json(chart) for chart in view.charts],
                "sections": [asdict(section) for section in view.sections],
            },
        }

    def cancel(self, query: RunIn) -> object:
        """End it; it can be gone on with."""
        self._runs.cancel(query.run)
        return None

    def resume(self, query: RunIn) -> object:
        """Go on with it."""
        self._runs.resume(query.run)
        return None

    def remove(self, query: RunIn) -> object:
        """Delete it."""
        self._runs.remove(query.run)
        return None

    def judge(self, query: JudgeIn) -> object:
        """Have its answers judged."""
        self._runs.judge(
            query.run, judge_of(self._bench, query.judge), reference=query.reference, aspects=query.aspects
        )
        return None

    def answers(self, query: AnswersIn) -> object:
        """A page of questions with their answers side by side."""
        folder = self._folder(query)
        total, names, page = seen_answers(
            folder, query.assistants, start=query.start, count=query.count, differ=query.differ
        )
        return {
            "total": total,
            "assistants": names,
            "presets": prompted(folder),
            "questions": [_question_json(seen) for seen in page],
        }

    def preset(self, query: PresetIn) -> object:
        """A preset for the editor."""
        return draft_json(found_preset(self._folder(query), query.assistant))

    def _folder(self, query: RunIn) -> Path:
        return self._runs.entry(query.run).folder

    def _entry(self, entry: RunEntry) -> dict[str, object]:
        shown = self._runs.snapshot(entry.id)
        return {
            "id": entry.id,
            "folder": str(entry.folder),
            "kind": entry.kind,
            "created": entry.created,
            "assistants": entry.assistants,
            "questions": entry.questions,
            "n": entry.n,
            "state": entry.state,
            "error": entry.error,
            "answered": entry.answered,
            "planned": entry.planned,
            "results": entry.results,
            "progress": None
            if shown is None or shown.state != "running"
            else {
                "phase": shown.phase,
                "done": shown.done,
                "total": shown.total,
                "failed": shown.failed,
                "elapsed_s": round(shown.elapsed_s, 1),
                "eta_s": None if shown.eta_s is None else round(shown.eta_s, 1),
            },
        }


def _chart_json(chart: Chart) -> dict[str, object]:
    kind = "bars" if isinstance(chart, BarChart) else "lines"
    return {"kind": kind, **asdict(chart)}


def _question_json(seen: SeenQuestion) -> dict[str, object]:
    question = seen.question
    return {
        "id": question.id,
        "place": question.place,
        "category": question.category,
        "turns": [
            {
                "query": turn.query,
                "reference": turn.reference,
                "answers": [_answer_json(one) for one in seen.answers if one.answer.turn == number],
            }
            for number, turn in enumerate(question.turns)
        ],
    }


def _answer_json(seen: SeenAnswer) -> dict[str, object]:
    answer = seen.answer
    return {
        "assistant": answer.assistant,
        "sample": answer.sample,
        "text": answer.text,
        "error": answer.error,
        "finish_reason": answer.finish_reason,
        "metrics": [[metric_title(name), value] for name, value in seen.metrics.items()],
    }
