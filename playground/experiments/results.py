"""The figures of a run, computed from its lines alone: nothing is asked here.

Every mean has a bootstrap interval over questions; every gap is paired by question. First and second turns
stand apart, and so do the categories of the question set.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass

from playground.datasets import RowProblem
from playground.experiments.assistants import AssistantSpec, Tag
from playground.experiments.metric_choice import limits, unavailable
from playground.experiments.metrics import METRICS, Setting, corpus_metrics
from playground.experiments.model_metrics import MODEL_METRICS, Score
from playground.experiments.pair_scoring import ReplyStyle, style_of
from playground.experiments.questions import Question
from playground.experiments.run_files import Answer, AnswerKey, Plan
from playground.experiments.statistics import Interval, Paired, interval, paired, per_question, quantiles
from playground.presets.preset import Preset


@dataclass(frozen=True, slots=True)
class Figure:
    """One mean: of whom, over which turn (counted from 1; 0 for all) and category (empty for all)."""

    assistant: str
    metric: str
    turn: int
    category: str
    value: Interval


@dataclass(frozen=True, slots=True)
class Gap:
    """One assistant against another by one metric."""

    assistant: str
    reference: str
    metric: str
    turn: int
    value: Paired


@dataclass(frozen=True, slots=True)
class Results:
    """What a run found.

    Attributes:
        figures: Means by assistant, metric, turn and category.
        gaps: Paired comparisons to the reference assistant.
        corpus: By assistant, figures over all its answers together.
        lengths: By assistant, the distribution of its answers' tokens and characters.
        tags: By assistant, what a report groups by.
        failures: By assistant, why it could not be asked at all.
        errors: Answers and scores that could not be had, each with its question's place in the file.
        problems: Rows and lines that could not be read.
        counts: Assistants, questions, answers, failed answers, tokens, seconds of decoding.
        notes: What whoever reads the figures must know, such as a metric that is left out.
    """

    figures: tuple[Figure, ...]
    gaps: tuple[Gap, ...]
    corpus: Mapping[str, Mapping[str, float | None]]
    lengths: Mapping[str, Mapping[str, Mapping[str, float]]]
    tags: Mapping[str, Mapping[str, Tag]]
    failures: Mapping[str, str]
    errors: tuple[Mapping[str, str | int], ...]
    problems: tuple[RowProblem, ...]
    counts: Mapping[str, float]
    notes: tuple[str, ...] = ()

    def figure(self, assistant: str, metric: str, *, turn: int = 0, category: str = "") -> Interval | None:
        """One mean; None where there is none."""
        wanted = (assistant, metric, turn, category)
        return next(
            (f.value for f in self.figures if (f.assistant, f.metric, f.turn, f.category) == wanted), None
        )

    def as_dict(self) -> dict[str, object]:
        """The results as plain JSON values."""
        return asdict(self)


def values_of(
    plan: Plan, answers: Iterable[Answer], scores: Iterable[Score], metric: str, *, turn: int = 0
) -> dict[str, dict[str, float]]:
    """By assistant, then by question, the mean of a metric over samples (and turns, unless one is named)."""
    found: dict[str, list[tuple[str, float]]] = {}
    for assistant, question, value in _raw(plan, answers, scores, metric, turn):
        found.setdefault(assistant, []).append((question.id, value))
    return {assistant: per_question(values) for assistant, values in found.items()}


def results_of(
    plan: Plan,
    answers: Sequence[Answer],
    scores: Sequence[Score] = (),
    *,
    failures: Mapping[str, str] | None = None,
    problems: Sequence[RowProblem] = (),
    specs: Sequence[AssistantSpec] = (),
) -> Results:
    """The figures of a run.

    Args:
        plan: What was asked.
        answers: Failures included.
        scores: Of ``model_metrics``.
        failures: Assistants that could not be asked.
        problems: Rows and lines that could not be read.
        specs: The assistants, where there are more than the plan's.
    """
    metrics = _metrics(plan)
    turns = max((len(q.turns) for q in plan.questions.questions), default=1)
    categories = sorted({q.category for q in plan.questions.questions} - {""})
    figures: list[Figure] = []
    gaps: list[Gap] = []
    for metric in metrics:
        for turn in (0, *(range(1, turns + 1) if turns > 1 else ())):
            raw = list(_raw(plan, answers, scores, metric, turn))
            values: dict[str, list[tuple[str, float]]] = {}
            by_category: dict[tuple[str, str], list[tuple[str, float]]] = {}
            bounds = limits(metric)
            for assistant, question, value in raw:
                values.setdefault(assistant, []).append((question.id, value))
                by_category.setdefault((assistant, question.category), []).append((question.id, value))
            means = {name: per_question(found) for name, found in values.items()}
            for name, mean in means.items():
                figures += _figure(name, metric, turn, "", mean, plan.seed)
                if turn == 0 and len(categories) > 1:
                    for category in categories:
                        part = per_question(by_category.get((name, category), ()))
                        figures += _figure(name, metric, 0, category, part, plan.seed)
            theirs = means.get(plan.reference)
            for name, mean in means.items() if theirs is not None else ():
                if name == plan.reference:
                    continue
                gap = paired(mean, theirs or {}, seed=plan.seed, limits=bounds)
                if gap is not None:
                    gaps.append(Gap(name, plan.reference, metric, turn, gap))
    return Results(
        tuple(figures),
        tuple(gaps),
        _corpus(plan, answers),
        _lengths(answers),
        {spec.name: spec.tags for spec in (specs or plan.assistants)},
        dict(failures or {}),
        _errors(plan, answers, scores),
        tuple(problems),
        _counts(plan, answers),
        _notes(plan),
    )


def _figure(
    name: str, metric: str, turn: int, category: str, values: Mapping[str, float], seed: int
) -> list[Figure]:
    """The mean as a figure; none where nothing was measured."""
    mean = interval(list(values.values()), seed=seed, limits=limits(metric))
    return [] if mean is None else [Figure(name, metric, turn, category, mean)]


def _metrics(plan: Plan) -> list[str]:
    """The plan's metrics as far as they can be computed in this installation."""
    names = [name for name in plan.metrics if not unavailable(name)]
    if "shift" in names:
        names += [name for name in ("shift_marginal", "shift_unshifted") if name not in names]
    return names


def _notes(plan: Plan) -> tuple[str, ...]:
    """The plan's own, and why a metric of it cannot be computed here."""
    reasons = {name: unavailable(name) for name in plan.metrics}
    return (*plan.notes, *(f"{name} is left out. {reason}" for name, reason in reasons.items() if reason))


def answer_values(
    plan: Plan, answers: Iterable[Answer], scores: Iterable[Score]
) -> dict[AnswerKey, dict[str, float]]:
    """Every metric of every answer, by the answer's key."""
    scored = list(scores)
    found: dict[AnswerKey, dict[str, float]] = {}
    answered = list(answers)
    for metric in _metrics(plan):
        for line, _, value in _each(plan, answered, scored, metric, 0):
            key = (line.assistant, line.question, line.turn, line.sample)
            found.setdefault(key, {})[metric] = value
    return found


def _raw(
    plan: Plan, answers: Iterable[Answer], scores: Iterable[Score], metric: str, turn: int
) -> Iterable[tuple[str, Question, float]]:
    """Every single value: of whom, to which question."""
    for line, question, value in _each(plan, answers, scores, metric, turn):
        yield line.assistant, question, value


def _each(
    plan: Plan, answers: Iterable[Answer], scores: Iterable[Score], metric: str, turn: int
) -> Iterable[tuple[Answer | Score, Question, float]]:
    """Every single value with the line that it is of."""
    questions = {question.id: question for question in plan.questions.questions}
    if metric in MODEL_METRICS:
        for score in scores:
            question = questions.get(score.question)
            wanted = score.metric == metric and turn in (0, score.turn + 1)
            if wanted and score.value is not None and question is not None:
                yield score, question, score.value
        return
    measure = METRICS[metric].measure
    settings = _settings(plan)
    fallback = _setting(plan, plan.style)
    for answer in answers:
        question = questions.get(answer.question)
        if answer.error is not None or question is None or turn not in (0, answer.turn + 1):
            continue
        setting = settings.get(answer.assistant, fallback)
        value = measure(question.turns[answer.turn], answer, setting)
        if value is not None:
            yield answer, question, value


def _settings(plan: Plan) -> dict[str, Setting]:
    """By assistant: the manner that is looked for is the plan's, or that of its own examples."""
    return {spec.name: _setting(plan, plan.style or spec.preset) for spec in plan.assistants}


def _setting(plan: Plan, shown: Preset | None) -> Setting:
    asked = plan.questions
    style = style_of(shown) if shown else ReplyStyle()
    return Setting(style, asked.rivals, asked.openings, asked.closings)


def _corpus(plan: Plan, answers: Sequence[Answer]) -> dict[str, dict[str, float | None]]:
    texts: dict[str, list[str]] = {}
    for answer in answers:
        if answer.error is None:
            texts.setdefault(answer.assistant, []).append(answer.text)
    return {name: corpus_metrics(said, seed=plan.seed) for name, said in texts.items()}


def _lengths(answers: Sequence[Answer]) -> dict[str, dict[str, dict[str, float]]]:
    found: dict[str, tuple[list[float], list[float]]] = {}
    for answer in answers:
        if answer.error is None:
            tokens, characters = found.setdefault(answer.assistant, ([], []))
            tokens.append(answer.completion_tokens)
            characters.append(len(answer.text))
    return {
        name: {"tokens": quantiles(tokens), "characters": quantiles(characters)}
        for name, (tokens, characters) in found.items()
    }


def _errors(
    plan: Plan, answers: Sequence[Answer], scores: Sequence[Score]
) -> tuple[dict[str, str | int], ...]:
    places = {question.id: question.place for question in plan.questions.questions}
    failed: list[dict[str, str | int]] = []
    lines: tuple[Answer | Score, ...] = (*answers, *scores)
    for line in lines:
        if line.error is not None:
            failed.append(
                {
                    "assistant": line.assistant,
                    "question": line.question,
                    "place": places.get(line.question, 0),
                    "turn": line.turn + 1,
                    "message": line.error,
                }
            )
    return tuple(failed)


def _counts(plan: Plan, answers: Sequence[Answer]) -> dict[str, float]:
    good = [answer for answer in answers if answer.error is None]
    return {
        "assistants": len({answer.assistant for answer in answers}),
        "questions": len(plan.questions.questions),
        "answers": len(good),
        "failed": len(answers) - len(good),
        "tokens": sum(answer.completion_tokens for answer in good),
        "prompt_tokens": sum(answer.prompt_tokens for answer in good),
        "cached_tokens": sum(answer.cached_tokens for answer in good),
    }
