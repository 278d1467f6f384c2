"""A stored run as somebody looks at it: charts and tables, the answers beside each other, files to take away.

Everything is read from the run's folder, so it is the same for a run that this program never saw at work.
"""

from __future__ import annotations

import json
import threading
from collections import OrderedDict
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import msgspec

from playground.experiments.assistants import AssistantSpec, ExperimentError
from playground.experiments.candidates import CandidateResults
from playground.experiments.candidates_report import (
    candidate_test_rows,
    ranking_chart,
    ranking_rows,
    summary,
)
from playground.experiments.charts import Chart
from playground.experiments.exports import EXPORT_FORMATS, export_texts
from playground.experiments.journal import read_journal
from playground.experiments.model_metrics import Score
from playground.experiments.questions import Question
from playground.experiments.report_parts import (
    Rows,
    charts,
    corpus_rows,
    figures_rows,
    gaps_rows,
    judged_rows,
    problem_rows,
)
from playground.experiments.results import Results, answer_values
from playground.experiments.run_files import Answer, AnswerKey, Plan, read_plan
from playground.experiments.search import SearchResults
from playground.experiments.search_report import round_rows, tested_chart, tested_rows, validation_chart
from playground.presets.preset import Preset

_KEPT = 6
_WHOLE_FILES = ("report.html", "figures.csv", "found.yaml", "judged.json", "manifest.json")


@dataclass(frozen=True, slots=True)
class Section:
    """A table under a heading: ``name`` is its kind, ``about`` what it is of; figures begin at a column."""

    name: str
    about: str
    rows: Rows
    numbers_from: int = 99


@dataclass(frozen=True, slots=True)
class RunView:
    """What a finished run shows.

    Attributes:
        summary: A sentence, where there is one.
        charts: In order.
        sections: In order.
        first: How many of the sections stand before the charts.
    """

    summary: str
    charts: tuple[Chart, ...]
    sections: tuple[Section, ...]
    first: int = 1


@dataclass(frozen=True, slots=True)
class SeenAnswer:
    """An answer with its metrics; ``metrics`` by name."""

    answer: Answer
    metrics: dict[str, float]


@dataclass(frozen=True, slots=True)
class SeenQuestion:
    """A question with every answer of the assistants that are looked at."""

    question: Question
    answers: tuple[SeenAnswer, ...]


class ExperimentViews:
    """Views of stored runs; the last few are remembered while their files stay as they are. Thread-safe."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._views: OrderedDict[tuple[object, ...], RunView] = OrderedDict()

    def view(self, folder: Path) -> RunView | None:
        """The figures of a run; None where it has none yet.

        Raises:
            ExperimentError: It cannot be read.
        """
        key = (folder, *(_stamp(folder / name) for name in ("results.json", "judged.json")))
        with self._lock:
            if key in self._views:
                return self._views[key]
        view = _view(folder)
        if view is not None:
            with self._lock:
                self._views[key] = view
                while len(self._views) > _KEPT:
                    self._views.popitem(last=False)
        return view


def seen_answers(
    folder: Path, assistants: Sequence[str], *, start: int = 0, count: int = 20, differ: bool = False
) -> tuple[int, tuple[str, ...], list[SeenQuestion]]:
    """A page of the questions with the answers of some assistants, the run at work or not.

    Args:
        folder: The run's.
        assistants: Whose answers; none takes the first two that answered.
        start: Of how many questions the page comes behind.
        count: Questions on a page.
        differ: Only questions on which the assistants differ by the run's first metric.

    Returns:
        How many questions there are, who answered any, and the page.

    Raises:
        ExperimentError: The run cannot be read.
    """
    plan = read_plan(folder)
    answers = _answers(folder)
    names = tuple(dict.fromkeys([*(s.name for s in plan.assistants), *(a.assistant for a in answers)]))
    wanted = [name for name in assistants if name in names] or list(names[:2])
    by_question: dict[str, list[Answer]] = {}
    for answer in answers:
        if answer.assistant in wanted:
            by_question.setdefault(answer.question, []).append(answer)
    scores, _ = read_journal(folder / "scores.jsonl", Score)
    questions = list(plan.questions.questions)
    if differ and plan.metrics:
        first = replace(plan, metrics=plan.metrics[:1])
        of_all = answer_values(first, [a for found in by_question.values() for a in found], scores)
        differing = _differing(of_all)
        questions = [question for question in questions if question.id in differing]
    shown = questions[start : start + count]
    ids = {question.id for question in shown}
    said = [answer for question in shown for answer in by_question.get(question.id, [])]
    values = answer_values(plan, said, [s for s in scores if s.question in ids])
    page = [
        SeenQuestion(
            question,
            tuple(
                SeenAnswer(a, values.get(a.key, {}))
                for a in sorted(
                    by_question.get(question.id, []),
                    key=lambda a: (a.turn, wanted.index(a.assistant), a.sample),
                )
            ),
        )
        for question in shown
    ]
    return len(questions), names, page


def file_names(folder: Path) -> list[str]:
    """What can be taken away of a run, by name."""
    names = [name for name in _WHOLE_FILES if (folder / name).is_file()]
    plan = read_plan(folder)
    if plan.kind in ("evaluate", "ablate"):
        answers = _answers(folder)
        for wanted in EXPORT_FORMATS if answers else ():
            names += export_texts(plan, answers, wanted)
    return names


def file_text(folder: Path, name: str) -> str:
    """One of ``file_names``.

    Raises:
        ExperimentError: There is no such file.
    """
    if name in _WHOLE_FILES:
        try:
            return (folder / name).read_text(encoding="utf-8")
        except OSError as error:
            raise ExperimentError(f"{folder.name} has no {name} yet; let it finish.") from error
    plan, answers = read_plan(folder), _answers(folder)
    created_s = (folder / "answers.jsonl").stat().st_mtime if answers else 0.0
    for wanted in EXPORT_FORMATS:
        texts = export_texts(plan, answers, wanted, created_s=created_s)
        if name in texts:
            return texts[name]
    raise ExperimentError(f"{folder.name} has no file '{name}'; choose one of the list.")


def prompted(folder: Path) -> list[str]:
    """The assistants of a run that are prompted with a preset."""
    return [spec.name for spec in read_plan(folder).assistants if spec.preset is not None]


def found_preset(folder: Path, assistant: str = "") -> Preset:
    """The preset that a search found, or that an assistant of the run was prompted with.

    Raises:
        PlaygroundError: There is none.
    """
    if not assistant:
        return Preset.from_yaml(file_text(folder, "found.yaml"), source="found.yaml")
    spec: AssistantSpec | None = next((s for s in read_plan(folder).assistants if s.name == assistant), None)
    if spec is None or spec.preset is None:
        raise ExperimentError(f"{assistant} has no preset in this run.")
    return spec.preset


def _view(folder: Path) -> RunView | None:
    try:
        data = (folder / "results.json").read_bytes()
    except FileNotFoundError:
        return None
    except OSError as error:
        raise ExperimentError(f"The results of {folder.name} cannot be read: {error.strerror}.") from error
    plan = read_plan(folder)
    try:
        if plan.kind == "search":
            return _search_view(msgspec.json.decode(data, type=SearchResults))
        if plan.kind == "candidates":
            return _candidates_view(msgspec.json.decode(data, type=CandidateResults))
        results = msgspec.json.decode(data, type=Results)
    except msgspec.MsgspecError as error:
        raise ExperimentError(
            f"The results of {folder.name} are not as this program writes them ({error}); resume the run."
        ) from error
    return _figures_view(plan, results, _answers(folder), folder)


def _figures_view(plan: Plan, results: Results, answers: Sequence[Answer], folder: Path) -> RunView:
    sections = [Section("figures", "", figures_rows(results), 1)]
    for turn in sorted({f.turn for f in results.figures} - {0}):
        sections.append(Section("turn", str(turn), figures_rows(results, turn), 1))
    for category in sorted({f.category for f in results.figures} - {""}):
        sections.append(Section("category", category, figures_rows(results, 0, category), 1))
    if results.gaps:
        sections.append(Section("gaps", results.gaps[0].reference, gaps_rows(results), 3))
    for name, rows in _judged(folder).items():
        sections.append(Section("judged", name, rows))
    sections.append(Section("corpus", "", corpus_rows(results), 1))
    if len(problems := problem_rows(results)) > 1:
        sections.append(Section("problems", "", problems))
    return RunView("", tuple(charts(plan, results, answers)), tuple(sections))


def _search_view(results: SearchResults) -> RunView:
    sections = [Section("tested", "", tested_rows(results), 2)]
    for number, candidates in enumerate(results.rounds, 1):
        sections.append(Section("round", str(number), round_rows(results, candidates), 1))
    said = (
        f"Greedy search took {results.cost['greedy']} pairs of candidate and question, random search "
        f"{results.cost['random']}. {results.stopped.capitalize()}."
    )
    return RunView(said, (tested_chart(results), validation_chart(results)), tuple(sections))


def _candidates_view(results: CandidateResults) -> RunView:
    tested = Section("tested", "", candidate_test_rows(results), 2)
    ranking = Section("ranking", "", ranking_rows(results), 2)
    return RunView(summary(results), (ranking_chart(results),), (tested, ranking))


def _judged(folder: Path) -> dict[str, Rows]:
    try:
        judged = json.loads((folder / "judged.json").read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return {}
    return judged_rows(judged)


def _answers(folder: Path) -> list[Answer]:
    """The answers so far; the later line of a key counts."""
    lines, _ = read_journal(folder / "answers.jsonl", Answer)
    return list({line.key: line for line in lines}.values())


def _differing(values: dict[AnswerKey, dict[str, float]]) -> set[str]:
    """Questions on which the assistants' means are not the same."""
    found: dict[str, dict[str, list[float]]] = {}
    for (assistant, question, _, _), metrics in values.items():
        found.setdefault(question, {}).setdefault(assistant, []).extend(metrics.values())
    return {
        question
        for question, by in found.items()
        if len({round(sum(one) / len(one), 9) for one in by.values() if one}) > 1
    }


def _stamp(path: Path) -> tuple[int, int]:
    try:
        stat = path.stat()
    except OSError:
        return (0, 0)
    return stat.st_mtime_ns, stat.st_size
